"""Read for many bees and many events at once what deciding about them needs: a handful of queries per batch."""

import json
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from worker.adapters.ledger.database import Database
from worker.adapters.ledger.tables import OPEN

Pair = tuple[str, str]

#: The wanted keys come first and each finds its rows by an index: SQLite keeps the order of a CROSS JOIN.
_ONE = {
    True: "json_each(:keys) AS k",
    False: "unnest(CAST(:keys AS text[])) AS k(value)",
}
_TWO = {
    True: "(SELECT json_extract(value, '$[0]') AS a, json_extract(value, '$[1]') AS b FROM json_each(:keys)) AS k",
    False: "unnest(CAST(:a AS text[]), CAST(:b AS text[])) AS k(a, b)",
}
_OF_BEES = {
    "states": "SELECT t.bee, t.memory, t.sequence FROM {keys} CROSS JOIN bee_state AS t WHERE t.bee = k.value",
    "incidents": "SELECT t.* FROM {keys} CROSS JOIN incidents AS t WHERE t.bee = k.value AND t.{open}",
    "runs": "SELECT t.* FROM {keys} CROSS JOIN runs AS t WHERE t.bee = k.value AND t.loop AND NOT t.settled",
    "champions": (
        "SELECT t.* FROM {keys} CROSS JOIN deployments AS t WHERE t.bee = k.value"
        " AND t.epoch = (SELECT max(d.epoch) FROM deployments AS d WHERE d.bee = k.value)"
    ),
}
_OF_PAIRS = {
    "inbox": (
        "SELECT t.source, t.event_id FROM {keys} CROSS JOIN inbox AS t WHERE t.source = k.a AND t.event_id = k.b"
    ),
    "decided": (
        "SELECT t.source, t.event_id FROM {keys} CROSS JOIN decisions AS t WHERE t.source = k.a AND t.event_id = k.b"
    ),
    "decisions": "SELECT t.* FROM {keys} CROSS JOIN decisions AS t WHERE t.source = k.a AND t.event_id = k.b",
    "versions": "SELECT t.* FROM {keys} CROSS JOIN model_versions AS t WHERE t.bee = k.a AND t.version = k.b",
    "watermarks": "SELECT t.* FROM {keys} CROSS JOIN watermarks AS t WHERE t.bee = k.a AND t.version = k.b",
}


class Reader:
    """Reads rows by many keys at once, inside one transaction."""

    def __init__(self, database: Database, connection: sa.Connection) -> None:
        """Use the transaction of `connection`."""
        self._sqlite = database.sqlite
        self._connection = connection

    def of_bees(self, what: str, bees: Collection[str]) -> Sequence[sa.Row[Any]]:
        """Return the bees' rows: `states`, open `incidents`, `runs` in flight, or `champions`."""
        keys: Any = json.dumps(list(bees)) if self._sqlite else list(bees)
        return self._connection.execute(_bees(what, sqlite=self._sqlite), {"keys": keys}).all()

    def of_pairs(self, what: str, pairs: Collection[Pair]) -> Sequence[sa.Row[Any]]:
        """Return the rows of pairs, each by an index.

        `inbox`, `decided` and `decisions` are by (source, event id), `versions` and `watermarks` by (bee, version).
        """
        if not pairs:
            return ()
        keys = {"keys": json.dumps(list(pairs))} if self._sqlite else _columns(list(pairs))
        return self._connection.execute(_pairs(what, sqlite=self._sqlite), keys).all()


def _columns(pairs: Sequence[Pair]) -> dict[str, list[str]]:
    return {"a": [first for first, _ in pairs], "b": [second for _, second in pairs]}


@cache
def _bees(what: str, *, sqlite: bool) -> sa.TextClause:
    # The partial indexes are used only if their predicate is spelled as they have it.
    text = _OF_BEES[what].format(keys=_ONE[sqlite], open=OPEN)
    if sqlite:
        text = text.replace("t.loop AND NOT t.settled", "t.loop = 1 AND t.settled = 0")
    return sa.text(text)


@cache
def _pairs(what: str, *, sqlite: bool) -> sa.TextClause:
    return sa.text(_OF_PAIRS[what].format(keys=_TWO[sqlite]))
