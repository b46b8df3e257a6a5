"""What `colony features init` makes: data sets, tables, and what serves them online; what is there already stays.

A table per entity becomes a FeatureGroup with one Feature per column, and a FeatureView of it in a FeatureOnlineStore
on Bigtable, which Vertex AI keeps in step continuously. Groups are sparse (`dense` false), as point-in-time reads are.
Everything may be run again, also by two at once and after being killed anywhere.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.api_core import exceptions
from google.api_core.future.polling import DEFAULT_POLLING

from worker.adapters.features.google.bigquery import BigQuery
from worker.adapters.features.google.columns import Stored
from worker.adapters.features.google.definitions import Definitions
from worker.adapters.features.google.sql.tables import add_columns, create_entity, create_kept, entity_table
from worker.adapters.features.google.vertex import GOOGLE, Names, Vertex, meaning
from worker.errors import TryLater

#: How long Vertex AI may take to make something, in seconds: an online store takes minutes.
OPERATION_S = 1800.0
#: Nodes of the Bigtable instance: at least, at most, and the CPU load in percent at which one is added.
NODES = (1, 3, 50)
#: Soon at first: most things are made in seconds, and an online store in minutes.
_POLLING = DEFAULT_POLLING.with_delay(initial=0.2, maximum=20.0, multiplier=1.5)
#: Features in one call.
_MOST_FEATURES = 100


@dataclass(frozen=True)
class Setup:
    """Makes what the store stands on.

    Attributes:
        warehouse: where the tables are.
        definitions: of the features, read anew.
        vertex, names: the clients and the resources' names; None where online reads come from BigQuery.
        operation_s: how long one long-running operation is waited for.
    """

    warehouse: BigQuery
    definitions: Definitions
    vertex: Vertex | None
    names: Names
    operation_s: float = OPERATION_S

    def init(self) -> list[str]:
        """Make what is not there, and return the names of what was made or changed. Raises Rejected, TryLater."""
        made = [f"data set {self.warehouse.project}.{name}" for name in self.warehouse.make_datasets()]
        self.warehouse.alter(create_kept(self.warehouse.name))
        by_entity = self._by_entity()
        for entity, features in by_entity.items():
            columns = [add_columns(self.warehouse.name, one) for one in features]
            self.warehouse.alter([create_entity(self.warehouse.name, entity), *columns])
        if self.vertex is not None:
            serving = _Serving(self.vertex, self.names, self.warehouse, self.operation_s)
            made += serving.make(by_entity)
        return made

    def _by_entity(self) -> dict[str, list[Stored]]:
        seen = self.definitions.refreshed()
        entities = sorted({one.entity for one in seen.definitions.values() if one.source == "ingested"})
        return {entity: seen.of(entity) for entity in entities}


class _Serving:
    """Makes the online store, and group, features and view of each entity."""

    def __init__(self, vertex: Vertex, names: Names, warehouse: BigQuery, operation_s: float) -> None:
        self._vertex = vertex
        self._names = names
        self._warehouse = warehouse
        self._operation_s = operation_s

    def make(self, by_entity: Mapping[str, Sequence[Stored]]) -> list[str]:
        made = self._online_store()
        for entity, features in by_entity.items():
            made += self._group(entity)
            wanted = {column: one for one in features for column in (one.column, one.state)}
            # A view reads the features of its group: they come before it, and what is deleted goes after it.
            lacking, left = self._features(entity, wanted)
            made += lacking
            made += self._view(entity, sorted(wanted))
            made += self._forget(entity, left)
        return made

    def _online_store(self) -> list[str]:
        fewest, most, load = NODES
        scaling = {"min_node_count": fewest, "max_node_count": most, "cpu_utilization_target": load}
        request = {
            "parent": self._names.location,
            "feature_online_store_id": self._names.store,
            "feature_online_store": {"bigtable": {"auto_scaling": scaling}},
        }
        name, stores = self._names.online_store, self._vertex.stores
        look = self._looking(stores.get_feature_online_store, name)
        return self._made(name, look, stores.create_feature_online_store, request)

    def _group(self, entity: str) -> list[str]:
        name, registry = self._names.group(entity), self._vertex.registry
        table = f"{self._warehouse.project}.{self._warehouse.dataset}.{entity_table(entity)}"
        source = {
            "big_query_source": {"input_uri": f"bq://{table}"},
            "entity_id_columns": ["entity_id"],
            "time_series": {"timestamp_column": "serving_timestamp"},
            "dense": False,
        }
        request = {
            "parent": self._names.location,
            "feature_group_id": name.rpartition("/")[2],
            "feature_group": {"big_query": source},
        }
        return self._made(name, self._looking(registry.get_feature_group, name), registry.create_feature_group, request)

    def _features(self, entity: str, wanted: Mapping[str, Stored]) -> tuple[list[str], list[str]]:
        """Register what is missing; return its names, and those of features that nobody wants any more."""
        group, registry = self._names.group(entity), self._vertex.registry
        listed = self._asked(group, registry.list_features, {"parent": group, "page_size": 1000})
        there = {one.name.rpartition("/")[2] for one in listed or ()}
        missing = sorted(set(wanted) - there)
        for first in range(0, len(missing), _MOST_FEATURES):
            part = missing[first : first + _MOST_FEATURES]
            requests = [{"parent": group, "feature_id": one, "feature": _feature(one, wanted[one])} for one in part]
            self._operated(group, registry.batch_create_features, {"parent": group, "requests": requests})
        return [f"{group}/features/{one}" for one in missing], sorted(there - set(wanted))

    def _forget(self, entity: str, columns: Sequence[str]) -> list[str]:
        group, registry = self._names.group(entity), self._vertex.registry
        names = [f"{group}/features/{one}" for one in columns]
        for name in names:
            self._operated(name, registry.delete_feature, {"name": name}, gone=True)
        return [f"{name} (deleted)" for name in names]

    def _view(self, entity: str, columns: Sequence[str]) -> list[str]:
        name, stores = self._names.view(entity), self._vertex.stores
        group = {"feature_group_id": self._names.group(entity).rpartition("/")[2], "feature_ids": list(columns)}
        source = {"feature_groups": [group]}
        view = {"feature_registry_source": source, "sync_config": {"continuous": True}}
        request = {
            "parent": self._names.online_store,
            "feature_view_id": name.rpartition("/")[2],
            "feature_view": view,
        }
        look = self._looking(stores.get_feature_view, name)
        made = self._made(name, look, stores.create_feature_view, request)
        there = look()
        if there is None:
            raise TryLater(f"{name} is being made by somebody else; run it again")
        served = {one for group_ in there.feature_registry_source.feature_groups for one in group_.feature_ids}
        if served == set(columns):
            return made
        mask = {"paths": ["feature_registry_source"]}
        changed = {"feature_view": {"name": name, "feature_registry_source": source}, "update_mask": mask}
        self._operated(name, stores.update_feature_view, changed)
        return [f"{name} (changed)"]

    def _looking(self, get: Any, name: str) -> Callable[[], Any]:
        return lambda: self._asked(name, get, {"name": name})

    def _made(self, name: str, look: Callable[[], Any], create: Any, request: Mapping[str, Any]) -> list[str]:
        """Make what is not there; if somebody else does so at the same time, it is theirs."""
        if look() is not None:
            return []
        return [name] if self._operated(name, create, request) else []

    def _operated(self, name: str, method: Any, request: Mapping[str, Any], *, gone: bool = False) -> bool:
        """Run a long-running operation to its end; return whether it was needed."""
        try:
            self._vertex.call(method, request).result(timeout=self._operation_s, polling=_POLLING)
        except exceptions.AlreadyExists:
            return False
        except exceptions.NotFound as error:
            if gone:
                return False
            raise meaning(name, error) from error
        except GOOGLE as error:
            raise meaning(name, error) from error
        except TimeoutError as error:
            raise TryLater(f"{name}: not ready within {self._operation_s:g} s; run it again to wait on") from error
        return True

    def _asked(self, name: str, method: Any, request: Mapping[str, Any]) -> Any:
        try:
            answer = self._vertex.call(method, request)
            return list(answer) if hasattr(answer, "pages") else answer
        except exceptions.NotFound:
            return None
        except GOOGLE as error:
            raise meaning(name, error) from error


def _feature(column: str, stored: Stored) -> dict[str, Any]:
    told = stored.definition.description if column == stored.column else f"State of {stored.column}."
    return {"version_column_name": column, "description": told[:1000]}
