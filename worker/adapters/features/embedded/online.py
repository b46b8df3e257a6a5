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
_ONE = "SELECT epoch, (SELECT online FROM entity WHERE entity = ? AND id = ?) FROM state"
_MANY = (
    "SELECT s.epoch, e.id, e.online FROM state AS s"
    " LEFT JOIN entity AS e ON e.entity = ? AND e.id IN (SELECT value FROM json_each(?))"
)

Answer = dict[str, dict[str, Reading]]


class Moved(Exception):
    """The definitions changed since the plan was made."""


def read_one(connection: sqlite3.Connection, epoch: int, group: Group, entity_id: str, now: datetime) -> Answer:
    """Return the newest value of each feature of a group for one id. Raises Moved."""
    seen, blob = connection.execute(_ONE, (group.entity, entity_id)).fetchone()
    if seen != epoch:
        raise Moved
    return {entity_id: group.nothing() if blob is None else group.answer(readings(blob), now)}


def read_many(connection: sqlite3.Connection, epoch: int, group: Group, ids: Sequence[str], now: datetime) -> Answer:
    """Return the newest value of each feature of a group for each id, in the order asked. Raises Moved."""
    rows = connection.execute(_MANY, (group.entity, json.dumps(ids))).fetchall()
    if rows[0][0] != epoch:
        raise Moved
    answer: dict[str, Any] = dict.fromkeys(ids)
    decode, group_answer = readings, group.answer
    for _, entity_id, blob in rows:
        if blob is not None:  # the one row that tells the epoch when there is none of these entities
            answer[entity_id] = group_answer(decode(blob), now)
    if len(rows) < len(answer) or rows[0][1] is None:
        for entity_id, found in answer.items():
            if found is None:
                answer[entity_id] = group.nothing()
    return answer


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
