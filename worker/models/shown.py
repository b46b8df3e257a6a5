"""A model version in the published form, for `--json` and HTTP."""

from typing import Any

from worker.bee import BeeSpec
from worker.clock import to_text
from worker.models.port import ModelVersion


def settings_of(version: ModelVersion) -> dict[str, Any] | None:
    """Return the settings that a version of a bee that generates text consists of, None for any other model."""
    if version.lineage.get("algorithm") != "generation":
        return None
    return dict(version.lineage.get("hyperparameters") or {})


def settings_in_force(bee: BeeSpec, champion: ModelVersion | None) -> dict[str, Any] | None:
    """Return the settings that a bee answers with: its champion's, before there is one those of its file."""
    if champion is not None:
        return settings_of(champion)
    return bee.trainer.settings.model_dump(by_alias=True) if bee.trainer.settings else None


def shown_version(version: ModelVersion, champion: str | None) -> dict[str, Any]:
    """Return the version as one JSON object; `champion` is the bee's version in production."""
    return {
        "beeId": version.bee,
        "version": version.version,
        "state": version.state,
        "champion": champion == version.version,
        "gatePassed": version.gate_passed,
        "forced": version.forced,
        "metrics": dict(version.metrics),
        "runId": version.run_id,
        "createdAt": to_text(version.created_at),
        "artifact": {"uri": version.artifact.uri, "sha256": version.artifact.sha256},
        "lineage": dict(version.lineage),
    }
