import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.settings import Settings
from tests.deploy.terraform_files import FOLDER, ROOT, local, parsed, resources, text, variables
from tests.deploy.terraform_mock import without_providers
from worker.adapters.features.google.bigquery import STAGING_HOURS, BigQuery
from worker.adapters.google_checks.project import NEEDED

ALLOWED: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "terraform_allowed.yaml").read_text(encoding="utf-8"))
TERRAFORM = shutil.which("terraform")
needs_terraform = pytest.mark.skipif(TERRAFORM is None, reason="terraform is not on this machine")


def terraform(*words: str, folder: Path) -> str:
    """Run Terraform and return what it says; it must end well."""
    done = subprocess.run(
        [str(TERRAFORM), *words], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def defaults() -> dict[str, Any]:
    """Return each setting's default, by the name of its environment variable."""
    found = {}
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        found[alias.choices[0] if alias else f"COLONY_{name.upper()}"] = field.default  # type: ignore[union-attr]
    return found


@needs_terraform
def test_the_files_are_formatted() -> None:
    """`terraform fmt` would change nothing."""
    assert terraform("fmt", "-check", "-diff", "-recursive", folder=FOLDER) == ""


@needs_terraform
def test_every_expression_is_valid(tmp_path: Path) -> None:
    """Terraform itself accepts variables, locals and what resources are repeated over, with resources made up."""
    (tmp_path / "main.tf").write_text(without_providers(FOLDER), encoding="utf-8")
    shutil.copy(FOLDER / "metrics.json", tmp_path)

    terraform("init", "-input=false", "-no-color", folder=tmp_path)
    terraform("validate", "-no-color", folder=tmp_path)


@pytest.mark.parametrize("resource", resources(), ids=lambda resource: f"{resource.type}.{resource.name}")
def test_resources_have_only_known_arguments(resource: Any) -> None:
    """Each resource's type and all its arguments stand in the checked list."""
    assert resource.type in ALLOWED["resources"]
    assert resource.arguments - set(ALLOWED["resources"][resource.type]) == set()


def test_the_list_has_no_type_that_is_not_used() -> None:
    """What was removed from the files is removed from the list."""
    assert set(ALLOWED["resources"]) == {resource.type for resource in resources()}


def test_every_reference_is_there() -> None:
    """Each variable, local and resource that an expression names is declared."""
    words = text()
    declared = {f"{resource.type}.{resource.name}" for resource in resources()}
    locals_ = {name for block in parsed()["locals"] for name in block}

    assert set(re.findall(r"\bvar\.(\w+)", words)) - variables().keys() == set()
    assert set(re.findall(r"\blocal\.(\w+)", words)) - locals_ == set()
    assert set(re.findall(r"(?<!data\.)\b(google_\w+\.\w+)", words)) - declared == set()


def test_every_variable_is_described_typed_and_used() -> None:
    """No variable is there for nothing, and each tells what it is in a sentence."""
    words = text()
    for name, body in variables().items():
        assert body["description"].endswith((".", "_EMAILS.")), name
        assert "type" in body, name
        assert re.search(rf"\bvar\.{name}\b", words.replace(f'variable "{name}"', "")), f"{name} is not used"


def test_the_example_sets_only_variables() -> None:
    """The example of settings names variables that exist, and every one that has no default."""
    example = (FOLDER / "terraform.tfvars.example").read_text(encoding="utf-8")
    named = set(re.findall(r"(?m)^(\w+)\s*=", example))

    assert named - variables().keys() == set()
    assert {name for name, body in variables().items() if "default" not in body} - named == set()


def test_every_output_is_described() -> None:
    """Each output says what it is."""
    assert all(body["description"] for block in parsed()["output"] for body in block.values())


def test_versions_are_pinned() -> None:
    """The provider's major version is pinned, and Terraform's own has a floor."""
    block = parsed()["terraform"][0]

    assert block["required_providers"][0]["google"] == {"source": "hashicorp/google", "version": "~> 7.0"}
    assert block["required_version"] == ">= 1.9"


def test_names_are_the_settings_own() -> None:
    """A colony whose settings are the defaults finds what Terraform made, by the defaults of both."""
    known, found = defaults(), variables()
    environment: dict[str, str] = local("told")

    assert set(environment) - known.keys() == set()
    for name in ("COLONY_INTAKE_TOPIC", "COLONY_SUBSCRIPTION", "COLONY_EVENTS_TOPIC", "COLONY_DEAD_LETTER_TOPIC"):
        variable = environment[name].removeprefix("${var.").removesuffix("}")
        assert found[variable]["default"] == known[name]
    assert found["region"]["default"] == known["GOOGLE_CLOUD_REGION"]


def test_every_container_is_told_known_settings() -> None:
    """Each variable that a container on Cloud Run gets is a setting."""
    words = (FOLDER / "run.tf").read_text(encoding="utf-8") + (FOLDER / "locals.tf").read_text(encoding="utf-8")
    named = set(re.findall(r"\b(COLONY_[A-Z_]+)\s*=", words))

    assert named - defaults().keys() == set()
    assert {"COLONY_LEDGER", "COLONY_HEALTH_PORT", "COLONY_AUTH_AUDIENCE"} <= named


def test_subscriptions_neither_expire_nor_lose_what_fails() -> None:
    """None expires; what the worker cannot handle goes to the dead letters, with Pub/Sub's account let in."""
    found = {each.name: each.body for each in resources() if each.type == "google_pubsub_subscription"}

    assert all(body["expiration_policy"][0]["ttl"] == "" for body in found.values())
    for name in ("intake", "pushed"):
        assert found[name]["dead_letter_policy"][0]["max_delivery_attempts"] == 100
        assert found[name]["retry_policy"] == [{"minimum_backoff": "10s", "maximum_backoff": "600s"}]
    granted = {each.type: each.body for each in resources() if each.name == "dead_letters"}
    assert granted["google_pubsub_topic_iam_member"]["role"] == "roles/pubsub.publisher"
    assert granted["google_pubsub_subscription_iam_member"]["role"] == "roles/pubsub.subscriber"
    assert {body["member"] for body in granted.values()} == {"${local.pubsub_agent}"}


def test_the_ends_of_pipeline_jobs_come_to_the_intake() -> None:
    """The sink sends to the topic that the worker's subscription hangs on, may do so, and sends nothing but ends."""
    found = {(each.type, each.name): each.body for each in resources()}
    sink = found["google_logging_project_sink", "run_states"]
    topic = found["google_pubsub_subscription", "intake"]["topic"]

    assert sink["destination"] == "pubsub.googleapis.com/" + topic
    assert found["google_pubsub_topic_iam_member", "run_states"]["topic"] == topic
    assert all(f"PIPELINE_STATE_{state}" in sink["filter"] for state in ("SUCCEEDED", "FAILED", "CANCELLED"))


def test_bulk_loads_pass_through_a_dataset_whose_tables_go_by_themselves() -> None:
    """The second dataset is named as the feature store names it, and its tables live as long there and here."""
    words = (FOLDER / "bigquery.tf").read_text(encoding="utf-8")
    warehouse = BigQuery("p", "colony", "us-central1")

    assert warehouse.staging == "colony_staging"
    assert re.search(rf'"\$\{{var.feature_store_name}}_staging"\s*=\s*{STAGING_HOURS}\b', words)


def test_each_account_has_its_own_grants_and_no_more() -> None:
    """Grants on project, bucket and dataset are the listed ones, role by role."""
    accounts = set(local("accounts"))
    for name, grants in ALLOWED["grants"].items():
        assert local("project_roles").get(name, []) == grants.get("project", []), name
        assert local("bucket_roles").get(name) == grants.get("bucket"), name
        assert local("dataset_roles").get(name) == grants.get("dataset"), name
    assert accounts == set(ALLOWED["grants"])
    powers = {role for roles in local("project_roles").values() for role in roles}
    assert not powers & {"roles/owner", "roles/editor", "roles/storage.admin", "roles/pubsub.admin"}


def test_grants_on_single_things_are_listed() -> None:
    """Every other grant of the files has a listed role."""
    shared = {"google_project_iam_member", "google_storage_bucket_iam_member", "google_bigquery_dataset_iam_member"}
    for each in resources():
        if each.type.endswith("_iam_member") and each.type not in shared:
            known = [*ALLOWED["single"].get(each.type, []), "roles/pubsub.publisher"]
            assert each.body["role"] in known, f"{each.type}.{each.name}"


def test_custom_roles_hold_the_listed_permissions() -> None:
    """The two custom roles are made of exactly the permissions that the list has."""
    words = (FOLDER / "accounts.tf").read_text(encoding="utf-8")
    api = set(local("feature_reading"))
    worker = set(re.findall(r'"(aiplatform[^"]+)"', words.split("custom_roles = {")[1].split("api = local")[0]))

    assert api == set(ALLOWED["permissions"]["api"])
    assert worker == set(ALLOWED["permissions"]["worker"])


def test_doctor_asks_for_the_permissions_of_the_workers_role() -> None:
    """What `colony doctor` wants of the worker in the project is what Terraform gives it."""
    wanted = {permission for permissions in NEEDED.values() for permission in permissions}
    given = set(ALLOWED["permissions"]["api"]) | set(ALLOWED["permissions"]["worker"])

    assert {permission for permission in wanted if permission.startswith("aiplatform.")} == given
    assert wanted - given == {"bigquery.jobs.create", "monitoring.timeSeries.create"}


def test_descriptors_are_the_declared_metrics() -> None:
    """metrics.json is what deploy/metrics.py prints: kinds, words and labels of worker/telemetry.py."""
    namespace: dict[str, Any] = {"__name__": "metrics"}
    exec((ROOT / "deploy" / "metrics.py").read_text(encoding="utf-8"), namespace)  # noqa: S102 - our own file

    mend = "run `python deploy/metrics.py > deploy/terraform/metrics.json`"
    assert (FOLDER / "metrics.json").read_text(encoding="utf-8") == namespace["descriptors"](), mend


def test_alerts_and_charts_look_at_declared_metrics() -> None:
    """Each of our metrics that an alert or a chart names is declared, with the labels that it groups by."""
    import json

    metrics = json.loads((FOLDER / "metrics.json").read_text(encoding="utf-8"))
    watched = [*local("alerts").values(), *local("charts").values()]
    for each in watched:
        own = re.search(r"\{local\.own\}/(\w+)", each["filter"])
        if own:
            labels = set(metrics[own.group(1)]["labels"])
            named = set(re.findall(r"metric\.label\.(\w+)", " ".join([each["filter"], *each["by"]])))
            assert named - labels == set(), each["filter"]


def test_every_alert_is_explained() -> None:
    """The runbook has a section for each alert."""
    runbook = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    names = [*local("alerts"), "worker-silent"]

    assert [name for name in names if f"\n### {name}\n" not in runbook] == []


def test_nothing_secret_is_in_the_files() -> None:
    """Secrets have containers only; no version, password or key is made by Terraform."""
    words = text()

    assert "google_secret_manager_secret_version" not in words
    assert "google_sql_user" not in words
    assert not re.search(r"(?i)password\s*=", words)
