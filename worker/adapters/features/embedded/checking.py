"""What is checked of a write before any of its call is stored."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from worker.adapters.features.embedded.catalogue import Catalogue
from worker.clock import from_us
from worker.errors import NotFound, Rejected
from worker.features.definition import Check, check_entity_id, check_not_ahead, checks_of, time_us
from worker.features.port import Value, Write


class Checked(NamedTuple):
    """A write that may be stored; `known_us` is None for the time of the transaction, `event_time` is in UTC."""

    feature: int
    entity: str
    id: str
    event_us: int
    event_time: datetime
    known_us: int | None
    value: Value


def check_all(values: Iterable[Write], catalogue: Catalogue, now_us: int) -> list[Checked]:
    """Check every value before any is stored.

    Raises:
        Rejected: the first that cannot be stored; its field tells which of several it is.
    """
    check = _Checker(catalogue, now_us)
    checked: list[Checked] = []
    try:
        checked.extend(check(write) for write in values)
    except Rejected as error:
        if not checked:
            raise
        field = f"values[{len(checked)}].{error.field}"
        raise Rejected(error.reason, field=field, mend=error.mend) from error
    return checked


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a feature's values must be."""

    code: int
    entity: str
    check: Check


class _Checker:
    """Checks writes one by one; what a row of values shares (id and times) is checked once."""

    def __init__(self, catalogue: Catalogue, now_us: int) -> None:
        self._catalogue = catalogue
        self._now_us = now_us
        self._rules: dict[str, _Rule] = {}
        self._last: tuple[object, object, object] = (self, self, self)
        self._event_us = 0
        self._event_time = from_us(0)
        self._known_us: int | None = None

    def __call__(self, write: Write) -> Checked:
        rule = self._rules.get(write.feature) or self._rule(write.feature)
        entity_id, event_time, known_at = self._last
        if write.entity_id is not entity_id or write.event_time is not event_time or write.known_at is not known_at:
            self._check_row(write)
        value = rule.check(write.value)
        return Checked(rule.code, rule.entity, write.entity_id, self._event_us, self._event_time, self._known_us, value)

    def _check_row(self, write: Write) -> None:
        check_entity_id(write.entity_id)
        self._event_us = self._time(write.event_time, "timestamp")
        self._event_time = _in_utc(write.event_time, self._event_us)
        if write.known_at is write.event_time:
            self._known_us = self._event_us
        else:
            self._known_us = None if write.known_at is None else self._time(write.known_at, "knownAt")
        self._last = (write.entity_id, write.event_time, write.known_at)

    def _time(self, moment: datetime, field: str) -> int:
        microseconds = time_us(moment, field)
        check_not_ahead(microseconds, self._now_us, field)
        return microseconds

    def _rule(self, name: str) -> _Rule:
        try:
            definition = self._catalogue.get(name)
        except NotFound as error:
            raise Rejected(str(error), field="featureName", mend="define it first") from error
        if definition.source == "computed":
            mend = "store what it is computed from"
            raise Rejected(f"{name!r} is computed and takes no values", field="featureName", mend=mend)
        self._rules[name] = _Rule(self._catalogue.codes[name], definition.entity, checks_of(definition))
        return self._rules[name]


def _in_utc(moment: datetime, microseconds: int) -> datetime:
    """Return a plain datetime in UTC; most are one already."""
    return moment if type(moment) is datetime and moment.tzinfo is UTC else from_us(microseconds)
