import itertools
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from worker.bee import BeeSpec
from worker.clock import parse_time
from worker.errors import Rejected
from worker.models.gate import judge
from worker.steps.report import rendered

STEPS = ("data_collection", "data_preprocessing", "variants", "variant_training", "comparison", "selection")
CONFIGS: dict[str, dict[str, Any]] = {
    "data_collection": {"requireNew": False},
    "data_preprocessing": {"forComparison": True},
}
OCTOBER = "2002-10-01T00:00:00Z"
VARIANTS = [
    {"name": "plain", "algorithm": "logistic_regression"},
    {"name": "forest", "algorithm": "random_forest", "n_estimators": 40},
    {"name": "forest twice", "algorithm": "random_forest", "hyperparameters": {"n_estimators": 80}},
    {"name": "<script>alert(1)</script>", "algorithm": "random_forest", "n_trees": 3},
]


def experiment(runner: Any, run: dict[str, Any], variants: Any = VARIANTS, **more: Any) -> dict[str, Any]:
    """Run the experiment's bodies and return the outcome."""
    configs = {**CONFIGS, "variants": {"variants": variants, **more}}
    for name in STEPS:
        if name == "variant_training":
            runner.each(name, run, [{"variant": item} for item in runner.values["variants"]])
        else:
            runner.step(name, run, configs.get(name))
    outcome: dict[str, Any] = json.loads((runner.directory / "outcome.json").read_bytes())
    return outcome


@pytest.fixture(name="october", scope="module")
def _october(new_runner: Any, spam_guard: BeeSpec, champion: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """An experiment of October against the model of July: a runner that has run it, and its outcome."""
    runner = new_runner()
    bee = spam_guard.model_copy(update={"gate": spam_guard.gate.model_copy(update={"slices": ("spam_probability",)})})
    return runner, experiment(runner, runner.frozen(bee, OCTOBER, champion=champion, template="experiment"))


def _variant(outcome: dict[str, Any], name: str) -> dict[str, Any]:
    return next(item for item in outcome["comparison"]["variants"] if item["name"] == name)


def test_the_best_is_registered_with_its_parameters(october: tuple[Any, dict[str, Any]]) -> None:
    """The winner is in the artifact store, its parameters in the lineage; the verdict is registered, not deployable."""
    runner, outcome = october
    experiment_ = outcome["lineage"]["experiment"]
    winner = _variant(outcome, outcome["comparison"]["winner"])

    assert outcome["verdict"] == "registered"
    assert outcome["comparison"]["winner"] in {"forest", "forest twice"}
    assert experiment_["run"] == outcome["run"]
    assert experiment_["algorithm"] == "random_forest"
    assert experiment_["hyperparameters"] == winner["hyperparameters"]
    assert experiment_["chosenAmong"] == 3
    stored = runner.ports.models.load(
        Path(outcome["challenger"]["uri"].removeprefix("file://")), outcome["challenger"]["sha256"]
    )
    assert stored.metadata["hyperparameters"] == winner["hyperparameters"]


def test_all_are_judged_on_the_same_rows(october: tuple[Any, dict[str, Any]]) -> None:
    """Each variant has its value with an interval, its paired differences, its cost and its slices."""
    _, outcome = october
    comparison = outcome["comparison"]

    assert comparison["rows"] == outcome["gate"]["rows"]
    assert comparison["reference"]["kind"] == "champion"
    assert comparison["reference"]["seen"] is False
    for name in ("plain", "forest", "forest twice"):
        variant = _variant(outcome, name)
        assert variant["lower"] <= variant["value"] <= variant["upper"]
        assert variant["againstReference"]["word"] in {"better", "within the noise"}
        assert variant["cpuSeconds"] > 0
        assert variant["modelBytes"] > 0
        assert sum(part["rows"] for part in variant["slices"]) == comparison["rows"]
    assert _variant(outcome, "plain")["againstBest"]["word"] == "worse"


def test_one_failing_variant_is_a_result(october: tuple[Any, dict[str, Any]]) -> None:
    """The variant with an unknown parameter is shown as failed with its reason, and the rest is compared."""
    _, outcome = october
    broken = _variant(outcome, "<script>alert(1)</script>")

    assert broken["status"] == "failed"
    assert "n_trees" in broken["error"]
    assert [item["status"] for item in outcome["comparison"]["variants"]] == ["compared"] * 3 + ["failed"]


def test_variants_overlap_in_time(october: tuple[Any, dict[str, Any]]) -> None:
    """The recorded times show that variants were trained at the same time."""
    _, outcome = october
    spans = sorted((parse_time(i["startedAt"]), parse_time(i["endedAt"])) for i in outcome["comparison"]["variants"])

    assert any(later < end for (_, end), (later, _) in itertools.pairwise(spans))


def test_winners_interval_pays_for_the_choice(october: tuple[Any, dict[str, Any]]) -> None:
    """Chosen among three on these very rows, the winner is judged with the interval of a level that accounts for it."""
    _, outcome = october

    assert outcome["gate"]["confidence"] == pytest.approx(1 - 0.05 / 3)
    assert 0 < outcome["gate"]["lower"] < outcome["gate"]["difference"]


class _Page(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag, and what it would load."""
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.words += data


def test_report_is_one_safe_page(october: tuple[Any, dict[str, Any]]) -> None:
    """The report loads nothing, runs nothing, and shows every variant, names of any kind as text."""
    runner, outcome = october
    artifact = next(item for item in outcome["artifacts"] if item["name"] == "report")
    page = Path(artifact["uri"]).read_text(encoding="utf-8")
    parsed = _Page(page)

    assert Path(artifact["uri"]).suffix == ".html"
    assert page == runner.paths["report"].read_text(encoding="utf-8")
    assert "script" not in parsed.tags
    assert parsed.links == []
    assert parsed.tags.count("svg") == 3
    for item in outcome["comparison"]["variants"]:
        assert item["name"] in parsed.words
    assert outcome["comparison"]["words"] in parsed.words


def test_report_follows_from_the_comparison(october: tuple[Any, dict[str, Any]]) -> None:
    """The page holds nothing but what the comparison's JSON has: made again from it, it is the same."""
    runner, _ = october

    assert rendered(json.loads(runner.paths["comparison"].read_bytes())) == runner.paths["report"].read_text("utf-8")


def test_champion_that_saw_the_rows_is_told(new_runner: Any, spam_guard: BeeSpec, champion: dict[str, Any]) -> None:
    """A champion trained on the hold-out is compared, said to be flattered, and refutes nobody; no gate is passed."""
    runner = new_runner()
    seen = champion | {"trainedUntil": "2002-09-30T00:00:00Z"}
    outcome = experiment(runner, runner.frozen(spam_guard, OCTOBER, champion=seen), VARIANTS[:1])

    assert outcome["verdict"] == "registered"
    assert outcome["comparison"]["reference"]["seen"] is True
    assert "flatters" in runner.paths["report"].read_text(encoding="utf-8")
    assert not judge(outcome["gate"], spam_guard.gate, task="binary").passed


def test_winner_worse_than_production_is_refused(new_runner: Any, spam_guard: BeeSpec) -> None:
    """If the best variant is surely worse than the champion, it is kept as refused, so that nothing builds on it."""
    strong, weak = new_runner(), new_runner()
    best = experiment(strong, strong.frozen(spam_guard, OCTOBER), VARIANTS[1:2])
    told = {name: best["challenger"][name] for name in ("uri", "sha256", "trainedUntil")}
    champion = {"version": "1", "baseline": {}, **told}
    hopeless = [{"name": "stump", "algorithm": "logistic_regression", "C": 1e-6}]
    outcome = experiment(weak, weak.frozen(spam_guard, OCTOBER, champion=champion), hopeless)

    assert best["verdict"] == "registered"
    assert outcome["verdict"] == "rejected"
    assert "no variant holds up" in outcome["reason"]


def test_all_failing_fails_the_run(new_runner: Any, spam_guard: BeeSpec) -> None:
    """When every variant failed, the step fails and names the reasons."""
    runner = new_runner()

    with pytest.raises(Rejected, match=r"all 2 variants failed: a: .*n_trees.*; b: .*alchemy"):
        experiment(
            runner,
            runner.frozen(spam_guard, OCTOBER),
            [{"name": "a", "algorithm": "random_forest", "n_trees": 1}, {"name": "b", "algorithm": "alchemy"}],
        )


def test_nothing_to_compare_is_refused(new_runner: Any, spam_guard: BeeSpec) -> None:
    """An experiment without variants, grid or number says what to give."""
    runner = new_runner()

    with pytest.raises(Rejected, match="there are 0 variants"):
        experiment(runner, runner.frozen(spam_guard, OCTOBER), [])


def test_drawn_variants_follow_from_the_seed(new_runner: Any, spam_guard: BeeSpec) -> None:
    """`auto` draws as many as asked for from the trainer's space, the same ones for the same run."""
    drawn = []
    for _ in range(2):
        runner = new_runner()
        run = runner.frozen(spam_guard, OCTOBER)
        for name in STEPS[:2]:
            runner.step(name, run, CONFIGS[name])
        runner.step("variants", run, {"auto": 5, "grid": {"algorithm": ["ridge"], "alpha": [1, 2]}})
        drawn.append(runner.values["variants"])

    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 7
    assert {item["settings"]["algorithm"] for item in drawn[0][2:]} == {
        "logistic_regression", "random_forest", "hist_gradient_boosting",
    }  # fmt: skip


def test_stopped_run_compares_nothing(new_runner: Any, spam_guard: BeeSpec) -> None:
    """With too few rows the run ends as rejected with that reason, and each later step only passes it on."""
    runner = new_runner()
    bee = spam_guard.model_copy(update={"gate": spam_guard.gate.model_copy(update={"min_rows": 100_000})})
    outcome = experiment(runner, runner.frozen(bee, OCTOBER))

    assert outcome["verdict"] == "rejected"
    assert "too few rows" in outcome["reason"]


def test_retraining_takes_up_the_winner(
    october: tuple[Any, dict[str, Any]], new_runner: Any, spam_guard: BeeSpec
) -> None:
    """A bee that says from_best_experiment is trained with the winner's parameters, and its lineage says from where."""
    best = {"version": "7", **october[1]["lineage"]["experiment"]}
    runner, later = new_runner(), new_runner()
    outcome = runner.run(runner.frozen(spam_guard, OCTOBER, bestExperiment=best))
    unseen = later.run(later.frozen(spam_guard, "2002-10-20T00:00:00Z", bestExperiment=best))

    assert outcome["lineage"]["algorithm"] == "random_forest"
    assert outcome["lineage"]["hyperparameters"] == best["hyperparameters"]
    assert (
        outcome["lineage"]["hyperparametersFrom"] == f"experiment {best['run']}: variant {best['variant']}, version 7"
    )
    # On the rows that it was chosen on it needs the wider interval, on later ones it does not.
    assert outcome["gate"]["confidence"] == pytest.approx(1 - 0.05 / 3)
    assert unseen["gate"]["confidence"] == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("algorithm", "best", "words"),
    [
        ("auto", None, "no experiment: defaults"),
        (
            "ridge",
            {"version": "7", "run": "r", "variant": "v", "algorithm": "random_forest", "hyperparameters": {}},
            "defaults: the best experiment (version 7) is of random_forest, not ridge",
        ),
    ],
)
def test_without_a_fitting_experiment_defaults(
    spam_guard: BeeSpec, algorithm: str, best: dict[str, Any] | None, words: str
) -> None:
    """With no experiment, or one of another algorithm, the defaults are used, and the lineage says that."""
    from worker.steps.trainers.wanted import Asked, wanted

    found = wanted(Asked(algorithm, "from_best_experiment", 3), spam_guard, {"bestExperiment": best})

    assert found.settings == {"algorithm": algorithm, "hyperparameters": {}}
    assert found.source == words
