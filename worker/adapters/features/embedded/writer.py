"""Durable writes: checked in the caller's thread, stored together with those who wait at the same time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from worker.adapters.features.embedded import catalogue, writes
from worker.adapters.features.embedded.catalogue import Catalogue
from worker.adapters.features.embedded.checking import Checked, check_all
from worker.adapters.features.embedded.database import Database
from worker.adapters.features.embedded.group import Group, Ticket
from worker.adapters.features.embedded.known import Known
from worker.adapters.features.embedded.segments.archive import Archive
from worker.adapters.features.embedded.segments.shelf import Shelf
from worker.adapters.features.embedded.segments.upkeep import Upkeep
from worker.clock import Clock, to_us
from worker.errors import Rejected
from worker.features.port import Write

#: Values of waiting calls that share one transaction.
_GROUP_VALUES = 20_000


@dataclass(frozen=True, slots=True)
class _Call:
    """One caller's write, checked against the definitions that held when it came."""

    given: Sequence[Write]
    checked: list[Checked]
    seen: Catalogue

    def standing(self, newest: Catalogue, now_us: int) -> list[Checked]:
        """Return the checked values as the newest definitions have them. Raises Rejected."""
        return self.checked if newest is self.seen else check_all(self.given, newest, now_us)


class Writer:
    """Writes values; safe to share between threads, which share transactions.

    Attributes:
        archive: where the values are that have left the log.
    """

    def __init__(self, database: Database, known: Known, clock: Clock, archive: Archive, upkeep: Upkeep) -> None:
        """Write nothing yet."""
        self._database = database
        self._known = known
        self._clock = clock
        self.archive = archive
        self._upkeep = upkeep
        self._group: Group[_Call, int] = Group(self._store, size=lambda call: len(call.checked), limit=_GROUP_VALUES)

    def write(self, values: Iterable[Write]) -> int:
        """Store values durably, all or none, and return how many were new. Raises Rejected."""
        given = list(values)
        if not given:
            return 0
        return self._group.call(self._checked(given))

    def _checked(self, given: Sequence[Write]) -> _Call:
        now_us, seen = to_us(self._clock()), self._known.seen
        try:
            return _Call(given, check_all(given, seen, now_us), seen)
        except Rejected:
            # Another process may have defined what is unknown here.
            newest = self._known.refreshed()
            if newest is seen:
                raise
        return _Call(given, check_all(given, newest, now_us), newest)

    def _store(self, tickets: Sequence[Ticket[_Call, int]]) -> None:
        """Store the calls that wait together; one that is refused leaves the others alone."""
        accepted: list[tuple[Ticket[_Call, int], list[Checked]]] = []
        with self._database.writing() as connection:
            now_us = to_us(self._clock())
            newest = self._known.seen = catalogue.current(connection, self._known.seen)
            for ticket in tickets:
                try:
                    accepted.append((ticket, ticket.call.standing(newest, now_us)))
                except Rejected as error:
                    ticket.error = error
            shelf = Shelf(connection, self.archive)
            counts = writes.store(connection, [checked for _, checked in accepted], now_us, shelf)
            (sequence,) = connection.execute("SELECT sequence FROM state").fetchone()
        # Only now: before the commit nothing is durable.
        for (ticket, _), count in zip(accepted, counts, strict=True):
            ticket.answer = count
        self._upkeep.after(sequence - sum(counts), sequence)
