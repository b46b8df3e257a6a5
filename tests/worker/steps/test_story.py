from typing import Any

from tests.worker.steps.conftest import Done
from worker.bee import BeeSpec
from worker.models.gate import judge

OCTOBER = "2002-10-01T00:00:00Z"


def test_first_model_beats_the_naive_baseline(bootstrap: dict[str, Any], spam_guard: BeeSpec) -> None:
    """Trained on July 2002 without a champion, a model is deployable against the best constant prediction."""
    gate = bootstrap["gate"]

    assert bootstrap["verdict"] == "deployable", bootstrap["reason"]
    assert bootstrap["champion"] is None
    assert gate["baseline"] is True
    assert gate["challenger"] > 0.9
    assert gate["lower"] > 0
    assert judge(gate, spam_guard.gate, task="binary").passed


def test_retrain_after_the_drift_is_deployable(october: Done) -> None:
    """On rows of September that neither has seen the challenger beats the champion, and is handed over."""
    outcome = october.outcome
    gate = outcome["gate"]

    assert outcome["verdict"] == "deployable", outcome["reason"]
    assert 0.2 < gate["champion"] < 0.55
    assert gate["challenger"] > 0.85
    assert 0.3 < gate["lower"] < gate["difference"] < gate["upper"]
    assert gate["challengerTrainedUntil"] < gate["holdoutStart"]
    assert gate["championTrainedUntil"] < gate["holdoutStart"]
    assert outcome["champion"]["version"] == "1"
    assert outcome["lineage"]["snapshotId"]
    assert outcome["cost"]["cpuSeconds"] > 0
    assert set(outcome["cost"]["steps"]) >= {"training", "deployment"}
    assert [item["name"] for item in outcome["artifacts"]] == ["rows", "evaluation", "model"]


def test_retrain_before_the_drift_is_refused(new_runner: Any, spam_guard: BeeSpec, champion: dict[str, Any]) -> None:
    """On 26 September the challenger is not surely better: registered as refused, with the interval in the reason."""
    runner = new_runner()
    outcome = runner.run(runner.frozen(spam_guard, "2002-09-26T00:00:00Z", champion=champion))

    assert outcome["verdict"] == "rejected"
    assert "interval" in outcome["reason"]
    assert outcome["gate"]["lower"] <= 0
    assert outcome["challenger"]["sha256"]
