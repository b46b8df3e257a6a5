"""The API's parts for each test."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from handlers.commands.manage_tokens import create_token
from tests.handlers.http.api import Parts, parts
from tests.worker.world import NOW

MakeToken = Callable[..., str]


@pytest.fixture(name="colony")
def _colony(tmp_path: Path) -> Iterator[Parts]:
    """Give the parts of an API on a ledger of its own."""
    with parts(tmp_path) as made:
        yield made


@pytest.fixture(name="new_token")
def _new_token(colony: Parts) -> MakeToken:
    """Give what makes a token with the given scopes."""
    return lambda *scopes: create_token("a test", scopes, colony.ledger, NOW, random=os.urandom(38))[1]
