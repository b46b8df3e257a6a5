"""A retraining that branches: what is not better is not even registered."""

from pathlib import Path
from typing import Any

from tests.story.conftest import Colony

CAREFUL = """
name: careful-retrain
extends: auto-retrain
parameters:
  register: {type: boolean, default: true, description: Whether a better model is registered and handed over.}
steps:
  - {id: train_model, timeout: 30m, retry: {attempts: 3, backoff: 1m}}
  - id: register_model
    when: ${parameters.register} and ${steps.evaluate_model.outputs.better}
"""


def test_only_what_is_better_is_registered(colony: Colony, tmp_path: Path) -> None:
    """Before the drift the challenger is refused, and what follows is skipped; after it the new model is live."""
    own = tmp_path / "own" / "pipelines"
    own.mkdir(parents=True)
    (own / "careful-retrain.yaml").write_text(CAREFUL, encoding="utf-8")
    colony.environment["COLONY_CONFIG"] = str(own.parent)
    colony.run("pipelines", "compile", "careful-retrain")

    def retrained(as_of: str) -> dict[str, Any]:
        colony.run("trigger", "careful-retrain", "--bee", "spam-guard", "--as-of", as_of, "--wait")
        return colony.rows("runs")[-1]

    refused, deployed = retrained("2002-09-26"), retrained("2002-10-01")

    assert (refused["status"], refused["verdict"]) == ("succeeded", "rejected")
    assert "interval" in refused["outcome"]["reason"]
    assert [step["status"] for step in refused["steps"]] == ["succeeded"] * 4 + ["skipped"] * 2
    assert deployed["verdict"] == "deployed"
    assert {step["status"] for step in deployed["steps"]} == {"succeeded"}
