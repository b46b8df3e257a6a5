"""Finding definitions."""

import pytest

from worker.features.port import Definition
from worker.features.search import Search

KARMA = Definition(
    "karma", "user", "number", description="Standing of a user", unit="Points", owner="Ann", tags=("hot",)
)
NICK = Definition("nick", "user", "string", group="identity", description="Straße")
LABEL = Definition("label", "content", "number")
ALL = [KARMA, LABEL, NICK]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (Search(), ALL),
        (Search("KAR"), [KARMA]),
        (Search("points"), [KARMA]),
        (Search("ann"), [KARMA]),
        (Search("hot"), [KARMA]),
        (Search("identity"), [NICK]),
        (Search("STRASSE"), [NICK]),
        (Search("user standing"), [KARMA]),
        (Search("user nowhere"), []),
        (Search("  "), ALL),
        (Search(tag="hot"), [KARMA]),
        (Search(tag="ho"), []),
        (Search(fields={"entity": "user", "type": None}), [KARMA, NICK]),
        (Search(fields={"entity": "user", "type": "string"}), [NICK]),
        (Search("a", fields={"owner": "Ann"}), [KARMA]),
        (Search(fields={"owner": "ann"}), []),
    ],
)
def test_every_word_must_occur_and_every_field_must_be_so(search: Search, found: list[Definition]) -> None:
    """Words are looked for in all that is said of a feature, whatever their case; tags and fields are exact."""
    assert search.among(ALL) == found
