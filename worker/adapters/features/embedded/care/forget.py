"""Forgets an entity: its values go from log, segments, online rows and kept reads, and leave no trace."""

import sqlite3

import numpy as np

from worker.adapters.features.embedded import history, snapshots
from worker.adapters.features.embedded.database import Database
from worker.adapters.features.embedded.offline import Offline
from worker.adapters.features.embedded.segments import identity, tables, traces
from worker.adapters.features.embedded.segments.archive import Archive
from worker.adapters.features.embedded.segments.merge import Keep, replace, rewritten
from worker.adapters.features.embedded.segments.tables import Segment
from worker.adapters.features.embedded.segments.upkeep import Upkeep
from worker.errors import NotFound
from worker.features.columns import id_array
from worker.features.maintenance import Forgotten

_REASON = "values of an entity in it were forgotten on demand"


class Forgetter:
    """Forgets entities of one store."""

    def __init__(self, database: Database, archive: Archive, upkeep: Upkeep, offline: Offline) -> None:
        """Forget nothing yet."""
        self._database = database
        self._archive = archive
        self._upkeep = upkeep
        self._offline = offline

    def forget(self, entity: str, entity_id: str) -> Forgotten:
        """Forget one entity; all or nothing of it, but the wiping of free pages, which the next compaction repeats.

        Raises:
            NotFound: the store has never seen it.
            TryLater: a file is damaged (nothing was changed), or a reader holds old pages.
        """
        with self._upkeep.alone():
            self._upkeep.clean()
            code = self._code(entity, entity_id)
            affected = self._affected(entity, entity_id, code)
            with self._database.reading() as connection:
                inputs = [one for one in tables.segments(connection) if one.min_entity <= code <= one.max_entity]
                ids = connection.execute("SELECT name FROM identity WHERE entity = ?", (entity,)).fetchall()
            inputs = [one for one in inputs if code in self._archive.file(one.name).column("entities")]
            outputs = [(one, rewritten(self._archive, [one], Keep(without=code))) for one in inputs]
            renamed = [(name, *self._ids_without(name, code)) for (name,) in ids]
            with self._database.writing() as connection:
                values = self._strike(connection, code, outputs, renamed)
                for name in affected:
                    snapshots.lose(connection, name, snapshots.find(connection, name), _REASON)
            self._archive.unlink([one.name for one in inputs] + [name for name, new, _ in renamed if new != name])
            traces.wipe(self._database)
        return Forgotten(values, tuple(affected))

    def _code(self, entity: str, entity_id: str) -> int:
        with self._database.reading() as connection:
            query = "SELECT code FROM entity WHERE entity = ? AND id = ?"
            row = connection.execute(query, (entity, entity_id)).fetchone()
        if row is None:
            raise NotFound(f"there is no {entity} {entity_id!r} in the feature store")
        return int(row[0])

    def _affected(self, entity: str, entity_id: str, code: int) -> list[str]:
        """Return the kept reads that hold the entity's id, or rest on its values."""

        def find(connection: sqlite3.Connection) -> list[str]:
            kept = snapshots.every(connection)
            return [name for name, one in kept if self._rests_on(connection, one, entity, entity_id, code)]

        return self._offline.viewing(find)

    def _rests_on(
        self, connection: sqlite3.Connection, kept: snapshots.Snapshot, entity: str, entity_id: str, code: int
    ) -> bool:
        from pyarrow import compute as pc

        request = kept.request
        if request.entity != entity and entity not in request.entities:
            return False
        if request.entity == entity and request.spine is not None:
            ids = getattr(request.spine, "ids", None)
            if ids is not None and pc.any(pc.equal(ids, entity_id)).as_py():
                return True
        if request.spine is not None and not request.entities:
            return False
        if kept.answer is not None:
            return True  # what it was read from is gone: that it does not rest on the entity cannot be shown
        watch = history.Watch(code)
        self._offline.answered(connection, kept, watch)
        return watch.touched

    def _ids_without(self, name: str, code: int) -> tuple[str, int]:
        """Write a file of ids without one, if it is there; return the name of the file and its rows."""
        ids, codes = identity.read(self._archive.file(name))
        stay = np.flatnonzero(codes != code)
        if len(stay) == len(codes):
            return name, len(codes)
        return self._upkeep.write_ids(id_array(ids.take(stay)), codes[stay]), len(stay)

    @staticmethod
    def _strike(
        connection: sqlite3.Connection,
        code: int,
        outputs: list[tuple[Segment, Segment | None]],
        renamed: list[tuple[str, str, int]],
    ) -> int:
        """Change everything that is listed, in one transaction; return how many values went."""
        values = 0
        for (feature,) in connection.execute("SELECT code FROM feature").fetchall():
            found = connection.execute("DELETE FROM entry WHERE feature = ? AND entity = ?", (feature, code))
            gone = found.rowcount + sum(
                old.rows - (new.rows if new else 0) for old, new in outputs if old.feature == feature
            )
            values += gone
            for old, new in outputs:
                if old.feature == feature:
                    replace(connection, [old], new)
            if gone:
                tables.count_off(connection, feature, gone)
        for old_name, new_name, rows in renamed:
            connection.execute("UPDATE identity SET name = ?, rows = ? WHERE name = ?", (new_name, rows, old_name))
        connection.execute("DELETE FROM entity WHERE code = ?", (code,))
        connection.execute("UPDATE upkeep SET traces = 1")
        return values
