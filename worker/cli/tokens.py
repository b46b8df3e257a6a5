"""`colony tokens`: make, list and revoke the bearer tokens of the HTTP API."""

import secrets
from typing import Any

import click

from worker.access.token import ID_BYTES, SECRET_BYTES, Scope, Token
from worker.cli.common import json_option, opened, print_json, print_table, short
from worker.clock import to_text


@click.group("tokens")
def command() -> None:
    """Bearer tokens of the HTTP API. Only their hashes are kept: a lost one cannot be shown again."""


@command.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    required=True,
    help="What it may be used for: read looks, write triggers and predicts, operate cancels, promotes and rolls back.",
)
def create(name: str, scopes: tuple[str, ...]) -> None:
    """Make a token for NAME and print it, once."""
    from handlers.commands.manage_tokens import create_token

    with opened() as app:
        random = secrets.token_bytes(ID_BYTES + SECRET_BYTES)
        token, text = create_token(name, scopes, app.ledger, app.clock(), random=random)
        click.echo(text)
        click.echo(f"token {token.id} for {token.name}: keep it now, it is not shown again", err=True)


@command.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the tokens: for whom, what for, when last used (to the hour), whether revoked."""
    with opened() as app, app.ledger.begin(write=False) as transaction:
        tokens = transaction.tokens.list()
    if as_json:
        print_json(map(_shown, tokens))
        return
    columns = ("token", "for", "scopes", "created", "last used", "revoked")
    rows = [
        (
            token.id,
            token.name,
            _scopes(token),
            short(token.created_at),
            short(token.last_used_at),
            short(token.revoked_at),
        )
        for token in tokens
    ]
    print_table(columns, rows, empty="no tokens yet: `colony tokens create NAME --scope read` makes one")


@command.command("revoke")
@click.argument("token_id")
def revoke(token_id: str) -> None:
    """Make a token count no more, from the next request on."""
    from handlers.commands.manage_tokens import revoke_token

    with opened() as app:
        token = revoke_token(token_id, app.ledger, app.clock())
        click.echo(f"token {token.id} of {token.name} is revoked since {short(token.revoked_at)}")


def _shown(token: Token) -> dict[str, Any]:
    return {
        "tokenId": token.id,
        "name": token.name,
        "scopes": [scope.value for scope in Scope if scope in token.scopes],
        "createdAt": to_text(token.created_at),
        "lastUsedAt": to_text(token.last_used_at) if token.last_used_at else None,
        "revokedAt": to_text(token.revoked_at) if token.revoked_at else None,
    }


def _scopes(token: Token) -> str:
    return " ".join(scope.value for scope in Scope if scope in token.scopes)
