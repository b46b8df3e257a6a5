"""What keeps segments few and the log short: one process at a time, in small steps, killed anywhere without loss."""

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from worker.adapters.features.embedded import removal
from worker.adapters.features.embedded.database import Database, faults
from worker.adapters.features.embedded.segments import identity, merge, tables, traces
from worker.adapters.features.embedded.segments.archive import Archive
from worker.adapters.features.embedded.segments.flush import flush
from worker.adapters.features.embedded.segments.writing import new_name
from worker.errors import ColonyError

log = structlog.get_logger()

#: Each time the store's write sequence passes a multiple of this, whoever wrote it tidies up.
EVERY_VALUES = 1 << 16
#: What a feature must have in the log to be worth a file.
LEAST_ROWS = 1 << 12
#: New entities that are worth a file of ids.
LEAST_IDS = 1 << 13
_BATCH_IDS = 1 << 20


class Upkeep:
    """Flushes and merges the segments of one store; safe to share between threads and with other processes."""

    def __init__(self, database: Database, archive: Archive) -> None:
        """Do nothing yet."""
        self._database = database
        self._archive = archive
        self._thread: threading.Thread | None = None

    @contextmanager
    def alone(self, *, wait: bool = True) -> Iterator[bool]:
        """Hold the lock that everyone holds who makes or removes files; without `wait`, tell whether it was free.

        The lock goes with the process, so that a kill leaves none behind.
        """
        with faults(self._database.path), self._lock_path().open("a") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True

    def _lock_path(self) -> Path:
        return self._database.path.with_suffix(".upkeep.lock")

    def after(self, before: int, sequence: int) -> None:
        """Tidy up in the background if a write has taken the sequence past the next mark."""
        if before // EVERY_VALUES == sequence // EVERY_VALUES or (self._thread and self._thread.is_alive()):
            return
        self._thread = threading.Thread(target=self._tidy_quietly, name="features-upkeep")
        self._thread.start()

    def _tidy_quietly(self) -> None:
        try:
            self.tidy()
        except ColonyError as error:
            log.warning("the feature store was not tidied up", reason=str(error))

    def finish(self) -> None:
        """Wait for what is being done in the background."""
        if self._thread is not None:
            self._thread.join()

    def tidy(self) -> None:
        """Move what is worth a file out of the log, and merge what has become many; nothing if another does so."""
        with self.alone(wait=False) as free:
            if free:
                self.clean()
                flush(self._database, self._archive, LEAST_ROWS)
                self.settle()

    def settle(self) -> None:
        """Merge what has become many, and give new ids a file when they are worth one. The lock is held."""
        self.index(LEAST_IDS)
        self.merge(all_of_them=False)

    def compact(self) -> None:
        """Move everything out of the log, and make one segment of each feature's, once nobody else is at it."""
        with self.alone():
            removal.clear(self._database)
            self.clean()
            flush(self._database, self._archive, 1)
            self.index(1)
            self.merge(all_of_them=True)
            traces.wipe(self._database)

    def clean(self) -> int:
        """Remove files that belong to nothing, as a kill leaves them; return how many. The lock is held."""
        if not self._archive.directory.is_dir():
            return 0
        with self._database.writing() as connection:
            connection.execute("DELETE FROM segment WHERE feature NOT IN (SELECT code FROM feature)")
            connection.execute("UPDATE retired SET compacted = 1")
            listed = tables.names(connection)
        strays = [path.name for path in self._archive.directory.iterdir() if path.name not in listed]
        self._archive.unlink(strays)
        return len(strays)

    def merge(self, *, all_of_them: bool) -> None:
        """Merge feature by feature until nothing is due. The lock is held."""
        with self._database.reading() as connection:
            features = sorted({segment.feature for segment in tables.segments(connection)})
        for feature in features:
            while True:
                with self._database.reading() as connection:
                    inputs = merge.due(tables.segments(connection, feature), all_of_them=all_of_them)
                if not inputs:
                    break
                merge.merge(self._database, self._archive, inputs)

    def index(self, least: int) -> None:
        """Write files of the ids that are newer than the last, and merge those files. The lock is held."""
        while self._index_some(least):
            pass
        with self._database.reading() as connection:
            rows = connection.execute("SELECT entity, name, rows FROM identity ORDER BY number").fetchall()
        kinds: dict[str, list[tuple[str, int]]] = {}
        for entity, name, count in rows:
            kinds.setdefault(entity, []).append((name, count))
        for entity, files in kinds.items():
            if len(files) >= merge.FAN or (least == 1 and len(files) > 1):
                self._join_ids(entity, [name for name, _ in files])

    def _index_some(self, least: int) -> bool:
        import pyarrow as pa

        with self._database.reading() as connection:
            query = "SELECT code, entity, id FROM entity, upkeep WHERE code > indexed ORDER BY code LIMIT ?"
            rows = connection.execute(query, (_BATCH_IDS,)).fetchall()
        if len(rows) < least:
            return False
        kinds: dict[str, tuple[list[int], list[str]]] = {}
        for code, entity, entity_id in rows:
            codes, ids = kinds.setdefault(entity, ([], []))
            codes.append(code)
            ids.append(entity_id)
        files = [
            (self.write_ids(pa.array(ids, pa.large_string()), codes), entity, len(ids))
            for entity, (codes, ids) in kinds.items()
        ]
        with self._database.writing() as connection:
            connection.executemany("INSERT INTO identity (name, entity, rows) VALUES (?, ?, ?)", files)
            connection.execute("UPDATE upkeep SET indexed = ?", (rows[-1][0],))
        return len(rows) == _BATCH_IDS

    def write_ids(self, ids: object, codes: object) -> str:
        """Write a file of ids (an Arrow array) and their codes, and return its name; it is not listed yet."""
        import numpy as np

        self._archive.directory.mkdir(exist_ok=True)
        name = new_name(0).replace(".seg", ".ids")
        identity.write(self._archive.path(name), ids, np.asarray(codes, dtype=np.int64))
        return name

    def _join_ids(self, entity: str, names: list[str]) -> None:
        import numpy as np
        import pyarrow as pa

        parts = [identity.read(self._archive.file(name)) for name in names]
        codes = np.concatenate([held for _, held in parts])
        joined = self.write_ids(pa.concat_arrays([ids for ids, _ in parts]), codes)
        with self._database.writing() as connection:
            connection.executemany("DELETE FROM identity WHERE name = ?", [(name,) for name in names])
            row = (joined, entity, len(codes))
            connection.execute("INSERT INTO identity (name, entity, rows) VALUES (?, ?, ?)", row)
        self._archive.unlink(names)
