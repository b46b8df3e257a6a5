"""Writes: checked, laid out as wide rows, and stored in one transaction that finds out what of them is new."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial

import numpy as np

from worker.adapters.features.google.batches import Step, Steps, count
from worker.adapters.features.google.catalogue import Catalogue
from worker.adapters.features.google.checking import Checked, check_all, checked_columns
from worker.adapters.features.google.columns import Stored as Kept
from worker.adapters.features.google.definitions import Definitions
from worker.adapters.features.google.sql import writing
from worker.adapters.features.google.warehouse import Param, Rows, Warehouse, offered
from worker.clock import Clock, to_us
from worker.errors import Rejected, TryLater
from worker.features.bulk import Batch, Stored, refused_rows
from worker.features.port import Write

#: Each time somebody else has changed a definition in between.
_TRIES = 20


class Writer:
    """Stores values; safe to share between threads."""

    def __init__(self, warehouse: Warehouse, definitions: Definitions, clock: Clock) -> None:
        """Write nothing yet."""
        self._warehouse = warehouse
        self._definitions = definitions
        self._clock = clock

    def write(self, values: Iterable[Write]) -> int:
        """Store values durably, all or none, and return how many were new. Raises Rejected, TryLater."""
        return self.store(values)[1]

    def store(self, values: Iterable[Write]) -> tuple[list[Checked], int]:
        """Do the same, and return the checked values as well."""
        return self._store(partial(self._checked, list(values)))

    def write_columns(self, entity: str, batch: Batch) -> Stored:
        """Store rows durably, each whole or not at all; refuse those that only the check of one row can judge."""
        refused = np.zeros(len(batch), np.bool_)

        def checked(now_us: int) -> tuple[Catalogue, list[Checked]]:
            nonlocal refused
            seen = self._definitions.refreshed()
            refused = refused_rows(entity, batch, seen.definitions, now_us)
            some = batch if not refused.any() else batch.take(np.flatnonzero(~refused))
            return seen, checked_columns(some, seen)

        _, new = self._store(checked)
        return Stored(new, refused)

    def _store(self, check: Callable[[int], tuple[Catalogue, list[Checked]]]) -> tuple[list[Checked], int]:
        for _ in range(_TRIES):
            now_us = to_us(self._clock())
            seen, checked = check(now_us)
            steps = Steps(now_us).add(checked)
            if not steps:
                return checked, 0
            new = self._definitions.steadily(partial(self._unless_moved, seen, steps, now_us))
            if new is not None:
                return checked, new
            self._definitions.refreshed()
        raise TryLater("the values could not be stored: definitions changed all the time")

    def _checked(self, values: Sequence[Write], now_us: int) -> tuple[Catalogue, list[Checked]]:
        """Check against what was seen of the definitions last, and once more if that refuses anything."""
        seen = self._definitions.seen
        try:
            return seen, check_all(values, seen, now_us)
        except Rejected:
            seen = self._definitions.refreshed()
            return seen, check_all(values, seen, now_us)

    def _unless_moved(self, seen: Catalogue, steps: Sequence[Step], now_us: int) -> int | None:
        return self._stored(seen, steps, now_us) if self._definitions.seen is seen else None

    def _stored(self, seen: Catalogue, steps: Sequence[Step], now_us: int) -> int | None:
        """Return how many values were new, None if the definitions are others by now and nothing was stored."""
        name = self._warehouse.name
        statements, params = writing.begin(name), self._common(seen, steps, now_us)
        with ExitStack() as stack:
            place = 1
            for number, step in enumerate(steps):
                features = [seen.stored(seen.definitions[one]) for one in step.features]
                rows = Rows(f"step_{number}", writing.fields(features), step.columns(place))
                place += len(step.rows)
                source, needed = stack.enter_context(offered(self._warehouse, rows))
                params += needed
                statements.append(writing.insert(name, features, source, stamped=step.stamped))
            statements += [writing.note(name, features) for features in _by_entity(seen, steps)]
            statements.append(writing.finish(name))
            ((taken, new),) = self._warehouse.transact(statements, writing.answer(name), params)
        return int(new) if taken else None

    @staticmethod
    def _common(seen: Catalogue, steps: Sequence[Step], now_us: int) -> list[Param | Rows]:
        spans = [step.span for step in steps]
        return [
            Param("batch", "STRING", secrets.token_hex(16)),
            Param("epoch", "INT64", seen.epoch),
            Param("count", "INT64", count(steps)),
            Param("now", "INT64", now_us),
            Param("first", "INT64", min(first for first, _ in spans)),
            Param("last", "INT64", max(last for _, last in spans)),
        ]


def _by_entity(seen: Catalogue, steps: Sequence[Step]) -> list[list[Kept]]:
    names: dict[str, dict[str, None]] = {}
    for step in steps:
        names.setdefault(step.entity, {}).update(dict.fromkeys(step.features))
    return [[seen.stored(seen.definitions[one]) for one in held] for held in names.values()]
