"""What is checked of a write before any of its call is stored."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from worker.adapters.features.google.catalogue import Catalogue
from worker.errors import NotFound, Rejected
from worker.features.bulk import Batch
from worker.features.definition import Check, check_entity_id, check_not_ahead, checks_of, time_us
from worker.features.port import Definition, Value, Write


class Checked(NamedTuple):
    """A write that may be stored; `known_us` is None for the time of storing."""

    definition: Definition
    id: str
    event_us: int
    known_us: int | None
    value: Value


def check_all(values: Iterable[Write], catalogue: Catalogue, now_us: int) -> list[Checked]:
    """Check every value before any is stored.

    Raises:
        Rejected: the first that cannot be stored; its field tells which of several it is.
    """
    rules: dict[str, tuple[Definition, Check]] = {}
    checked: list[Checked] = []
    for write in values:
        try:
            rule = rules.get(write.feature) or rules.setdefault(write.feature, _rule(write.feature, catalogue))
            checked.append(_checked(write, *rule, now_us))
        except Rejected as error:
            if not checked:
                raise
            field = f"values[{len(checked)}].{error.field}"
            raise Rejected(error.reason, field=field, mend=error.mend) from error
    return checked


def _rule(name: str, catalogue: Catalogue) -> tuple[Definition, Check]:
    try:
        definition = catalogue.get(name)
    except NotFound as error:
        raise Rejected(str(error), field="featureName", mend="define it first") from error
    if definition.source == "computed":
        mend = "store what it is computed from"
        raise Rejected(f"{name!r} is computed and takes no values", field="featureName", mend=mend)
    return definition, checks_of(definition)


def _checked(write: Write, definition: Definition, check: Check, now_us: int) -> Checked:
    check_entity_id(write.entity_id)
    event_us = time_us(write.event_time, "timestamp")
    check_not_ahead(event_us, now_us, "timestamp")
    known_us = None if write.known_at is None else time_us(write.known_at, "knownAt")
    if known_us is not None:
        check_not_ahead(known_us, now_us, "knownAt")
    return Checked(definition, write.entity_id, event_us, known_us, check(write.value))


def checked_columns(batch: Batch, catalogue: Catalogue) -> list[Checked]:
    """Return the values of rows that were found right, row by row.

    Without known-at all become known at once: of several values for one event time only the last would ever show.
    """
    ids, times = batch.rows.ids.to_pylist(), batch.rows.times_us.tolist()
    known = [None] * len(batch) if batch.known_us is None else batch.known_us.tolist()
    columns = [
        (catalogue.get(name), cells.present.tolist(), cells.column.tolist()) for name, cells in batch.features.items()
    ]
    values = [
        Checked(definition, ids[row], times[row], known[row], _plain(cells[row]))
        for row in range(len(batch))
        for definition, present, cells in columns
        if present[row]
    ]
    if batch.known_us is not None:
        return values
    return list({(value.definition.name, value.id, value.event_us): value for value in values}.values())


def _plain(value: Any) -> Value:
    return list(value) if isinstance(value, np.ndarray) else value
