import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chat_server import ChatServer, Reply
from tests.worker.steps.test_experiment import experiment
from tests.worker.steps.trainers.conftest import answer, ti_guy_chat
from worker.bee import BeeSpec
from worker.errors import Rejected, TryLater
from worker.models.gate import judge
from worker.steps.trainers.settings_file import read_settings

NOW = "2026-11-20T00:00:00Z"
VARIANTS = [
    {"name": "cool", "temperature": 0.1},
    {"name": "hot", "temperature": 1.0},
    {"name": "dear", "temperature": 0.1, "model": "large"},
]


@dataclass(frozen=True)
class Compared:
    """An experiment that was run, and what the server was asked."""

    runner: Any
    outcome: dict[str, Any]
    server: ChatServer


@pytest.fixture(name="compared", scope="module")
def _compared(new_runner: Any) -> Iterator[Compared]:
    """The experiment of three variants and one whose model does not exist."""
    server, runner = ChatServer(), new_runner()
    server.answer, server.answer_once = answer, 5  # one more than a single variant may ask
    run = runner.frozen(ti_guy_chat(), NOW, template="experiment")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLONY_CHAT_URL", server.url)
        patch.setenv("COLONY_CHAT_KEY", "hush")
        yield Compared(runner, experiment(runner, run, [*VARIANTS, {"name": "gone", "model": "none"}]), server)
    server.close()


def _variant(outcome: dict[str, Any], name: str) -> dict[str, Any]:
    return next(item for item in outcome["comparison"]["variants"] if item["name"] == name)


def test_three_variants_side_by_side(compared: Compared) -> None:
    """Every variant answers every prompt; hot settings are worse, and of two equals the cheaper wins."""
    outcome = compared.outcome
    comparison = outcome["comparison"]

    assert outcome["verdict"] == "registered"
    assert comparison["winner"] == "cool"
    assert "cool is the cheapest" in comparison["words"]
    assert "tie" in comparison["words"]
    assert comparison["rows"] == 20
    assert _variant(outcome, "hot")["againstBest"]["word"] == "worse"
    assert _variant(outcome, "dear")["usd"] == pytest.approx(10 * _variant(outcome, "cool")["usd"])
    assert [part["value"] for part in _variant(outcome, "cool")["slices"]] == ["first", "second"]
    assert sum(request["model"] == "small" for request in compared.server.requests) == 40
    assert set(compared.server.keys) == {"Bearer hush"}
    assert outcome["lineage"]["experiment"]["hyperparameters"]["temperature"] == 0.1


def test_unknown_model_is_one_failed_variant(compared: Compared) -> None:
    """A variant that the endpoint refuses is failed with the endpoint's words, and the others are compared."""
    assert "no model none" in _variant(compared.outcome, "gone")["error"]
    assert compared.outcome["lineage"]["experiment"]["chosenAmong"] == 3


def test_tokens_and_price_are_in_the_runs_cost(compared: Compared) -> None:
    """What the variants took is summed into the run's cost; a failed one's is not guessed."""
    cost, variants = compared.outcome["cost"], compared.outcome["comparison"]["variants"]

    assert cost["outputTokens"] == sum(item["outputTokens"] for item in variants if item["status"] == "compared")
    assert cost["usd"] == pytest.approx(sum(item["usd"] for item in variants if item["status"] == "compared"))
    assert cost["requests"] >= 60


def test_variants_are_asked_at_the_same_time(compared: Compared) -> None:
    """Requests of several variants are under way at once, within each one's bound."""
    assert 4 < compared.server.most_at_once <= 16


def test_answers_are_in_the_report(compared: Compared) -> None:
    """The report shows what each variant said to each prompt."""
    page = compared.runner.paths["report"].read_text(encoding="utf-8")

    assert "What is number 3?" in page
    assert page.count('class="said"') == 4 + 20 * 3


def test_retraining_uses_the_winner(compared: Compared, new_runner: Any, chat: ChatServer) -> None:
    """With from_best_experiment the model is the winner's settings, hash-checked, and the gate knows of the choice."""
    best = {"version": "1", **compared.outcome["lineage"]["experiment"]}
    bee = ti_guy_chat(trainer={"hyperparameters": "from_best_experiment"})
    runner = new_runner()
    outcome = runner.run(runner.frozen(bee, NOW, bestExperiment=best))
    path = Path(outcome["challenger"]["uri"].removeprefix("file://"))
    settings, _ = read_settings(path, outcome["challenger"]["sha256"])

    assert outcome["verdict"] == "deployable", outcome["reason"]
    assert settings.temperature == 0.1
    assert outcome["lineage"]["hyperparametersFrom"] == f"experiment {best['run']}: variant cool, version 1"
    assert (outcome["gate"]["sharedPrompts"], outcome["gate"]["chosenAmong"]) == (10, 3)
    assert outcome["gate"]["confidence"] == pytest.approx(1 - 0.05 / 3)


def _searching(**trainer: Any) -> BeeSpec:
    space = {"temperature": {"low": 0.0, "high": 1.0}, "maxTokens": [20, 50]}
    return ti_guy_chat(trainer={"space": space, "trials": 6, **trainer})


def test_retraining_searches_the_declared_settings(new_runner: Any, chat: ChatServer) -> None:
    """Without an experiment the declared space is searched on one half of the prompts, and judged on the other."""
    runner = new_runner()
    outcome = runner.run(runner.frozen(_searching(), NOW))
    report = json.loads(runner.paths["report"].read_bytes())

    assert outcome["verdict"] == "deployable", outcome["reason"]
    assert len(report["trials"]) == 6
    assert report["trials"][0]["settings"]["temperature"] == 0.7
    assert outcome["challenger"]["hyperparameters"]["temperature"] < 0.7
    assert outcome["lineage"]["hyperparametersFrom"] == "the best of 6 tried"
    assert (outcome["gate"]["rows"], outcome["gate"]["sharedPrompts"]) == (10, 0)
    assert len(chat.requests) == 6 * 10 + 10
    assert outcome["cost"]["requests"] == 70


def test_champion_is_beaten_on_unseen_prompts(new_runner: Any, chat: ChatServer) -> None:
    """A champion with hot settings loses against searched ones; against itself nothing is better."""
    first, second, third = new_runner(), new_runner(), new_runner()
    hot = ti_guy_chat(trainer={"settings": {"model": "small", "temperature": 1.0}})
    made = first.run(first.frozen(hot, NOW))
    champion = {"version": "1", "baseline": {}, **{name: made["challenger"][name] for name in ("uri", "sha256")}}
    better = second.run(second.frozen(_searching(), NOW, champion=champion))
    same = third.run(third.frozen(hot, NOW, champion=champion))

    assert made["lineage"]["hyperparametersFrom"] == "the bee's own settings"
    assert better["verdict"] == "deployable", better["reason"]
    assert better["gate"]["baseline"] is False
    assert same["verdict"] == "rejected"
    assert "improvement 0," in same["reason"]


def test_winner_flatters_itself_without_a_wider_interval() -> None:
    """Chosen among many on the prompts that judge it, settings pass only with the interval that accounts for it."""
    bee = ti_guy_chat()
    numbers = {
        "rows": 20, "challenger": 0.9, "champion": 0.5, "difference": 0.4, "lower": 0.1, "upper": 0.6, "margin": 0.0,
        "slices": [], "baseline": False, "sharedPrompts": 20, "chosenAmong": 5, "confidence": 0.99,
    }  # fmt: skip

    assert judge(numbers, bee.gate, task="generation").passed
    assert not judge(numbers | {"confidence": 0.95}, bee.gate, task="generation").passed
    assert judge(numbers | {"confidence": 0.95, "sharedPrompts": 0}, bee.gate, task="generation").passed
    assert not judge(numbers | {"chosenAmong": None}, bee.gate, task="generation").passed


def test_too_few_prompts_end_the_run(new_runner: Any, chat: ChatServer) -> None:
    """A hold-out of fewer prompts than the gate wants ends the run before anything is asked."""
    runner = new_runner()
    bee = ti_guy_chat(gate={"holdout": 0.2, "minRows": 10})
    outcome = runner.run(runner.frozen(bee, NOW))

    assert outcome["verdict"] == "rejected"
    assert outcome["reason"] == "too few prompts: 4 judge, 10 needed"
    assert chat.requests == []


def test_endpoint_that_is_away_may_come_back(new_runner: Any, chat: ChatServer) -> None:
    """While the endpoint is away the evaluation fails as one to be tried again, not as a bad model."""
    chat.answer = lambda _: Reply(status=503)
    runner = new_runner()

    with pytest.raises(TryLater, match="503"):
        runner.run(runner.frozen(ti_guy_chat(trainer={"attempts": 2}), NOW))


def test_busy_endpoint_changes_no_score(new_runner: Any, chat: ChatServer) -> None:
    """Requests that succeed at a later attempt give the same comparison; only the requests are more."""
    turns = count()
    chat.answer = lambda request: Reply(status=429) if next(turns) % 5 == 0 else answer(request)
    runner = new_runner()
    outcome = experiment(runner, runner.frozen(ti_guy_chat(trainer={"attempts": 8}), NOW), VARIANTS)

    assert outcome["comparison"]["winner"] == "cool"
    assert outcome["cost"]["requests"] > 60


def test_judge_model_grades(new_runner: Any, chat: ChatServer) -> None:
    """With judge_score a model grades each answer, and its cost is told apart."""

    def judging(request: dict[str, Any]) -> Reply:
        if request["model"] == "judge":
            return Reply("9" if "nothing but" in json.loads(request["messages"][-1]["content"])["answer"] else "2")
        return answer(request)

    chat.answer = judging
    prices = {name: {"input": 1.0, "output": 1.0} for name in ("small", "judge")}
    bee = ti_guy_chat(metric="judge_score", trainer={"judge": {"model": "judge"}, "prices": prices})
    runner = new_runner()
    outcome = experiment(runner, runner.frozen(bee, NOW), VARIANTS[:2])

    assert outcome["comparison"]["winner"] == "cool"
    assert outcome["cost"]["judgeUsd"] > 0


def test_limits_make_an_answer_worthless(new_runner: Any, chat: ChatServer) -> None:
    """An answer beyond a limit scores 0, however right it is."""
    bee = ti_guy_chat(trainer={"limits": {"maxCharacters": 10}})
    runner = new_runner()
    outcome = experiment(runner, runner.frozen(bee, NOW), VARIANTS[:1])

    assert outcome["comparison"]["variants"][0]["value"] == 0.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metric": "f1"}, "does not score answers"),
        ({"prompts": []}, "prompts is empty"),
        ({"prompts": [{"prompt": "a"}]}, "needs a reference in each prompt"),
        ({"prompts": [{"id": "x", "prompt": "a", "reference": "b"}] * 2}, "an id twice"),
        ({"prompts": [{"prompt": "a", "pattern": "("}], "metric": "pattern_match"}, "not a regular expression"),
        ({"metric": "judge_score"}, "needs trainer.judge"),
        ({"trainer": {"settings": None}}, "trainer.settings is missing"),
        ({"trainer": {"type": "tabular"}}, "do not go together"),
        ({"trainer": {"space": {"temperature": {"low": 1, "high": 0}}}}, "low must be less than high"),
    ],
)
def test_incomplete_bee_is_refused(changes: dict[str, Any], words: str) -> None:
    """What a generation bee lacks is told when its file is read."""
    with pytest.raises(ValueError, match=words):
        ti_guy_chat(**changes)


@pytest.mark.parametrize("content", [b"{}", b"not json", b'{"form": "other", "settings": {}, "metadata": {}}'])
def test_settings_file_is_checked(tmp_path: Path, content: bytes) -> None:
    """A file with another hash or another content is no model."""
    import hashlib

    path = tmp_path / "model"
    path.write_bytes(content)

    with pytest.raises(Rejected, match="hash"):
        read_settings(path, "0" * 64)
    with pytest.raises(Rejected):
        read_settings(path, hashlib.sha256(content).hexdigest())


def test_shipped_example_is_right() -> None:
    """The example that ships beside the bees can be copied as it is."""
    path = Path(__file__).parents[4] / "config" / "bees" / "ti-guy-chat.yaml.example"
    bee = BeeSpec.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))

    assert bee.trainer.settings is not None
    assert len(bee.prompts) * bee.gate.holdout >= bee.gate.min_rows
