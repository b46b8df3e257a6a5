"""The environment, typed; secrets are masked when printed, and nobody reaches Google by accident."""

import os
from pathlib import Path
from typing import Any, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.access.link import MIN_SECRET
from worker.errors import Rejected


def _named(name: str, default: Any) -> Any:
    return Field(default=default, validation_alias=AliasChoices(name))


class Settings(BaseSettings):
    """Every setting; the mission's variables keep their names, ours begin with `COLONY_`.

    Backends: with no Google project everything is local; with one, everything that has a Google backend uses it;
    `COLONY_BUS`, `COLONY_ENGINE`, `COLONY_FEATURES`, `COLONY_MODELS`, `COLONY_METRICS` and `COLONY_BILLING` override
    one alone.
    """

    model_config = SettingsConfigDict(env_prefix="COLONY_", extra="ignore", frozen=True, populate_by_name=True)

    home: Path = Path(".colony")
    config: Path | None = None
    ledger: SecretStr = SecretStr("")
    bus: str = ""
    engine: str = ""
    features: str = ""
    models: str = ""
    metrics: str = ""
    billing: str = ""

    project: str = _named("GOOGLE_CLOUD_PROJECT", "")
    region: str = _named("GOOGLE_CLOUD_REGION", "us-central1")
    credentials: str = _named("GOOGLE_APPLICATION_CREDENTIALS", "")
    feature_store_name: str = _named("FEATURE_STORE_NAME", "")
    feature_store_region: str = _named("FEATURE_STORE_REGION", "")
    pipeline_bucket: str = _named("PIPELINE_BUCKET", "")

    subscription: str = "colony-model-evaluated"
    intake_topic: str = "colony-model-evaluated"
    events_topic: str = "colony-events"
    dead_letter_topic: str = "colony-dead-letters"
    push_audience: str = ""
    push_email: str = Field(default="", pattern="^(|[^@ ]+@[^@ ]+)$")
    vertex_endpoint: str = ""
    vertex_service_account: str = Field(default="", pattern=r"^(|[^@\s]+@[^@\s]+)$")
    vertex_network: str = Field(default="", pattern=r"^(|projects/[0-9]+/global/networks/[^/\s]+)$")
    vertex_reserved_ranges: str = ""
    vertex_network_attachment: str = Field(
        default="", pattern=r"^(|projects/[^/\s]+/regions/[^/\s]+/networkAttachments/[^/\s]+)$"
    )
    vertex_encryption_key: str = Field(
        default="", pattern=r"^(|projects/[^/\s]+/locations/[^/\s]+/keyRings/[^/\s]+/cryptoKeys/[^/\s]+)$"
    )
    vertex_failure_policy: str = Field(default="slow", pattern="^(slow|fast)$")
    vertex_submissions: int = Field(default=60, ge=1, le=10_000)
    storage_endpoint: str = Field(default="", pattern="^(|https?://.+)$")
    serving: bool = False
    serving_machine: str = Field(default="n1-standard-2", pattern="^[a-z0-9-]+$")
    serving_min_replicas: int = Field(default=1, ge=1, le=1000)
    serving_max_replicas: int = Field(default=1, ge=1, le=1000)
    serving_service_account: str = Field(default="", pattern=r"^(|[^@\s]+@[^@\s]+)$")
    serving_hold_hours: float = Field(default=24, ge=0, le=8760)
    image: str = "colony-mlops:latest"

    chat_url: str = Field(default="", pattern="^(|https?://.+)$")
    chat_key: SecretStr = SecretStr("")
    chat_key_secret: str = Field(default="", pattern="^(|projects/.+/secrets/.+/versions/.+)$")

    webhook: SecretStr = SecretStr("")
    link_secret: SecretStr = Field(default=SecretStr(""))
    public_url: str = Field(default="", pattern="^(|https?://[^?#]+)$")

    import_dirs: str = ""

    max_runs: int = Field(default=2, ge=1, le=1000)
    max_steps: int = Field(default=2, ge=1, le=1000)
    step_memory_mb: int = Field(default=0, ge=0)
    step_timeout_s: float = Field(default=0, ge=0)
    lease_seconds: float = Field(default=20, ge=1, le=3600)
    cpu_hour_price: float = Field(default=0.05, ge=0)
    memory_gb_hour_price: float = Field(default=0.005, ge=0)
    billing_table: str = ""
    billing_days: float = Field(default=35, ge=2, le=400)
    billing_max_gb: float = Field(default=10, gt=0, le=100_000)
    poll_seconds: float = Field(default=0.2, gt=0, le=3600)
    reconcile_seconds: float = Field(default=60, ge=1, le=3600)
    stalled_hours: float = Field(default=6, ge=0, le=8760)
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    health_port: int = Field(default=0, ge=0, le=65535)
    auth: str = Field(default="auto", pattern="^(auto|required)$")
    auth_audience: str = ""
    auth_emails: str = ""
    auth_failures: int = Field(default=10, ge=1)
    rate_limit: int | None = Field(default=None, ge=0)
    max_streams: int = Field(default=64, ge=1)
    cors_origins: str = ""
    trusted_proxies: str = ""
    features_sync: str = Field(default="full", pattern="^(full|normal)$")
    features_online: str = Field(default="views", pattern="^(views|bigquery)$")
    features_direct_write: bool = False
    bigquery_endpoint: str = Field(default="", pattern="^(|https?://.+)$")
    features_accessed: float = Field(default=1.0, ge=0, le=1)
    skew: str = Field(default="auto", pattern="^(auto|refuse|warn)$")
    predictions_logged: float = Field(default=1.0, ge=0, le=1)
    predictions_queue: int = Field(default=10_000, ge=1, le=10_000_000)
    predictions_days: float = Field(default=90, ge=0, le=36500)
    predictions_seconds: float = Field(default=0, ge=0, le=3600)
    attempts: int = Field(default=5, ge=1, le=100)
    max_outbox: int = Field(default=100_000, ge=0)
    keep_inbox_days: float = Field(default=31, ge=31, le=36500)
    keep_decisions_days: float = Field(default=0, ge=0, le=36500)
    keep_published_days: float = Field(default=0, ge=0, le=36500)
    keep_run_days: float = Field(default=0, ge=0, le=36500)
    request_key_days: float = Field(default=31, gt=0, le=36500)
    log_level: str = Field(default="", pattern="^(|debug|info|warning|error)$")
    log_format: str = Field(default="auto", pattern="^(auto|json|console)$")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.project and not self.ledger.get_secret_value():
            raise ValueError(
                "COLONY_LEDGER: GOOGLE_CLOUD_PROJECT is set but no PostgreSQL URL; "
                "set COLONY_LEDGER=postgresql://…, or COLONY_LEDGER=sqlite to keep the ledger on this machine"
            )
        for word in filter(None, map(str.strip, self.import_dirs.split(","))):
            if not word.startswith(("/", "gs://")):
                raise ValueError(f"COLONY_IMPORT_DIRS: {word!r} is neither an absolute path nor a gs:// URI")
        if self.link_secret.get_secret_value() and len(self.link_secret.get_secret_value()) < MIN_SECRET:
            raise ValueError(f"COLONY_LINK_SECRET: use a random text of at least {MIN_SECRET} characters")
        if self.serving_max_replicas < self.serving_min_replicas:
            raise ValueError("COLONY_SERVING_MAX_REPLICAS: it is below COLONY_SERVING_MIN_REPLICAS")
        if self.vertex_network and self.vertex_network_attachment:
            raise ValueError("COLONY_VERTEX_NETWORK, COLONY_VERTEX_NETWORK_ATTACHMENT: set one; a job has one network")
        if bool(self.push_audience) != bool(self.push_email):
            raise ValueError(
                "COLONY_PUSH_AUDIENCE, COLONY_PUSH_EMAIL: set both, or neither; "
                "one says for whom Pub/Sub's push tokens are made, the other which service account sends them"
            )
        if bool(self.auth_audience) != bool(self.auth_emails):
            raise ValueError(
                "COLONY_AUTH_AUDIENCE, COLONY_AUTH_EMAILS: set both, or neither; "
                "one says for whom Google's ID tokens are made, the other who may come in with one"
            )
        return self

    def backend(self, port: str, google: str) -> str:
        """Return which backend serves a port: its own override, else Google's with a project, else the local one."""
        chosen = getattr(self, port)
        return str(chosen) if chosen else (google if self.project else "local")

    @property
    def told_to_steps(self) -> dict[str, str]:
        """The variables by which a step opens the same stores, wherever it runs; nothing in them is secret."""
        told = {
            "COLONY_FEATURES": self.backend("features", "google"),
            "COLONY_MODELS": self.backend("models", "vertex"),
        }
        if set(told.values()) != {"local"}:
            told |= {
                "GOOGLE_CLOUD_PROJECT": self.project,
                "GOOGLE_CLOUD_REGION": self.region,
                "FEATURE_STORE_NAME": self.feature_store_name,
                "FEATURE_STORE_REGION": self.feature_store_region,
                "PIPELINE_BUCKET": self.pipeline_bucket,
                "COLONY_STORAGE_ENDPOINT": self.storage_endpoint,
                "COLONY_BIGQUERY_ENDPOINT": self.bigquery_endpoint,
                "COLONY_FEATURES_ONLINE": self.features_online,
            }
        return {name: value for name, value in told.items() if value}

    @property
    def ledger_url(self) -> str:
        """The ledger's URL with its secrets; never to be printed."""
        given = self.ledger.get_secret_value()
        if given in {"", "sqlite"}:
            return f"sqlite:///{self.home.absolute() / 'ledger.db'}"
        return given

    @property
    def reached_at(self) -> str:
        """The URL under which people reach the API, without a slash at its end."""
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"

    @property
    def runs_root(self) -> str:
        """Where runs keep their files: under the pipeline bucket if there is one and Vertex runs them, else at home."""
        if self.pipeline_bucket and self.backend("engine", "vertex") == "vertex":
            return f"gs://{self.pipeline_bucket.removeprefix('gs://').rstrip('/')}/runs"
        return str(self.home.absolute() / "runs")

    def shown(self) -> dict[str, str]:
        """Return every setting as text, secrets masked."""
        return {name: str(value) for name, value in self.model_dump().items()}


def read_settings(*, local: bool = False, step: bool = False) -> Settings:
    """Read the environment.

    Args:
        local: ignore Google and every backend override, whatever the environment says.
        step: for a pipeline's step, which has no ledger and opens the stores that it was told of (`told_to_steps`).

    Raises:
        Rejected: a variable is wrong; the error names each and its mend.
    """
    forced: dict[str, Any] = {}
    if local:
        forced = {"GOOGLE_CLOUD_PROJECT": "", "PIPELINE_BUCKET": ""}
        forced |= dict.fromkeys(("bus", "engine", "features", "models", "metrics", "billing"), "local")
    if step:
        forced["ledger"] = "sqlite"
        forced |= {name: os.environ.get(f"COLONY_{name.upper()}") or "local" for name in ("features", "models")}
    try:
        return Settings(**forced)
    except ValidationError as error:
        faults = "; ".join(_fault(fault) for fault in error.errors())
        raise Rejected(faults, field="environment", mend="correct the variables and start again") from error


def _fault(fault: Any) -> str:
    where = "/".join(str(part) for part in fault["loc"])
    said = str(fault["msg"]).removeprefix("Value error, ")
    if not where:
        return said
    name = where if where.isupper() else f"COLONY_{where.upper()}"
    return f"{name}: {said}"
