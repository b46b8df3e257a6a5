"""One feature's rows of the window and of the period before, and who was seen by any feature."""

from dataclasses import dataclass, replace
from typing import Any

from worker.features.port import Definition
from worker.monitor.column import Side, summed_up
from worker.monitor.profile import Profile
from worker.monitor.rows import Rows


@dataclass(frozen=True)
class Read:
    """One feature's rows of the window, and of the period before where they had to be read."""

    definition: Definition
    window: Rows
    previous: Rows | None

    def sides(self, earlier: Side | None, profile: Profile | None) -> tuple[Side, Side | None]:
        """Return the window and the period before, whose counts are its profile's where there is one."""
        name, type_ = self.definition.name, self.definition.type
        window = Side(summed_up(self.window.column(name, type_)), self.window.distinct, 0, self.window.last)
        if earlier is None and self.previous is not None:
            values = summed_up(self.previous.column(name, type_))
            earlier = Side(values, self.previous.distinct, 0, self.previous.last)
            if profile is not None:
                earlier = replace(earlier, entities=profile.entities, seen=profile.seen, newest=profile.newest)
        return window, earlier


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
