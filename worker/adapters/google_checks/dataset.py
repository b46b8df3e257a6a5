"""The dataset of the features: whether it is there and where, and whether the caller may query."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from google.api_core import exceptions

from worker.adapters.google_calls import GOOGLE, meaning
from worker.adapters.google_checks.place import PATIENCE, Place
from worker.checkup import Doubt
from worker.errors import Rejected, TryLater

INIT = "colony features init"


def there(place: Place) -> str | Doubt:
    """Check that the dataset is there, in the region of the online store, and the one that bulk loads pass through."""
    with _client(place) as client:
        found = client.get_dataset(place.store, timeout=PATIENCE.attempt_s)
        client.get_dataset(f"{place.store}_staging", timeout=PATIENCE.attempt_s)
    if found.location.lower() != place.store_region.lower():
        reason = f"{place.store} is in {found.location}, but FEATURE_STORE_REGION is {place.store_region}"
        return Doubt(reason, f"export FEATURE_STORE_REGION={found.location.lower()}")
    return f"{place.project}.{place.store} in {found.location}"


def dry_run(place: Place) -> str:
    """Let BigQuery plan a query without running it, which costs nothing."""
    from google.cloud.bigquery import QueryJobConfig

    statement = f"SELECT COUNT(*) FROM `{place.project}.{place.store}.INFORMATION_SCHEMA.TABLES`"  # noqa: S608 - names
    with _client(place) as client:
        job = client.query(
            statement,
            job_config=QueryJobConfig(dry_run=True, use_query_cache=False),
            location=place.store_region,
            timeout=PATIENCE.attempt_s,
        )
    return f"a query of {job.total_bytes_processed or 0} bytes was planned"


@contextmanager
def _client(place: Place) -> Iterator[Any]:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    if not place.store:
        mend = "set it, for example to colony"
        raise Rejected("is not set: features have nowhere to be", field="FEATURE_STORE_NAME", mend=mend)
    anonymous: Any = AnonymousCredentials
    stand_in = place.stand_ins.get("bigquery")
    try:
        if stand_in:
            options = {"api_endpoint": stand_in}
            client = bigquery.Client(place.project, anonymous(), client_options=options)
        else:
            client = bigquery.Client(place.project, place.credentials)
        with client:
            yield client
    except exceptions.NotFound as error:
        missing = f"{place.project}.{place.store} or {place.store}_staging does not exist"
        raise Rejected(missing, field="FEATURE_STORE_NAME", mend=INIT) from error
    except GOOGLE as error:
        raise meaning(f"dataset {place.store}", error, {exceptions.Forbidden: _grant(place)}) from error
    except OSError as error:
        # The HTTP library's own faults are among them.
        raise TryLater(f"dataset {place.store}: {error}") from error


def _grant(place: Place) -> str:
    member = "MEMBER" if "bigquery" in place.stand_ins else place.member
    return (
        f"gcloud projects add-iam-policy-binding {place.project} --member={member} --role=roles/bigquery.jobUser && "
        f"bq query --use_legacy_sql=false 'GRANT `roles/bigquery.dataEditor` ON SCHEMA `{place.project}.{place.store}` "
        f'TO "{member}"\''
    )
