"""`bee_state.memory`: what deciding remembers of each bee; the row `*` is the colony's."""

from functools import cache
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from worker.adapters.ledger.database import Database, insert_into
from worker.adapters.ledger.locks import COLONY, lock_bees
from worker.adapters.ledger.tables import bee_state
from worker.decide.memory import BeeMemory, ColonyMemory

_GET = sa.select(bee_state.c.memory).where(bee_state.c.bee == sa.bindparam("of_bee"))
_BEE, _COLONY = msgspec.json.Decoder(BeeMemory), msgspec.json.Decoder(ColonyMemory)
Memory = TypeVar("Memory", BeeMemory, ColonyMemory)


class SqlMemories:
    """Memories inside one transaction."""

    def __init__(self, database: Database, connection: sa.Connection) -> None:
        """Use the transaction of `connection`."""
        self._database = database
        self._connection = connection

    def of(self, bee: str) -> BeeMemory:
        """Return what is remembered of a bee; a new memory if there is none."""
        return memory_of(self._text(bee))

    def save(self, bee: str, memory: BeeMemory) -> None:
        """Replace what is remembered of a bee."""
        self._put(bee, msgspec.json.encode(memory).decode())

    def colony(self, *, lock: bool = False) -> ColonyMemory:
        """Return what is remembered of all bees together; locked until the transaction ends if asked for."""
        if lock:
            lock_bees(self._database, self._connection, [COLONY])
        return _decoded(self._text(COLONY), _COLONY, ColonyMemory())

    def save_colony(self, memory: ColonyMemory) -> None:
        """Replace what is remembered of the colony; its lock must be held."""
        self._put(COLONY, msgspec.json.encode(memory).decode())

    def all(self) -> dict[str, BeeMemory]:
        """Return every bee's memory, by name."""
        rows = self._connection.execute(sa.select(bee_state).where(bee_state.c.memory.is_not(None)))
        return {row.bee: memory_of(row.memory) for row in rows if row.bee != COLONY}

    def _text(self, bee: str) -> str | None:
        return self._connection.execute(_GET, {"of_bee": bee}).scalar()

    def _put(self, bee: str, text: str) -> None:
        self._connection.execute(memory_upsert(sqlite=self._database.sqlite), {"bee": bee, "memory": text})


def memory_of(text: str | None) -> BeeMemory:
    """Return what is remembered of a bee, from its row; a new memory if there is none."""
    try:
        return _decoded(text, _BEE, BeeMemory())
    except msgspec.ValidationError:
        return _older(text or "")


def _older(text: str) -> BeeMemory:
    """Return a memory that was written when each window was an object of its own."""
    found = msgspec.json.decode(text)
    windows = found["windows"]
    bits = {name: sum(bool(one[name]) << at for at, one in enumerate(reversed(windows))) for name in ("bad", "spent")}
    found["windows"] = {"keys": [one["key"] for one in windows], **bits}
    return msgspec.convert(found, BeeMemory)


def _decoded(text: str | None, decoder: msgspec.json.Decoder[Memory], empty: Memory) -> Memory:
    return empty if text is None else decoder.decode(text)


@cache
def memory_upsert(*, sqlite: bool) -> Any:
    """Return the statement that replaces memories."""
    insert = insert_into(bee_state, sqlite=sqlite)
    return insert.on_conflict_do_update(index_elements=["bee"], set_={"memory": insert.excluded.memory})
