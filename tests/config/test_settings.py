from pathlib import Path

import pytest

from config.settings import read_settings
from worker.errors import Rejected

SECRET = "postgresql://colony:hunter2@db/colony"


@pytest.fixture(autouse=True, name="environment")
def _environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Begin without any of our variables."""
    import os

    for name in list(os.environ):
        if name.startswith(("COLONY_", "GOOGLE_", "FEATURE_STORE_", "PIPELINE_")):
            monkeypatch.delenv(name)
    return monkeypatch


def test_nothing_set_is_local() -> None:
    """Without any variable everything is on this machine, under .colony."""
    settings = read_settings()

    assert settings.home == Path(".colony")
    assert {settings.backend(port, "google") for port in ("bus", "engine", "features", "models")} == {"local"}
    assert settings.ledger_url == f"sqlite:///{Path('.colony').absolute()}/ledger.db"
    assert settings.runs_root == str(Path(".colony").absolute() / "runs")


def test_a_google_project_needs_postgresql(environment: pytest.MonkeyPatch) -> None:
    """With a Google project and no PostgreSQL URL the worker refuses, and says both ways out."""
    environment.setenv("GOOGLE_CLOUD_PROJECT", "colony")

    with pytest.raises(Rejected, match=r"COLONY_LEDGER.*postgresql://.*COLONY_LEDGER=sqlite"):
        read_settings()


@pytest.mark.parametrize("ledger", [SECRET, "sqlite"])
def test_a_google_project(environment: pytest.MonkeyPatch, ledger: str) -> None:
    """With a project every port is Google's, unless it is overridden alone."""
    environment.setenv("GOOGLE_CLOUD_PROJECT", "colony")
    environment.setenv("COLONY_LEDGER", ledger)
    environment.setenv("COLONY_ENGINE", "local")
    environment.setenv("PIPELINE_BUCKET", "gs://bucket/")

    settings = read_settings()

    assert (settings.backend("bus", "pubsub"), settings.backend("engine", "vertex")) == ("pubsub", "local")
    assert settings.ledger_url.startswith(ledger)
    assert not settings.runs_root.startswith("gs://")


def test_the_bucket_is_for_vertex(environment: pytest.MonkeyPatch) -> None:
    """Runs on Vertex keep their files under the bucket, however its name is written."""
    environment.setenv("GOOGLE_CLOUD_PROJECT", "colony")
    environment.setenv("COLONY_LEDGER", "sqlite")
    for name in ("bucket", "gs://bucket", "gs://bucket/"):
        environment.setenv("PIPELINE_BUCKET", name)

        assert read_settings().runs_root == "gs://bucket/runs"


def test_a_step_opens_the_stores_that_it_was_told_of(environment: pytest.MonkeyPatch) -> None:
    """What steps are told is enough to open the same stores without a ledger's URL; a step told nothing stays local."""
    environment.setenv("GOOGLE_CLOUD_PROJECT", "colony")
    environment.setenv("COLONY_LEDGER", SECRET)
    environment.setenv("PIPELINE_BUCKET", "bucket")
    told = read_settings().told_to_steps
    environment.delenv("COLONY_LEDGER")
    environment.delenv("PIPELINE_BUCKET")

    assert SECRET not in str(told)
    assert (read_settings(step=True).models, read_settings(step=True).features) == ("local", "local")
    for name, value in told.items():
        environment.setenv(name, value)
    step = read_settings(step=True)
    assert (step.models, step.pipeline_bucket, step.project) == ("vertex", "bucket", "colony")


def test_local_whatever_the_environment_says(environment: pytest.MonkeyPatch) -> None:
    """Demo, tests and replay reach no cloud, though a shell presets a project and backends."""
    for name in ("BUS", "ENGINE", "FEATURES", "MODELS", "METRICS"):
        environment.setenv(f"COLONY_{name}", "google")
    environment.setenv("GOOGLE_CLOUD_PROJECT", "colony")
    environment.setenv("PIPELINE_BUCKET", "bucket")

    settings = read_settings(local=True)

    assert settings.project == ""
    assert {settings.backend(port, "google") for port in ("bus", "engine", "features", "models", "metrics")} == {
        "local"
    }
    assert not settings.runs_root.startswith("gs://")


def test_secrets_are_masked(environment: pytest.MonkeyPatch) -> None:
    """No way of printing the settings shows a password; the URL itself does for the one who connects."""
    environment.setenv("COLONY_LEDGER", SECRET)

    settings = read_settings()

    for text in (str(settings), repr(settings), str(settings.shown()), str(settings.model_dump())):
        assert "hunter2" not in text
    assert settings.shown()["ledger"] == "**********"
    assert settings.ledger_url == SECRET


def test_every_wrong_variable_is_named(environment: pytest.MonkeyPatch) -> None:
    """All faults at once, each by the name that the operator wrote."""
    environment.setenv("COLONY_PORT", "99999")
    environment.setenv("COLONY_MAX_RUNS", "many")
    environment.setenv("COLONY_LOG_FORMAT", "xml")

    with pytest.raises(Rejected) as error:
        read_settings()

    assert all(name in str(error.value) for name in ("COLONY_PORT", "COLONY_MAX_RUNS", "COLONY_LOG_FORMAT"))
    assert error.value.mend


def test_the_missions_names(environment: pytest.MonkeyPatch) -> None:
    """The mission's variables keep their names."""
    for name in ("GOOGLE_CLOUD_REGION", "GOOGLE_APPLICATION_CREDENTIALS", "FEATURE_STORE_NAME", "FEATURE_STORE_REGION"):
        environment.setenv(name, f"the-{name}")

    settings = read_settings()

    assert settings.region == "the-GOOGLE_CLOUD_REGION"
    assert settings.credentials == "the-GOOGLE_APPLICATION_CREDENTIALS"
    assert settings.feature_store_name == "the-FEATURE_STORE_NAME"
    assert settings.feature_store_region == "the-FEATURE_STORE_REGION"


@pytest.mark.parametrize("name", ["COLONY_AUTH_AUDIENCE", "COLONY_AUTH_EMAILS"])
def test_audience_and_emails_go_together(environment: pytest.MonkeyPatch, name: str) -> None:
    """An audience without anyone on the list, or a list without an audience, lets nobody in and is refused."""
    environment.setenv(name, "ada@example.org")

    with pytest.raises(Rejected, match="set both"):
        read_settings()


@pytest.mark.parametrize("value", ["imports", "/data, s3://bucket", "~/imports"])
def test_directories_to_import_from(environment: pytest.MonkeyPatch, value: str) -> None:
    """A directory that is not absolute, and what is no directory, is refused by the setting's name."""
    environment.setenv("COLONY_IMPORT_DIRS", value)

    with pytest.raises(Rejected, match=r"COLONY_IMPORT_DIRS: .*neither an absolute path nor"):
        read_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVICE_ACCOUNT", "runner"),
        ("NETWORK", "projects/my-project/global/networks/default"),
        ("NETWORK_ATTACHMENT", "attachment"),
        ("ENCRYPTION_KEY", "projects/p/locations/europe-west1/keyRings/r"),
        ("FAILURE_POLICY", "quick"),
        ("SUBMISSIONS", "0"),
    ],
)
def test_where_jobs_run_is_named_in_full(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A place for pipeline jobs that Vertex AI would refuse is refused at the start, by the variable's name."""
    environment.setenv(f"COLONY_VERTEX_{name}", value)

    with pytest.raises(Rejected, match=f"COLONY_VERTEX_{name}"):
        read_settings()


def test_a_job_has_one_network(environment: pytest.MonkeyPatch) -> None:
    """A peered network and a network attachment exclude each other."""
    environment.setenv("COLONY_VERTEX_NETWORK", "projects/123/global/networks/default")
    read_settings()
    environment.setenv("COLONY_VERTEX_NETWORK_ATTACHMENT", "projects/p/regions/r/networkAttachments/a")

    with pytest.raises(Rejected, match="one network"):
        read_settings()


def test_push_delivery_needs_both_or_neither(environment: pytest.MonkeyPatch) -> None:
    """An audience without the account that pushes, or the reverse, is refused and names both."""
    environment.setenv("COLONY_PUSH_AUDIENCE", "https://colony.example.org")
    with pytest.raises(Rejected, match="COLONY_PUSH_AUDIENCE, COLONY_PUSH_EMAIL: set both"):
        read_settings()

    environment.setenv("COLONY_PUSH_EMAIL", "not an address")
    with pytest.raises(Rejected, match="COLONY_PUSH_EMAIL"):
        read_settings()

    environment.setenv("COLONY_PUSH_EMAIL", "push@p.iam.gserviceaccount.com")
    assert read_settings().push_email == "push@p.iam.gserviceaccount.com"
