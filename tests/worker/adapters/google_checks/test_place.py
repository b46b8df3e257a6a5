from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from worker.adapters.features.google.backend import NAME
from worker.adapters.google_checks import Place, place_of
from worker.adapters.options import Options
from worker.clock import wall_clock
from worker.errors import Rejected

USED = {"bus": "pubsub", "engine": "vertex", "features": "google", "models": "vertex", "metrics": "local"}


def placed(tmp_path: Path, used: dict[str, str], **settings: Any) -> Place:
    """Return the place of these settings."""
    values = Settings(project="p", ledger="sqlite", **settings).model_dump()
    return place_of(Options(home=tmp_path, clock=wall_clock, owner="host-1", values=values), used)


def test_what_is_used_follows_from_the_settings(tmp_path: Path) -> None:
    """Local backends are not Google's; endpoints and views are used where the settings say so."""
    assert set(placed(tmp_path, USED).used) == {"bus", "engine", "features", "models", "online"}
    assert set(placed(tmp_path, USED, serving=True, features_online="bigquery").used) == {
        "bus", "engine", "features", "models", "serving",
    }  # fmt: skip
    assert placed(tmp_path, dict.fromkeys(USED, "local"), serving=True).used == {}


def test_names_are_those_that_the_adapters_take(tmp_path: Path) -> None:
    """The bucket has no scheme, the feature store its adapter's default name, and the region falls back."""
    place = placed(tmp_path, USED, pipeline_bucket="gs://b/", region="europe-west1")

    assert (place.bucket, place.store, place.store_region) == ("b", NAME, "europe-west1")
    assert (place.task, place.probe) == ("doctor-host-1", "colony-events-probe")
    named = placed(tmp_path, USED, feature_store_name="mine", feature_store_region="us-east1")
    assert (named.store, named.store_region) == ("mine", "us-east1")


def test_stand_ins_are_the_settings_endpoints(tmp_path: Path) -> None:
    """Each endpoint of the settings stands in for its service, and rights are not asked for then."""
    place = placed(tmp_path, USED, vertex_endpoint="127.0.0.1:1", bigquery_endpoint="http://127.0.0.1:2")

    assert place.stand_ins == {"vertex": "127.0.0.1:1", "bigquery": "http://127.0.0.1:2"}
    assert place.imitated
    assert not placed(tmp_path, USED).imitated


def test_without_credentials_the_mend_is_told_each_time_and_found_out_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking for credentials takes seconds where there are none: one check does it for all."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    place = placed(tmp_path, USED)
    with pytest.raises(
        Rejected, match=r"gcloud auth application-default login|GOOGLE_APPLICATION_CREDENTIALS"
    ) as first:
        _ = place.credentials
    with pytest.raises(Rejected) as second:
        _ = place.credentials

    assert first.value is second.value
