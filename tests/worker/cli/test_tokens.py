import json
from pathlib import Path

from tests.worker.cli.conftest import Here


def test_a_token_from_its_making_to_its_end(here: Here) -> None:
    """A token is printed once, alone; lists tell of it without it; a revoked one says so."""
    code, output, told = here("tokens", "create", "dashboard", "--scope", "read", "--scope", "write")
    assert code == 0
    token = output.strip()
    assert token.startswith("colony_")
    assert "not shown again" in told

    _, output, _ = here("tokens", "list", "--json")
    (listed,) = map(json.loads, output.splitlines())
    assert (listed["name"], listed["scopes"], listed["revokedAt"]) == ("dashboard", ["read", "write"], None)
    assert token.rsplit("_", 1)[1] not in output

    assert here("tokens", "revoke", listed["tokenId"])[0] == 0
    _, output, _ = here("tokens", "list", "--json")
    assert json.loads(output)["revokedAt"]
    assert "dashboard" in here("tokens", "list")[1]


def test_wrong_words(here: Here) -> None:
    """No scope, an unknown one, and a token that is not there end with a sentence that helps."""
    for arguments, code, word in (
        (("create", "x"), 2, "--scope"),
        (("create", "x", "--scope", "root"), 2, "operate"),
        (("create", " ", "--scope", "read"), 2, "who will use it"),
        (("revoke", "0" * 12), 4, "colony tokens list"),
    ):
        ended, _, told = here("tokens", *arguments)
        assert (ended, word in told) == (code, True)
    assert "no tokens yet" in here("tokens", "list")[1]


def test_serve_beyond_loopback_needs_a_token(here: Here, home: Path) -> None:
    """Without a token the server does not listen where others could reach it, and starts nothing."""
    code, _, told = here("serve", "--host", "0.0.0.0", "--port", "0", "--with-worker")  # noqa: S104 - the point of it

    assert code == 2
    assert "colony tokens create" in told
    assert (home / "ledger.db").exists()
