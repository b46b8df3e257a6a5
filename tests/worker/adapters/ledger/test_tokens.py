from dataclasses import replace
from datetime import timedelta

import pytest

from tests.worker.adapters.ledger.records import NOW, UNICODE
from worker.access.port import USED_EVERY
from worker.access.token import Scope, Token
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import Conflict

TOKEN = Token("0123456789ab", UNICODE, "a" * 64, frozenset({Scope.READ, Scope.OPERATE}), NOW)


def test_a_token_comes_back_as_it_was(ledger: SqlLedger) -> None:
    """Every part of a token is kept, and none is there that was not added."""
    with ledger.begin() as transaction:
        assert transaction.tokens.get(TOKEN.id) is None
        assert not transaction.tokens.any_active()
        transaction.tokens.add(TOKEN)
        transaction.tokens.add(replace(TOKEN, id="b" * 12, created_at=NOW - timedelta(days=1)))

        assert transaction.tokens.get(TOKEN.id) == TOKEN
        assert [token.id for token in transaction.tokens.list()] == ["b" * 12, TOKEN.id]
        assert transaction.tokens.any_active()


def test_an_id_is_taken_once(ledger: SqlLedger) -> None:
    """A second token with the same id is a conflict, and the first one stays."""
    with ledger.begin() as transaction:
        transaction.tokens.add(TOKEN)
        with pytest.raises(Conflict):
            transaction.tokens.add(replace(TOKEN, name="another"))

        assert transaction.tokens.get(TOKEN.id) == TOKEN


def test_revoked_once(ledger: SqlLedger) -> None:
    """The first revocation is the one that is recorded, and a revoked token is no active one."""
    with ledger.begin() as transaction:
        transaction.tokens.add(TOKEN)
        transaction.tokens.revoke(TOKEN.id, NOW)
        transaction.tokens.revoke(TOKEN.id, NOW + timedelta(days=1))

        assert transaction.tokens.get(TOKEN.id) == replace(TOKEN, revoked_at=NOW)
        assert not transaction.tokens.any_active()


def test_last_use_is_coarse(ledger: SqlLedger) -> None:
    """Last use moves on once an hour at most."""
    seen = []
    with ledger.begin() as transaction:
        transaction.tokens.add(TOKEN)
        for after in (timedelta(0), timedelta(minutes=59), USED_EVERY):
            transaction.tokens.mark_used(TOKEN.id, NOW + after)
            seen.append(getattr(transaction.tokens.get(TOKEN.id), "last_used_at", None))

    assert seen == [NOW, NOW, NOW + USED_EVERY]
