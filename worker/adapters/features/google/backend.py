"""Builds the Google feature store from the settings."""

import re
from collections.abc import Sequence

from worker.adapters.features.google.bigquery import BigQuery
from worker.adapters.features.google.definitions import Definitions
from worker.adapters.features.google.direct import DirectWriter
from worker.adapters.features.google.setup import Setup
from worker.adapters.features.google.store import GoogleFeatureStore
from worker.adapters.features.google.vertex import Names, Vertex
from worker.adapters.features.google.views import ViewNewest
from worker.adapters.options import Options
from worker.errors import Rejected

#: What is called so where FEATURE_STORE_NAME is not set.
NAME = "colony_features"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")


def warehouse_from(options: Options) -> BigQuery:
    """Return the warehouse that the settings name. Raises Rejected."""
    values = options.values
    project = str(values.get("project") or "")
    if not project:
        raise Rejected("is not set", field="GOOGLE_CLOUD_PROJECT", mend="set it to the project's id")
    name = str(values.get("feature_store_name") or NAME)
    if not _NAME.fullmatch(name):
        mend = "use lower-case letters, digits and _, beginning with a letter, at most 50 characters"
        raise Rejected(
            f"{name[:140]!r} is neither a data set nor an online store", field="FEATURE_STORE_NAME", mend=mend
        )
    region = str(values.get("feature_store_region") or values.get("region") or "us-central1")
    return BigQuery(project, name, region, endpoint=str(values.get("bigquery_endpoint") or ""))


def _vertex_from(options: Options, warehouse: BigQuery) -> tuple[Vertex | None, Names]:
    """Return the clients of the online store, None where online reads come from BigQuery."""
    names = Names(warehouse.project, warehouse.location.lower(), warehouse.dataset)
    if options.values.get("features_online", "views") != "views":
        return None, names
    return Vertex(names.region, str(options.values.get("vertex_endpoint") or "")), names


def from_options(options: Options) -> GoogleFeatureStore:
    """Return the store. Raises Rejected."""
    warehouse = warehouse_from(options)
    vertex, names = _vertex_from(options, warehouse)
    if vertex is None:
        return GoogleFeatureStore(warehouse, options.clock)
    direct = DirectWriter(warehouse, vertex, names) if options.values.get("features_direct_write") else None
    return GoogleFeatureStore(warehouse, options.clock, values=ViewNewest(vertex, names), direct=direct)


def init(options: Options) -> Sequence[str]:
    """Make what the store stands on and return the names of what was made. Raises Rejected, TryLater."""
    warehouse = warehouse_from(options)
    vertex, names = _vertex_from(options, warehouse)
    try:
        return Setup(warehouse, Definitions(warehouse), vertex, names).init()
    finally:
        warehouse.close()
        if vertex is not None:
            vertex.close()
