"""Training reads: point-in-time tables of one state of the store, kept under names that give the same table again."""

from collections.abc import Mapping
from functools import partial

from worker.adapters.features.google.catalogue import Catalogue
from worker.adapters.features.google.definitions import Definitions
from worker.adapters.features.google.history import SqlHistory
from worker.adapters.features.google.snapshots import Snapshot, Snapshots
from worker.adapters.features.google.sql import reading
from worker.adapters.features.google.warehouse import Param, Warehouse
from worker.clock import Clock, to_us
from worker.errors import NotFound, Rejected
from worker.features.computed.inputs import closure
from worker.features.naming import table_name
from worker.features.observed import Observed, observed
from worker.features.port import Definition, TrainingRequest
from worker.features.request import needed
from worker.features.training import Table, build


class Training:
    """Reads history; safe to share between threads."""

    def __init__(self, warehouse: Warehouse, definitions: Definitions, clock: Clock) -> None:
        """Read nothing yet."""
        self._warehouse = warehouse
        self._definitions = definitions
        self._snapshots = Snapshots(warehouse)
        self._clock = clock

    def table(self, request: TrainingRequest) -> tuple[str, Table]:
        """Return the point-in-time table of a request with its name, and keep what reproduces it. Raises Rejected."""
        return self._definitions.steadily(partial(self._table, request))

    def _table(self, request: TrainingRequest) -> tuple[str, Table]:
        sequence, seen = self._definitions.current()
        table = self._built(request, seen.definitions, seen, sequence)
        name = table_name(request, table)
        self._snapshots.keep(name, request, table, sequence, to_us(self._clock()))
        return name, table

    def values_at(self, request: TrainingRequest) -> Table:
        """Return the same table without keeping anything; what known-at takes is missing. Raises Rejected."""

        def read() -> Table:
            sequence, seen = self._definitions.current()
            return self._built(request, seen.definitions, seen, sequence, strict=False)

        return self._definitions.steadily(read)

    def reproduce(self, snapshot_id: str) -> Table:
        """Return exactly the table that an earlier read answered with.

        Raises:
            NotFound: no read was kept under that id, or a feature of it was deleted since.
            Rejected: the stored values are no longer what they were.
        """
        return self._definitions.steadily(partial(self._again, snapshot_id, self._snapshots.find(snapshot_id)))

    def _again(self, snapshot_id: str, kept: Snapshot) -> Table:
        seen = self._definitions.refreshed()
        gone = sorted(set(kept.definitions) - set(seen.definitions))
        if gone:
            raise NotFound(f"the features {', '.join(gone)} were deleted since")
        then = {name: seen.at_version(name, version) for name, version in kept.definitions.items()}
        table = self._built(kept.request, then, seen, kept.sequence)
        if table_name(kept.request, table) != snapshot_id:
            raise Rejected(f"the values behind the snapshot {snapshot_id} have changed", mend="read anew")
        return table

    def _built(
        self,
        request: TrainingRequest,
        definitions: Mapping[str, Definition],
        seen: Catalogue,
        bound: int,
        *,
        strict: bool = True,
    ) -> Table:
        asked = [name for name in needed(request) if name in definitions]
        below = [definitions[name] for name in closure(asked, definitions)]
        stored = {one.name: seen.stored(one) for one in below if one.source == "ingested"}
        return build(request, definitions, SqlHistory(self._warehouse, stored, asked, bound), strict=strict)

    def count_labels(self, entity: str, label: str, known_after_us: int, known_by_us: int) -> int:
        """Return how many observations of `label` became known in (after, by] and were true by then.

        Raises:
            NotFound: the label is not defined.
            Rejected: it is a feature of another entity, or computed.
        """
        seen = self._definitions.refreshed()
        definition = seen.get(label)
        if definition.entity != entity:
            raise Rejected(f"{label!r} is a feature of {definition.entity!r}, not of {entity!r}", field="label")
        if definition.source != "ingested":
            return 0
        params = [Param("after", "INT64", known_after_us), Param("by", "INT64", known_by_us)]
        statement = reading.count_labels(self._warehouse.name, seen.stored(definition))
        ((count,),) = self._warehouse.query(statement, params)
        return int(count)

    def observations(
        self, entity: str, feature: str, start_us: int, end_us: int, *, respect_known_at: bool
    ) -> Observed:
        """Return what was observed of a feature in [start, end), known by `end`.

        Raises:
            NotFound: the feature is not defined.
            Rejected: it is a feature of another entity, or computed.
        """

        def read() -> Observed:
            sequence, seen = self._definitions.current()
            definition = seen.get(feature)
            stored = {feature: seen.stored(definition)} if definition.source == "ingested" else {}
            history = SqlHistory(self._warehouse, stored, [feature], sequence)
            return observed(definition, entity, history, start_us, end_us, respect_known_at=respect_known_at)

        return self._definitions.steadily(read)
