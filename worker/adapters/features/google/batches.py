"""One call's values as wide rows: several features of one entity at one time in a row, in steps that build on another.

Values with a known-at of their own are new unless the very same is stored; those without are compared with what stands
when they are stored. So two values of one feature and event time that have none go in one step after the other, and all
else in the first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from worker.adapters.features.google.checking import Checked
from worker.adapters.features.google.columns import encode, state
from worker.features.port import Value


@dataclass
class Step:
    """Wide rows of one entity that are stored by one statement.

    Attributes:
        stamped: whether their known-at is the time of storing.
        features: the names that they tell of, in order.
        rows: (id, event, known) and feature -> value, in the order of writing.
    """

    entity: str
    stamped: bool
    features: dict[str, int] = field(default_factory=dict)
    rows: list[tuple[str, int, int, dict[str, Value]]] = field(default_factory=list)

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last event time."""
        events = [event for _, event, _, _ in self.rows]
        return min(events), max(events)

    def columns(self, first_place: int) -> dict[str, list[Any]]:
        """Return the rows as columns, numbered from `first_place`."""
        columns: dict[str, list[Any]] = {
            "place": list(range(first_place, first_place + len(self.rows))),
            "entity_id": [row[0] for row in self.rows],
            "event_us": [row[1] for row in self.rows],
            "known_us": [row[2] for row in self.rows],
        }
        for name, number in self.features.items():
            told = [(name in row[3], row[3].get(name)) for row in self.rows]
            columns[f"value_{number}"] = [encode(value) for _, value in told]
            columns[f"is_{number}"] = [state(value) if there else None for there, value in told]
        return columns


class Steps:
    """Sorts values into steps."""

    def __init__(self, now_us: int) -> None:
        """Begin with nothing; `now_us` is when values without a known-at become known."""
        self._now_us = now_us
        self._steps: dict[tuple[int, str, bool], Step] = {}
        self._last: dict[tuple[str, str, int], tuple[int, bool, Value]] = {}
        self._told: set[tuple[str, str, int, int, Any]] = set()
        self._rows: dict[tuple[int, str, bool, str, int, int], list[dict[str, Value]]] = {}

    def add(self, values: Iterable[Checked]) -> list[Step]:
        """Take values in the order of writing, and return the steps in theirs."""
        for value in values:
            self._take(value)
        return [self._steps[key] for key in sorted(self._steps)]

    def _take(self, value: Checked) -> None:
        stamped = value.known_us is None
        name = value.definition.name
        moment = (name, value.id, value.event_us)
        level, was_stamped, held = self._last.get(moment, (0, stamped, _NOTHING))
        if held is not _NOTHING:
            if stamped and was_stamped and held == value.value:
                return
            level += stamped or was_stamped
        if value.known_us is not None:
            very = (*moment, value.known_us, encode(value.value))
            if very in self._told:
                return
            self._told.add(very)
        self._last[moment] = (level, stamped, value.value)
        self._place(level, value, stamped=stamped)

    def _place(self, level: int, value: Checked, *, stamped: bool) -> None:
        """Put a value into the first row of its entity and times that does not tell of its feature yet."""
        name, entity = value.definition.name, value.definition.entity
        known_us = self._now_us if value.known_us is None else value.known_us
        step = self._steps.setdefault((level, entity, stamped), Step(entity, stamped))
        step.features.setdefault(name, len(step.features))
        rows = self._rows.setdefault((level, entity, stamped, value.id, value.event_us, known_us), [])
        row = next((row for row in rows if name not in row), None)
        if row is None:
            row = {}
            rows.append(row)
            step.rows.append((value.id, value.event_us, known_us, row))
        row[name] = value.value


_NOTHING: Any = object()


def count(steps: Sequence[Step]) -> int:
    """Return how many rows there are."""
    return sum(len(step.rows) for step in steps)
