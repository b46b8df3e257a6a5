"""All maintenance of one embedded store, behind its lock where files change."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from worker.adapters.features.embedded import catalogue
from worker.adapters.features.embedded.care import backup, export, stats, verify
from worker.adapters.features.embedded.care.forget import Forgetter
from worker.adapters.features.embedded.care.retain import Retention
from worker.adapters.features.embedded.database import Database
from worker.adapters.features.embedded.history import StoredHistory
from worker.adapters.features.embedded.known import Known
from worker.adapters.features.embedded.offline import Offline
from worker.adapters.features.embedded.segments.archive import Archive
from worker.adapters.features.embedded.segments.upkeep import Upkeep
from worker.clock import Clock, to_us
from worker.errors import Rejected
from worker.features.exporting import FORMATS
from worker.features.maintenance import Exported, FeatureStats, Forgotten, Loss, Retained
from worker.serving.served import is_log

_EVERYTHING = 2**62


class Caretaker:
    """Implements worker.features.maintenance.Maintained."""

    def __init__(
        self, database: Database, known: Known, archive: Archive, upkeep: Upkeep, offline: Offline, clock: Clock
    ) -> None:
        """Do nothing yet."""
        self._database = database
        self._known = known
        self._archive = archive
        self._clock = clock
        self._upkeep = upkeep
        self._offline = offline
        self._forgetter = Forgetter(database, archive, upkeep, offline)
        self._retention = Retention(database, archive, upkeep, offline, clock)

    def compact(self) -> Retained:
        """Move all values into as few files as possible; values beyond the retention go."""
        retained = self._retention.apply()
        self._upkeep.compact()
        return retained

    def expire(self) -> Retained:
        """Let go the values of prediction logs that are older than their features' ttl."""
        seen, now = self._known.refreshed(), self._clock()
        logs = [one for one in seen.definitions.values() if is_log(one)]
        since = {seen.codes[one.name]: to_us(now - one.ttl) for one in logs if one.ttl is not None}
        if not since:
            return Retained(0, 0)
        return self._retention.expire(since, frozenset(one.name for one in logs))

    def stats(self) -> Sequence[FeatureStats]:
        """Return the figures of each ingested feature, by name."""
        return self._offline.viewing(lambda connection: stats.stats(connection, self._archive))

    def losses(self) -> Sequence[Loss]:
        """Read everything, and return what is damaged or missing; files stay where they are meanwhile."""
        with self._upkeep.alone(), self._database.reading() as connection:
            return list(verify.losses(connection, self._archive))

    def forget(self, entity: str, entity_id: str) -> Forgotten:
        """Let all values of an entity go, and all traces of them. Raises NotFound or TryLater."""
        return self._forgetter.forget(entity, entity_id)

    def retain(self, age: timedelta | None) -> None:
        """Set from which age on compaction lets values go; None for never."""
        self._retention.set(age)

    def retention(self) -> timedelta | None:
        """Return the age from which on compaction lets values go; None for never."""
        return self._retention.get()

    def backup(self, target: Path) -> int:
        """Copy the store into a new directory and return the bytes. Raises Conflict if something is there."""
        return backup.backup(self._database, self._archive, self._upkeep, target)

    def export(
        self, names: Sequence[str], directory: Path, kind: str, progress: Callable[[int], None]
    ) -> Sequence[Exported]:
        """Write features (none named: all that are ingested) into files of a kind, each at one moment."""
        if kind not in FORMATS:
            raise Rejected(f"{kind!r} is not a format", field="format", mend=f"use one of: {', '.join(FORMATS)}")
        seen = self._known.refreshed()
        wanted = [seen.get(name) for name in dict.fromkeys(names)] or list(seen.definitions.values())
        computed = [one.name for one in wanted if one.source != "ingested"]
        if computed and names:
            raise Rejected(f"{', '.join(computed)} is computed and keeps no values", field="features")
        directory.mkdir(parents=True, exist_ok=True)
        return [
            self._export(one.name, directory / f"{one.name}.{kind}", progress)
            for one in wanted
            if one.source == "ingested"
        ]

    def _export(self, name: str, path: Path, progress: Callable[[int], None]) -> Exported:
        def write(connection: sqlite3.Connection) -> Exported:
            seen = catalogue.current(connection, self._known.seen)
            history = StoredHistory(connection, self._archive, seen.codes, _EVERYTHING)
            return export.export(connection, history, seen.get(name), path, progress)

        return self._offline.viewing(write)
