import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from config.settings import read_settings
from tests.deploy.terraform_files import local
from tests.deploy.test_terraform import defaults
from worker.cli.root import COMMANDS, root

FOLDER = Path(__file__).parents[2] / "deploy" / "cloudrun"
KINDS = {
    "worker-pool.yaml": ("run.googleapis.com/v1", "WorkerPool", "run"),
    "drain-job.yaml": ("run.googleapis.com/v1", "Job", "drain"),
    "api-service.yaml": ("serving.knative.dev/v1", "Service", "serve"),
}
#: Cloud Run gives a container no more until its start-up probe has to have passed.
BUDGET_S = 240
FILLED = {"PROJECT": "my-project", "REGION": "europe-west1", "IMAGE": "r/i@sha256:0", "EMAILS": "ada@example.org"}


def manifest(name: str) -> dict[str, Any]:
    """Return a manifest, its blanks filled in; one that nobody fills is an error."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{(\w+)\}", lambda blank: FILLED[blank[1]], text))
    return found


def pod(name: str) -> dict[str, Any]:
    """Return the spec that holds the container."""
    spec: dict[str, Any] = manifest(name)["spec"]["template"]["spec"]
    return spec["template"]["spec"] if name.startswith("drain") else spec


def environment(name: str) -> dict[str, Any]:
    """Return the container's variables, those from secrets with the secret's name."""
    variables = pod(name)["containers"][0]["env"]
    return {one["name"]: one.get("value") or one["valueFrom"]["secretKeyRef"]["name"] for one in variables}


def test_every_file_is_checked() -> None:
    """No manifest is left out here."""
    assert {path.name for path in FOLDER.iterdir()} == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_it_runs_a_command_of_ours_as_its_own_account(name: str) -> None:
    """Kind, command and account are those of its role, and the command says with what it is applied."""
    api, kind, command = KINDS[name]
    found, container = manifest(name), pod(name)["containers"][0]

    assert (found["apiVersion"], found["kind"]) == (api, kind)
    assert container["command"] == ["colony"]
    assert container["args"][0] == command
    assert command in COMMANDS
    role = "api" if command == "serve" else "worker"
    assert pod(name)["serviceAccountName"] == f"colony-{role}@my-project.iam.gserviceaccount.com"
    assert name in (FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", KINDS)
def test_it_is_told_settings_that_exist(name: str) -> None:
    """Each variable is a setting, what Terraform tells by default is told here, and the ledger is a secret."""
    told = environment(name)
    optional = {key for key in local("told") if defaults().get(key) == ""} - set(told)

    assert told.keys() - defaults().keys() == set()
    assert told["COLONY_LEDGER"] == "colony-ledger"
    unsaid = set(local("told")) - told.keys() - optional
    # What it does not say has the same default there and here.
    pubsub = {f"COLONY_{name}" for name in ("INTAKE_TOPIC", "SUBSCRIPTION", "EVENTS_TOPIC", "DEAD_LETTER_TOPIC")}
    assert unsaid <= {*pubsub, "COLONY_SERVING", "COLONY_FEATURES_ONLINE"}


@pytest.mark.parametrize("name", KINDS)
def test_its_settings_are_valid(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process would start with what it is told, on Google's backends throughout."""
    for variable in [variable for variable in os.environ if variable.startswith(("COLONY_", "GOOGLE_"))]:
        monkeypatch.delenv(variable)
    for variable, value in {**environment(name), "COLONY_LEDGER": "postgresql://colony@/colony?cloudsql=p:r:i"}.items():
        monkeypatch.setenv(variable, value)

    settings = read_settings()

    assert settings.runs_root == "gs://my-project-colony/runs"
    assert settings.backend("features", "google") == "google"
    assert settings.vertex_service_account == "colony-steps@my-project.iam.gserviceaccount.com"


@pytest.mark.parametrize("name", KINDS)
def test_its_options_exist(name: str) -> None:
    """What the command is given is among its options."""
    command, *options = pod(name)["containers"][0]["args"]
    shown = CliRunner().invoke(root, [command, "--help"]).output

    assert [word for word in options if word.startswith("--") and word not in shown] == []


@pytest.mark.parametrize("name", ["worker-pool.yaml", "api-service.yaml"])
def test_probes_fit_into_what_cloud_run_allows(name: str) -> None:
    """The start has at least a minute, no more than Cloud Run gives, and probes ask the port that is listened on."""
    container, told = pod(name)["containers"][0], environment(name)
    start, alive = container["startupProbe"], container["livenessProbe"]
    budget = start["periodSeconds"] * start["failureThreshold"]

    assert 60 <= budget <= BUDGET_S
    assert all(probe["timeoutSeconds"] <= probe["periodSeconds"] for probe in (start, alive))
    port = int(told["COLONY_HEALTH_PORT" if "COLONY_HEALTH_PORT" in told else "COLONY_PORT"])
    assert {start["httpGet"]["port"], alive["httpGet"]["port"]} == {port}
    paths = {start["httpGet"]["path"], alive["httpGet"]["path"]}
    assert paths == ({"/readyz", "/livez"} if "COLONY_HEALTH_PORT" in told else {"/healthz"})


def test_the_job_ends_before_it_is_ended() -> None:
    """The drain's own limit leaves time within the job's, and a failed one is not tried again at once."""
    spec = pod("drain-job.yaml")
    args = spec["containers"][0]["args"]

    assert float(args[args.index("--max-seconds") + 1]) <= int(spec["timeoutSeconds"]) - 60
    assert spec["maxRetries"] == 0


def test_the_api_is_reached_from_outside_and_lets_in_whom_it_knows() -> None:
    """It listens on every address, for which there has to be an audience with addresses, or a token."""
    told = environment("api-service.yaml")

    assert told["COLONY_HOST"] == "0.0.0.0"  # noqa: S104 - in a container
    assert told["COLONY_AUTH_AUDIENCE"]
    assert told["COLONY_AUTH_EMAILS"]
    assert pod("api-service.yaml")["containers"][0]["ports"][0]["containerPort"] == int(told["COLONY_PORT"])
