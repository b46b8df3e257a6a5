from datetime import timedelta

import pytest

from handlers.commands.manage_tokens import create_token, revoke_token
from tests.worker.world import NOW
from worker.access.token import Scope, is_valid
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import NotFound, Rejected

RANDOM = bytes(range(38))


def test_shown_once(ledger: SqlLedger) -> None:
    """The token is told once; the ledger can check it, and has nothing to tell it again."""
    token, text = create_token("dashboard", ["read"], ledger, NOW, random=RANDOM)

    with ledger.begin(write=False) as transaction:
        (stored,) = transaction.tokens.list()
    assert stored == token
    assert (stored.name, stored.scopes, stored.created_at) == ("dashboard", {Scope.READ}, NOW)
    assert is_valid(text, stored)
    assert text.rsplit("_", 1)[1] not in repr(stored)


@pytest.mark.parametrize(
    ("name", "scopes", "field"),
    [("", ["read"], "name"), ("  ", ["read"], "name"), ("x" * 201, ["read"], "name"), ("a\nb", ["read"], "name"),
     ("a", [], "scope"), ("a", ["root"], "scope")],
)  # fmt: skip
def test_wrong_tokens(ledger: SqlLedger, name: str, scopes: list[str], field: str) -> None:
    """A token for nobody, or for nothing, is not made."""
    with pytest.raises(Rejected) as error:
        create_token(name, scopes, ledger, NOW, random=RANDOM)

    assert error.value.field == field
    with ledger.begin(write=False) as transaction:
        assert not transaction.tokens.any_active()


def test_revoke(ledger: SqlLedger) -> None:
    """A revoked token is no longer valid; revoking it again keeps the first time."""
    token, text = create_token("dashboard", ["read"], ledger, NOW, random=RANDOM)

    revoked = revoke_token(token.id, ledger, NOW)
    again = revoke_token(token.id, ledger, NOW + timedelta(days=1))

    assert not is_valid(text, revoked)
    assert again == revoked


def test_revoke_nothing(ledger: SqlLedger) -> None:
    """A token that is not there cannot be revoked."""
    with pytest.raises(NotFound, match="no token 000000000000"):
        revoke_token("0" * 12, ledger, NOW)
