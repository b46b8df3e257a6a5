"""What a prediction is made of: features read online for an entity and what it is linked to, or given and checked."""

import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from worker.bee import BeeSpec
from worker.errors import Rejected
from worker.features.port import Definition, FeatureStore, Following, Reader, Reading, Status

#: How old definitions may be where asking for them goes over a network: as old as for its online reads.
_KNOWN_S = 30.0
_TYPES: Mapping[str, tuple[type, ...]] = {"number": (int, float), "string": (str,), "boolean": (bool,)}

Definitions = Mapping[str, Definition]


class Values:
    """Finds the values for predictions in a feature store; safe to share between threads."""

    def __init__(self, store: FeatureStore, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Read nothing yet."""
        self._store = store
        self._monotonic = monotonic
        self._remote = isinstance(store, Following)
        self._known: tuple[float, Definitions] | None = None

    def definitions(self) -> Definitions:
        """Return the definitions that hold, by name; of a store behind a network those of the last half minute."""
        known = self._known
        if known is not None and self._remote and self._monotonic() - known[0] < _KNOWN_S:
            return known[1]
        found = {one.name: one for one in self._store.definitions()}
        self._known = (self._monotonic(), found)
        return found

    def read(self, bee: BeeSpec, entity_id: str, now: datetime) -> Mapping[str, Any]:
        """Return feature → value for an entity, None where there is none. Raises Rejected: not an entity's id."""
        definitions = self.definitions()
        owners = {name: definitions[name].entity for name in bee.features if name in definitions}
        own = [name for name in bee.features if owners.get(name) == bee.entity]
        links = list(bee.entities.values())
        reader = Reader(f"model:{bee.bee}", "serving")
        readings = dict(self._store.read([entity_id], [*own, *links], now=now, reader=reader)[entity_id])
        for entity, link in bee.entities.items():
            other = readings[link]
            wanted = [name for name in bee.features if owners.get(name) == entity]
            if other.status is Status.PRESENT and wanted:
                key = str(other.value)
                readings |= self._store.read([key], wanted, now=now, reader=reader)[key]
        empty = Reading(Status.MISSING)
        return {name: readings.get(name, empty).value for name in bee.features}

    def given(self, bee: BeeSpec, features: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what a caller gave. Raises Rejected: a feature that the bee does not read, or a wrong value."""
        unknown = sorted(set(features) - set(bee.features))
        if unknown:
            mend = f"send only: {', '.join(bee.features)}"
            raise Rejected(f"{', '.join(unknown)}: not read by {bee.bee}", field="features", mend=mend)
        definitions = self.definitions()
        for name, value in features.items():
            _check_value(name, value, definitions[name].type if name in definitions else None)
        return features


def _check_value(name: str, value: Any, type_: str | None) -> None:
    if value is None:
        return
    wanted = _TYPES.get(type_ or "", (str, int, float, bool))
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        mend = f"send a {type_ or 'text, number or boolean'}, or null where it is missing"
        raise Rejected(f"{str(value)[:60]!r} is not a {type_ or 'single value'}", field=f"features.{name}", mend=mend)
    if isinstance(value, int | float) and not _finite(value):
        raise Rejected("is not finite", field=f"features.{name}", mend="send null where it is missing")


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
