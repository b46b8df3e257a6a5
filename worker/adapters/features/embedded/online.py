"""The online read of the embedded store: one statement per entity kind, into the packed rows."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from worker.adapters.features.embedded.encoding import readings
from worker.adapters.features.embedded.plan import MISSING, Group, Plan
from worker.features.port import Reading

#: Each answers with the definitions' epoch as well: values and definitions are of one state, without a transaction.
_BY_ID = (
    "SELECT s.epoch, e.id, e.online, e.code FROM state AS s"
    " LEFT JOIN entity AS e ON e.entity = ? AND e.id IN (SELECT value FROM json_each(?))"
)
_BY_CODE = (
    "SELECT s.epoch, e.id, e.online, e.code FROM state AS s"
    " LEFT JOIN entity AS e ON e.code IN (SELECT value FROM json_each(?))"
)
_ONE_BY_ID = "SELECT s.epoch, e.online, e.code FROM state AS s LEFT JOIN entity AS e ON e.entity = ? AND e.id = ?"
_ONE_BY_CODE = "SELECT s.epoch, e.online FROM state AS s LEFT JOIN entity AS e ON e.code = ?"
#: Codes that are remembered of one kind of entity: some ten megabytes.
_MOST_CODES = 1 << 16

Answer = dict[str, dict[str, Reading]]
#: id -> code. A code is never given to another entity, so what is remembered can only be of one that is gone.
Codes = dict[str, int]


class Moved(Exception):
    """The definitions changed since the plan was made."""


def read_one(
    connection: sqlite3.Connection, epoch: int, group: Group, entity_id: str, now: datetime, codes: Codes
) -> Answer:
    """Return the newest value of each feature of a group for one id. Raises Moved."""
    code = codes.get(entity_id)
    blob = None
    if code is not None:
        # By code it is one search of the file instead of two.
        seen, blob = connection.execute(_ONE_BY_CODE, (code,)).fetchone()
    if blob is None:
        seen, blob, code = connection.execute(_ONE_BY_ID, (group.entity, entity_id)).fetchone()
        if code is not None:
            _remember(codes, entity_id, code)
    if seen != epoch:
        raise Moved
    return {entity_id: group.nothing() if blob is None else group.answer(readings(blob), now)}


def read_many(
    connection: sqlite3.Connection,
    epoch: int,
    group: Group,
    ids: Sequence[str],
    now: datetime,
    codes: Codes | None = None,
) -> Answer:
    """Return the newest value of each feature of a group for each id, in the order asked. Raises Moved."""
    rows = _rows(connection, group.entity, list(dict.fromkeys(ids)), {} if codes is None else codes)
    if rows[0][0] != epoch:
        raise Moved
    found = group.answers(rows, now)
    return {entity_id: found[entity_id] if entity_id in found else group.nothing() for entity_id in ids}


def _rows(connection: sqlite3.Connection, entity: str, ids: Sequence[str], codes: Codes) -> list[Any]:
    """Return (epoch, id, packed row, code) of each entity that there is; one row with the epoch alone if none is."""
    known = [codes.get(entity_id) for entity_id in ids]
    if None not in known:
        rows = connection.execute(_BY_CODE, (json.dumps(sorted(known)),)).fetchall()
        if len(rows) == len(known) and rows[0][1] is not None:
            return rows
    rows = connection.execute(_BY_ID, (entity, json.dumps(ids))).fetchall()
    for _, entity_id, _, code in rows:
        if code is not None:
            _remember(codes, entity_id, code)
    return rows


def _remember(codes: Codes, entity_id: str, code: int) -> None:
    if len(codes) >= _MOST_CODES:
        codes.clear()
    codes[entity_id] = code


def read_all(connection: sqlite3.Connection, epoch: int, plan: Plan, ids: Sequence[str], now: datetime) -> Answer:
    """Return the newest value of each planned feature, of whatever entity, in one transaction. Raises Moved."""
    answer: Answer = {entity_id: dict.fromkeys(plan.names, MISSING) for entity_id in ids}
    connection.execute("BEGIN")
    try:
        for part in plan.groups:
            for entity_id, found in read_many(connection, epoch, part, ids, now).items():
                answer[entity_id] |= found
    finally:
        connection.execute("ROLLBACK")
    return answer
