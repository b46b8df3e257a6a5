"""Who is told what happens in a simulation."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from worker.decide.course import Effect
from worker.incidents.machine import Incident


class Watcher(Protocol):
    """Takes note; changes nothing."""

    def began(self, bee: str, run: str, cost: Decimal, now: datetime) -> None:
        """A run has begun."""
        ...

    def changed(
        self, bee: str, before: Incident | None, after: Incident, effects: Sequence[Effect], now: datetime
    ) -> None:
        """An incident has changed."""
        ...
