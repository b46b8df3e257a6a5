"""`colony policy`: what is in force."""

import click

from worker.cli.common import json_option, opened, print_json
from worker.errors import NotFound


@click.group("policy")
def command() -> None:
    """Show the policy in force."""


@command.command("show")
@click.argument("bee", required=False)
@json_option
def show(bee: str | None, *, as_json: bool) -> None:
    """Print the policy in force, or that of BEE: whole, with its version, as a policy.yaml that would mean the same."""
    from config.policy_words import in_words

    with opened() as app:
        if bee is not None and bee not in app.bees:
            raise NotFound(f"there is no bee {bee!r}; there are: {', '.join(sorted(app.bees)) or 'none'}")
        policy = app.policy
        words = in_words(policy, bee)
    if as_json:
        print_json([{"version": policy.version, "beeId": bee, "policy": words}])
        return
    import yaml

    of = "" if bee is None else f" of {bee}" + ("" if bee in policy.bees else " (nothing of its own: that of all)")
    click.echo(f"# the policy{of}, version {policy.version}")
    click.echo(yaml.safe_dump(words, sort_keys=False, allow_unicode=True), nl=False)
