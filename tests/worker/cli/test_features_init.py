"""`colony features init` over stand-ins of BigQuery and Vertex AI."""

from collections.abc import Iterator

import pytest

from tests.worker.adapters.features.google.bigquery_server import BigQueryServer
from tests.worker.adapters.features.google.view_server import ViewServer
from tests.worker.cli.conftest import Here


@pytest.fixture(name="views")
def _views(monkeypatch: pytest.MonkeyPatch, here: Here) -> Iterator[ViewServer]:
    """Serve both, with the environment pointing at them."""
    assert here
    bigquery = BigQueryServer()
    views = ViewServer(bigquery.database)
    variables = {
        "COLONY_LEDGER": "sqlite",
        "GOOGLE_CLOUD_PROJECT": "proj",
        "GOOGLE_CLOUD_REGION": "europe-west1",
        "FEATURE_STORE_NAME": "hive",
        "COLONY_BUS": "local",
        "COLONY_METRICS": "local",
        "COLONY_BIGQUERY_ENDPOINT": bigquery.endpoint,
        "COLONY_VERTEX_ENDPOINT": views.address,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    yield views
    views.close()
    bigquery.close()


def test_what_is_missing_is_made_by_the_command_that_is_told(here: Here, views: ViewServer) -> None:
    """Before it a listing names it; after it features are defined, and served once it was run again."""
    code, _, errors = here("features", "list")
    assert (code, "colony features init" in errors) == (2, True)
    code, output, _ = here("features", "init")
    assert code == 0
    assert output.startswith("made data set proj.hive\nmade data set proj.hive_staging\nmade projects/proj/locations/")
    define = ("features", "define", "--name", "karma", "--entity", "user", "--type", "number")
    assert here(*define)[0] == 0
    code, _, errors = here("features", "get", "ada", "karma")
    assert (code, "colony features init" in errors) == (2, True)
    code, output, _ = here("features", "init")
    assert "featureGroups/hive_user/features/karma\n" in output
    assert here("features", "init")[1] == "everything was there\n"
    assert any(name.endswith("/featureViews/user") for name in views.resources)
    assert "MISSING" in here("features", "get", "ada", "karma")[1]


def test_a_local_store_needs_nothing_made(here: Here) -> None:
    """The command says so, and how another store is chosen."""
    code, _, errors = here("features", "init")
    assert (code, "GOOGLE_CLOUD_PROJECT" in errors) == (2, True)
