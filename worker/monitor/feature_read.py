"""What is kept of one feature's rows while the others are read, and who was seen by any of them."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from worker.features.port import Definition
from worker.monitor.column import Side, summed_up
from worker.monitor.features import Observed
from worker.monitor.profile import Profile
from worker.monitor.rows import Rows


@dataclass(frozen=True)
class Read:
    """One feature's rows of the window, and of the period before where they had to be read."""

    definition: Definition
    window: Rows
    previous: Rows | None

    def summed(self, earlier: Side | None, profile: Profile | None) -> "Sums":
        """Return what is kept of them: of the period before its profile's counts, where there is one."""
        name, type_ = self.definition.name, self.definition.type
        window = Side(summed_up(self.window.column(name, type_)), self.window.distinct, 0, self.window.last)
        if earlier is None and self.previous is not None:
            values = summed_up(self.previous.column(name, type_))
            earlier = Side(values, self.previous.distinct, 0, self.previous.last)
            if profile is not None:
                earlier = replace(earlier, entities=profile.entities, seen=profile.seen, newest=profile.newest)
        return Sums(window, earlier)


@dataclass(frozen=True)
class Sums:
    """What is kept of one feature while the others are read; who was seen is known when all were."""

    window: Side
    earlier: Side | None

    def observed(
        self, item: Definition, crowds: "tuple[Crowd, Crowd]", newest: datetime | None, end: datetime
    ) -> Observed:
        """Return it with who was seen; `newest` is the store's newest event, which counts if it was before `end`."""
        window, earlier = replace(self.window, seen=crowds[0].count), self.earlier
        if earlier is not None and not earlier.seen:
            earlier = replace(earlier, seen=crowds[1].count)
        found = window.newest or (earlier.newest if earlier else None)
        if found is None and newest is not None and newest < end:
            found = newest
        return Observed(item, replace(window, newest=found), earlier, found)


class Crowd:
    """Who was seen by any feature of an entity, each once, however many features tell."""

    def __init__(self) -> None:
        self._ids: Any = None

    def take(self, rows: Rows | None) -> None:
        """Add who has rows."""
        import pyarrow as pa
        from pyarrow import compute as pc

        if rows is not None and len(rows):
            ids = pc.unique(rows.spine.ids)
            self._ids = ids if self._ids is None else pc.unique(pa.concat_arrays([self._ids, ids]))

    @property
    def count(self) -> int:
        """How many there are."""
        return 0 if self._ids is None else len(self._ids)
