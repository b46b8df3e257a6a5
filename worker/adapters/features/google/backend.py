"""Builds the Google feature store from the settings."""

import re

from worker.adapters.features.google.bigquery import BigQuery
from worker.adapters.features.google.store import GoogleFeatureStore
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


def from_options(options: Options) -> GoogleFeatureStore:
    """Return the store."""
    return GoogleFeatureStore(warehouse_from(options), options.clock)
