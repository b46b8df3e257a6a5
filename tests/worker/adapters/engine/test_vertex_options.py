"""The engine as the settings choose it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from tests.worker.adapters.engine.vertex_server import VertexServer
from tests.worker.engine.recipe import Recipe
from worker.adapters.engine.vertex import from_options
from worker.adapters.options import Options
from worker.errors import Rejected
from worker.runs.port import Submission

KEY = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"


def options(**values: Any) -> Options:
    """Return the options of settings."""
    settings = Settings(ledger="sqlite", **values)
    return Options(Path("home"), lambda: datetime.now(UTC), "one", settings.model_dump())


def test_every_setting_reaches_the_job() -> None:
    """Project, region, account, ranges, network attachment, key and failure policy are those of the settings."""
    server = VertexServer()
    attachment = "projects/p/regions/europe-west1/networkAttachments/a"
    engine = from_options(
        options(
            project="my-project",
            region="europe-west1",
            vertex_endpoint=server.address,
            vertex_service_account="runner@my-project.iam.gserviceaccount.com",
            vertex_reserved_ranges="first, second,",
            vertex_network_attachment=attachment,
            vertex_encryption_key=KEY,
            vertex_failure_policy="fast",
        )
    )
    labels = {"installation": "here", "run": "run-1"}
    engine.submit(Submission("run-1", Recipe().step("only").document, {}, "gs://bucket/runs", labels))
    engine.close()
    server.close()

    (name,) = server.jobs
    job = server.jobs[name]
    assert name == "projects/my-project/locations/europe-west1/pipelineJobs/run-1"
    assert job.service_account == "runner@my-project.iam.gserviceaccount.com"
    assert list(job.reserved_ip_ranges) == ["first", "second"]
    assert job.psc_interface_config.network_attachment == attachment
    assert job.encryption_spec.kms_key_name == KEY
    assert job.runtime_config.failure_policy.name == "PIPELINE_FAILURE_POLICY_FAIL_FAST"


def test_vertex_needs_a_project() -> None:
    """Without a project there is no engine, and what to set is told."""
    with pytest.raises(Rejected, match="GOOGLE_CLOUD_PROJECT"):
        from_options(options(project=""))
