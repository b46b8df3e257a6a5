"""How to read a set of features online, worked out once: whose they are, under which codes, and what expires when."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, Self

from worker.adapters.features.embedded.encoding import readings
from worker.features.port import Definition, Reading, Status

MISSING = Reading(Status.MISSING)
_Readings = Mapping[int, Reading]


@dataclass(frozen=True, slots=True)
class Group:
    """The wanted features of one entity.

    Attributes:
        pick: takes all of them out of an entity's packed row at once; KeyError if one has no value.
        ttls: those whose values expire.
    """

    entity: str
    names: tuple[str, ...]
    codes: tuple[int, ...]
    pick: Callable[[_Readings], Sequence[Reading]]
    ttls: tuple[tuple[str, timedelta], ...]

    @classmethod
    def of(cls, entity: str, wanted: Sequence[tuple[Definition, int]]) -> Self:
        """Prepare for these definitions and their codes."""
        names, codes = tuple(one.name for one, _ in wanted), tuple(code for _, code in wanted)
        ttls = tuple((one.name, one.ttl) for one, _ in wanted if one.ttl is not None)
        return cls(entity, names, codes, _picker(codes), ttls)

    def answer(self, held: _Readings, now: datetime) -> dict[str, Reading]:
        """Return the readings of one entity, from its row."""
        try:
            found = dict(zip(self.names, self.pick(held)))  # noqa: B905 - as long as each other, and `strict` costs a fifth
        except KeyError:
            found = self._gaps(held)
        return self._living(found, now) if self.ttls else found

    def answers(
        self, rows: Iterable[tuple[Any, str, bytes | None, Any]], now: datetime
    ) -> dict[str, dict[str, Reading]]:
        """Return the readings of many entities by id, from rows of (…, id, packed row or None, …)."""
        # All in one loop: a call per entity would cost a tenth of the whole read.
        names, pick, decode = self.names, self.pick, readings
        answers: dict[str, dict[str, Reading]] = {}
        for _, entity_id, blob, _ in rows:
            if blob is None:
                continue
            held = decode(blob)
            try:
                answers[entity_id] = dict(zip(names, pick(held)))  # noqa: B905 - see above
            except KeyError:
                answers[entity_id] = self._gaps(held)
        if self.ttls:
            for found in answers.values():
                self._living(found, now)
        return answers

    def _gaps(self, held: _Readings) -> dict[str, Reading]:
        return {name: held.get(code, MISSING) for name, code in zip(self.names, self.codes, strict=True)}

    def _living(self, found: dict[str, Reading], now: datetime) -> dict[str, Reading]:
        for name, ttl in self.ttls:
            reading = found[name]
            if reading.event_time is not None and now - reading.event_time > ttl:
                found[name] = Reading(Status.EXPIRED, None, reading.event_time)
        return found

    def nothing(self) -> dict[str, Reading]:
        """Return the readings of an entity that has no value."""
        return dict.fromkeys(self.names, MISSING)


def _picker(codes: tuple[int, ...]) -> Callable[[_Readings], Sequence[Reading]]:
    if len(codes) == 1:
        (code,) = codes
        return lambda held: (held[code],)
    return itemgetter(*codes)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a read of these names looks up.

    Attributes:
        names: each once, in the order asked.
        groups: the ingested features, by entity.
        only: the group, if there is just one and nothing else.
        computed: those that are computed.
    """

    names: tuple[str, ...]
    groups: tuple[Group, ...]
    only: Group | None
    computed: tuple[str, ...] = ()

    @classmethod
    def of(cls, wanted: Sequence[tuple[Definition, int]]) -> Self:
        """Prepare for these definitions and their codes."""
        by_entity: dict[str, list[tuple[Definition, int]]] = {}
        for definition, code in wanted:
            if definition.source != "computed":
                by_entity.setdefault(definition.entity, []).append((definition, code))
        groups = tuple(Group.of(entity, members) for entity, members in by_entity.items())
        computed = tuple(one.name for one, _ in wanted if one.source == "computed")
        only = groups[0] if len(groups) == 1 and not computed else None
        return cls(tuple(one.name for one, _ in wanted), groups, only, computed)
