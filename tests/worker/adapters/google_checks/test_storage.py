from collections.abc import Callable
from typing import Any

import pytest

from tests.google_storage import storage_server
from tests.worker.adapters.google_checks.conftest import PROJECT, WORKER, RestServer
from worker.adapters.google_checks import bucket, dataset
from worker.checkup import Doubt
from worker.errors import Rejected

Placed = Callable[..., Any]
NEEDED = ["storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list"]
RIGHTS = r"GET /storage/v1/b/colony-test-colony/iam/testPermissions"
DATASET = rf"GET /bigquery/v2/projects/{PROJECT}/datasets/colony(_staging)?"
JOBS = rf"POST /bigquery/v2/projects/{PROJECT}/jobs"


def test_rights_on_the_bucket(place: Placed, rest: RestServer) -> None:
    """Reading and writing are asked for; what is missing is told with its grant."""
    rest.answers[RIGHTS] = (200, {"permissions": NEEDED})
    assert (
        bucket.rights(place({"storage": rest.url, "iam": rest.url}))
        == "gs://colony-test-colony may be read and written"
    )

    rest.answers[RIGHTS] = (200, {"permissions": ["storage.objects.get"]})
    with pytest.raises(Rejected, match=r"lacks storage\.objects\.create, storage\.objects\.delete") as refused:
        bucket.rights(place({"storage": rest.url, "iam": rest.url}))
    assert refused.value.mend.startswith("gcloud storage buckets add-iam-policy-binding gs://colony-test-colony ")
    assert refused.value.mend.endswith(" --role=roles/storage.objectUser")


def test_a_bucket_that_is_not_there_is_told_with_what_makes_it(place: Placed, rest: RestServer) -> None:
    """Neither a missing bucket nor a missing name leaves a person without the next step."""
    with pytest.raises(Rejected, match="does not exist") as refused:
        bucket.rights(place({"storage": rest.url, "iam": rest.url}))
    assert refused.value.mend == (
        f"gcloud storage buckets create gs://colony-test-colony --project={PROJECT} --location=europe-west1 "
        "--uniform-bucket-level-access --public-access-prevention"
    )
    with pytest.raises(Rejected, match="PIPELINE_BUCKET: is not set"):
        bucket.rights(place({"storage": rest.url, "iam": rest.url}, bucket=""))


def test_an_object_is_written_read_and_deleted(place: Placed) -> None:
    """Nothing is left in the bucket."""
    with storage_server("colony-test-colony") as server:
        assert bucket.round_trip(place({"storage": server.url})) == "8 bytes written, read and deleted"

        assert server.objects == {}
        assert any(call.startswith("DELETE ") for call in server.calls)


def test_the_dataset_is_where_the_settings_say(place: Placed, rest: RestServer) -> None:
    """It is found in its region; in another one it is a doubt, for online store and dataset have to be together."""
    where = place({"bigquery": rest.url})
    rest.answers[DATASET] = (
        200,
        {"datasetReference": {"projectId": PROJECT, "datasetId": "colony"}, "location": "europe-west1"},
    )
    assert dataset.there(where) == f"{PROJECT}.colony in europe-west1"

    rest.answers[DATASET] = (200, {"datasetReference": {"projectId": PROJECT, "datasetId": "colony"}, "location": "EU"})
    found = dataset.there(where)
    assert isinstance(found, Doubt)
    assert found.mend == "export FEATURE_STORE_REGION=eu"


def test_a_dataset_that_is_missing_or_closed_is_told(place: Placed, rest: RestServer) -> None:
    """The command that makes it is named, or those that let the caller in."""
    where = place({"bigquery": rest.url})
    with pytest.raises(Rejected, match="does not exist") as refused:
        dataset.there(where)
    assert refused.value.mend == "colony features init"
    rest.answers[DATASET.removesuffix("(_staging)?")] = (
        200,
        {"datasetReference": {"projectId": PROJECT, "datasetId": "colony"}},
    )
    with pytest.raises(Rejected, match="colony_staging does not exist"):
        dataset.there(where)
    with pytest.raises(Rejected, match="FEATURE_STORE_NAME: is not set"):
        dataset.there(place({"bigquery": rest.url}, store=""))

    rest.answers.clear()
    rest.answers[DATASET] = (403, {"error": {"code": 403, "message": "Access Denied"}})
    with pytest.raises(Rejected, match=r"roles/bigquery\.jobUser"):
        dataset.there(where)


def test_a_query_is_planned_and_not_run(place: Placed, rest: RestServer) -> None:
    """The job that is asked for is a dry run, and nothing else is asked."""
    rest.answers[JOBS] = (
        200,
        {
            "jobReference": {"projectId": PROJECT, "jobId": "j", "location": "europe-west1"},
            "configuration": {"dryRun": True, "query": {}},
            "statistics": {"query": {"totalBytesProcessed": "10"}},
            "status": {"state": "DONE"},
        },
    )

    assert dataset.dry_run(place({"bigquery": rest.url})) == "a query of 10 bytes was planned"
    ((_, asked),) = rest.calls
    assert asked["configuration"]["dryRun"] is True
    assert f"`{PROJECT}.colony.INFORMATION_SCHEMA.TABLES`" in asked["configuration"]["query"]["query"]


def test_the_caller_is_named_as_grants_name_it(place: Placed) -> None:
    """A service account by its address; whoever is signed in by what gcloud says of them."""
    where = place()
    assert where.member == f"serviceAccount:{WORKER}"
    person = place()
    vars(person)["_credentials"] = object()
    assert person.member == 'user:"$(gcloud config get account)"'
