"""The definitions in BigQuery: read, changed in transactions, remembered."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from worker.adapters.features.google.catalogue import Catalogue, catalogue_of, encode
from worker.adapters.features.google.columns import Stored, column_name, state_of
from worker.adapters.features.google.sql import defining, tables
from worker.adapters.features.google.warehouse import Absent, Param, Warehouse
from worker.errors import Conflict, TryLater
from worker.features.definition import check_definition, normal
from worker.features.port import Definition

Answer = TypeVar("Answer")

#: Each time somebody else has defined or written something in between.
_TRIES = 20


class Definitions:
    """The definitions of one warehouse; safe to share between threads, for what was seen is replaced as a whole.

    Attributes:
        seen: what was read last; every change and every write checks in its transaction that it is still so.
    """

    def __init__(self, warehouse: Warehouse, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Read nothing yet; `monotonic` tells how old is what was read."""
        self._warehouse = warehouse
        self._monotonic = monotonic
        self._seen_s = 0.0
        self.seen = Catalogue(-1)

    def current(self) -> tuple[int, Catalogue]:
        """Return the last write sequence with the definitions of the same moment."""
        seen = self.seen
        rows = self._query(seen.epoch)
        if not rows:
            raise TryLater("the feature store's tables are empty; run `colony features init`")
        self._seen_s = self._monotonic()
        sequence, epoch = rows[0][:2]
        if epoch != seen.epoch:
            seen = self.seen = catalogue_of(epoch, [row[2:] for row in rows if row[2] is not None])
        return sequence, seen

    def recent(self, names: Sequence[str], most_s: float) -> Catalogue:
        """Return the definitions as they were at most so many seconds ago, or now if one of these was unknown then."""
        seen = self.seen
        if seen.epoch < 0 or self._monotonic() - self._seen_s > most_s:
            return self.refreshed()
        return seen if all(name in seen.definitions for name in names) else self.refreshed()

    def refreshed(self) -> Catalogue:
        """Return the definitions as they are now."""
        return self.current()[1]

    def steadily(self, read: Callable[[], Answer]) -> Answer:
        """Return what `read` does; again if a column was dropped that the definitions, read just before, still had."""
        for _ in range(_TRIES):
            try:
                return read()
            except Absent:
                epoch = self.seen.epoch
                if self.refreshed().epoch == epoch:
                    raise
        raise TryLater("the features could not be read: definitions changed all the time")

    def define(self, definition: Definition) -> Definition:
        """Store a definition as the next version unless it is the newest already; return it with its version.

        Raises:
            Rejected: a definition that cannot be kept.
            Conflict: type, entity or source change while values exist, or a computed feature needs what stands.
            TryLater: others change definitions all the time.
        """
        check_definition(definition)
        for _ in range(_TRIES):
            sequence, seen = self._current_with_counts()
            _check_computations(definition, seen.definitions)
            old = seen.definitions.get(definition.name)
            if old is not None and _same(old, definition):
                return old
            if old is not None and _same(replace(old, deprecated=definition.deprecated), definition):
                marked = replace(old, deprecated=definition.deprecated)
                if self._mark(seen, marked):
                    return marked
                continue
            new = replace(normal(definition), version=self._last_version(definition.name) + 1)
            if self._add(sequence, seen, old, new):
                return new
        raise TryLater(f"{definition.name!r} could not be defined: definitions or values changed all the time")

    def _add(self, sequence: int, seen: Catalogue, old: Definition | None, new: Definition) -> bool:
        moved = old is not None and _place(old) != _place(new)
        if old is not None and moved and seen.kept.get(old.name, 0):
            raise _has_values(old, new)
        column = None
        if new.source == "ingested":
            column = seen.columns.get((old.name, old.version)) if old is not None and not moved else None
            column = column or column_name(new.name, new.version, first=new.version == 1)
            name = self._warehouse.name
            made = [tables.create_entity(name, new.entity), tables.add_columns(name, Stored(new, column))]
            self._warehouse.alter(made)
        params = [
            Param("body", "STRING", encode(new)),
            Param("column", "STRING", column),
        ]
        if moved:
            params.append(Param("sequence", "INT64", sequence))
        return self._change(defining.add(self._warehouse.name, unwritten=moved), seen, new, params)

    def _mark(self, seen: Catalogue, marked: Definition) -> bool:
        body = Param("body", "STRING", encode(marked))
        return self._change(defining.mark(self._warehouse.name), seen, marked, [body])

    def _change(self, statements: Sequence[str], seen: Catalogue, to: Definition, params: Sequence[Param]) -> bool:
        token = secrets.token_hex(16)
        common = [
            Param("epoch", "INT64", seen.epoch),
            Param("name", "STRING", to.name),
            Param("version", "INT64", to.version),
            Param("token", "STRING", token),
        ]
        answer = defining.added(self._warehouse.name)
        ((count,),) = self._warehouse.transact(statements, answer, [*common, *params])
        return bool(count)

    def delete(self, name: str) -> None:
        """Delete a feature's definitions and the columns of its values.

        Raises:
            NotFound: it is not defined.
            Conflict: a computed feature needs it.
            TryLater: others change definitions all the time.
        """
        for _ in range(_TRIES):
            seen = self.refreshed()
            definition = seen.get(name)
            _refuse_needed(name, seen)
            if self._remove(seen, definition):
                self._drop(seen, name)
                return
        raise TryLater(f"{name!r} could not be deleted: definitions changed all the time")

    def _remove(self, seen: Catalogue, definition: Definition) -> bool:
        token = secrets.token_hex(16)
        params = [
            Param("epoch", "INT64", seen.epoch),
            Param("name", "STRING", definition.name),
            Param("version", "INT64", definition.version),
            Param("entity", "STRING", definition.entity),
            Param("column", "STRING", seen.columns.get((definition.name, definition.version))),
            Param("token", "STRING", token),
        ]
        name = self._warehouse.name
        ((count,),) = self._warehouse.transact(defining.remove(name), defining.removed(name), params)
        return bool(count)

    def _drop(self, seen: Catalogue, name: str) -> None:
        held = [one for one in seen.versions[name] if (name, one.version) in seen.columns]
        columns = dict.fromkeys((one.entity, seen.columns[name, one.version]) for one in held)
        for entity, column in columns:
            self._warehouse.alter([tables.drop_columns(self._warehouse.name, entity, [column, state_of(column)])])

    def _query(self, known: int) -> list[tuple[Any, ...]]:
        known_epoch = Param("known", "INT64", known)
        return self._warehouse.query(defining.current(self._warehouse.name), [known_epoch])

    def _current_with_counts(self) -> tuple[int, Catalogue]:
        """Return the same with how many values there are now: what was seen does not tell that."""
        rows = self._query(-1)
        if not rows:
            raise TryLater("the feature store's tables are empty; run `colony features init`")
        self.seen = catalogue_of(rows[0][1], [row[2:] for row in rows if row[2] is not None])
        return rows[0][0], self.seen

    def _last_version(self, name: str) -> int:
        lives = defining.lives(self._warehouse.name)
        ((version,),) = self._warehouse.query(lives, [Param("name", "STRING", name)])
        return int(version or 0)


def _check_computations(definition: Definition, standing: Mapping[str, Definition]) -> None:
    if definition.source == "computed" or any(item.source == "computed" for item in standing.values()):
        from worker.features.computed.check import check

        check(definition, standing)


def _same(standing: Definition, definition: Definition) -> bool:
    return replace(normal(definition), version=standing.version) == standing


def _place(definition: Definition) -> tuple[str, str, str]:
    return definition.type, definition.entity, definition.source


def _has_values(old: Definition, new: Definition) -> Conflict:
    wanted = "computed" if new.source != old.source else f"a {new.type} of {new.entity!r}"
    return Conflict(
        f"the feature {old.name!r} has values as a {old.type} of {old.entity!r}; it cannot become {wanted}."
        " Define a feature of another name"
    )


def _refuse_needed(name: str, seen: Catalogue) -> None:
    from worker.features.computed.inputs import users_of

    needed_by = users_of(name, seen.definitions.values())
    if needed_by:
        raise Conflict(f"{name!r} cannot be deleted: {', '.join(needed_by)} would have nothing to compute from")
