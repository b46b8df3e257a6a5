"""The deployment step hands a model over, with the plan of how it goes into production where the template has one."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.worker import world
from worker.rollout_plan import RolloutSpec
from worker.steps.files import write_json
from worker.steps.step import StepContext
from worker.steps.types.deploy import STEP


def handed_over(directory: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Run the step with a template's config, and return the outcome."""
    inputs = {"evaluation": directory / "evaluation", "registration": directory / "registration"}
    write_json(inputs["evaluation"], {"gate": world.gate()})
    write_json(inputs["registration"], {"challenger": {"uri": "mem://new", "sha256": "b" * 64}, "lineage": {}})
    ports: Any = None
    context = StepContext(
        config=STEP.config.model_validate(config),
        run={"id": "run-1"},
        bee=world.BEE,
        inputs=inputs,
        outputs={"deployment": directory / "deployment"},
        output_dir=directory,
        ports=ports,
    )
    STEP.body(context)
    found: dict[str, Any] = json.loads((directory / "outcome.json").read_text())
    return found


def test_without_a_plan_the_bees_counts(tmp_path: Path) -> None:
    """The outcome says nothing of a rollout."""
    found = handed_over(tmp_path, {})

    assert found["verdict"] == "deployable"
    assert "rollout" not in found


def test_the_templates_plan_is_handed_over(tmp_path: Path) -> None:
    """As the template writes it, and whole."""
    plan = {"strategy": "canary", "steps": [{"percent": 5, "minTime": "6h"}, {"percent": 100}], "margin": 0.01}

    found = handed_over(tmp_path, {"rollout": plan})["rollout"]

    assert RolloutSpec.model_validate(found) == RolloutSpec.model_validate(plan)


def test_a_plan_that_cannot_be_followed_is_refused_with_the_template() -> None:
    """Before anything runs."""
    with pytest.raises(ValidationError, match="the last is of 100 percent"):
        STEP.config.model_validate({"rollout": {"strategy": "canary", "steps": [{"percent": 5}]}})
