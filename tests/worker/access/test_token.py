from dataclasses import replace
from datetime import UTC, datetime

import pytest

from worker.access.token import (
    ID_BYTES,
    SECRET_BYTES,
    Scope,
    Token,
    digest,
    is_valid,
    parse_scopes,
    token_id,
    token_text,
)
from worker.errors import Rejected

NOW = datetime(2002, 10, 1, tzinfo=UTC)
TEXT = token_text(bytes(range(ID_BYTES + SECRET_BYTES)))
TOKEN = Token("000102030405", "dashboard", digest(TEXT), frozenset({Scope.READ}), NOW)


def test_a_token_carries_its_id() -> None:
    """The id can be read from the token; the ledger's record holds nothing of the secret."""
    assert token_id(TEXT) == TOKEN.id
    assert TEXT.rsplit("_", 1)[1] not in repr(TOKEN)


@pytest.mark.parametrize("text", ["", "colony_", TEXT[:-1], TEXT + "0", TEXT.upper(), f" {TEXT}", TEXT + "\n", "é"])
def test_other_texts_are_no_tokens(text: str) -> None:
    """Whatever has not exactly the form is no token."""
    assert token_id(text) is None


def test_validity() -> None:
    """Only the very token, known and not revoked, is valid."""
    assert is_valid(TEXT, TOKEN)
    assert not is_valid(TEXT[:-1] + "0", TOKEN)
    assert not is_valid(TEXT, None)
    assert not is_valid(TEXT, replace(TOKEN, revoked_at=NOW))


def test_scopes() -> None:
    """Scopes are read by their names, and an unknown one is refused with the choice."""
    assert parse_scopes(["read", "operate", "read"], field="scope") == {Scope.READ, Scope.OPERATE}
    with pytest.raises(Rejected, match="read, write, operate"):
        parse_scopes(["root"], field="scope")
