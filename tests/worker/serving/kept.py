"""A store of values in memory that can be away, and what is told of serving, for tests of the prediction log."""

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from worker.errors import Rejected, TryLater
from worker.features.port import Definition, Write


@dataclass
class Kept:
    """Keeps definitions and values; refuses the values of `refused` entities, and everything while `away`.

    A write waits at `gate` while that is closed.
    """

    away: bool = False
    refused: tuple[str, ...] = ()
    defined: dict[str, Definition] = field(default_factory=dict)
    values: list[Write] = field(default_factory=list)
    calls: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Stand open."""
        self.gate.set()

    def definitions(self) -> Sequence[Definition]:
        """Return what is defined."""
        if self.away:
            raise TryLater("the store is away")
        return list(self.defined.values())

    def define(self, definition: Definition) -> Definition:
        """Keep a definition."""
        return self.defined.setdefault(definition.name, definition)

    def write(self, values: Iterable[Write]) -> int:
        """Keep values, all or none."""
        self.reached.set()
        self.gate.wait(60)
        self.calls += 1
        if self.away:
            raise TryLater("the store is away")
        given = list(values)
        if any(one.entity_id in self.refused for one in given):
            raise Rejected("an entity that nobody wants")
        self.values += given
        return len(given)

    @property
    def entities(self) -> list[str]:
        """Whose predictions are here, in order."""
        return [one.entity_id for one in self.values if one.feature.endswith("_served")]


@dataclass
class Heard:
    """Counts what serving tells."""

    counts: Counter[tuple[Any, ...]] = field(default_factory=Counter)

    def logged(self, bee: str, count: int) -> None:
        """Count."""
        self.counts["logged", bee] += count

    def unlogged(self, bee: str, reason: str, count: int) -> None:
        """Count."""
        self.counts["unlogged", bee, reason] += count

    def shadowed(self, bee: str, version: str, count: int, *, failed: bool) -> None:
        """Count."""
        self.counts["failed" if failed else "shadowed", bee, version] += count

    def stood_in(self, bee: str, version: str, reason: str) -> None:
        """Count."""
        self.counts["stood in", bee, version, reason] += 1

    def failed(self, loop: str) -> None:
        """Count."""
        self.counts["loop", loop] += 1
