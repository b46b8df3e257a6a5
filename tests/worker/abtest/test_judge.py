"""A test judged on a real feature store: from the log or by the hash, with guards, slices and adjustments."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.worker.abtest.world import (
    BEE,
    DAY,
    HOUR,
    MINUTE,
    START,
    VERSIONS,
    arrive,
    draw,
    judge_of,
    plan,
    running,
    serve,
    version,
    visitors,
)
from worker.abtest.analysis import Analysis
from worker.abtest.forecast import summary
from worker.abtest.machine import AbTest, State, looked
from worker.abtest.shown import shown_results
from worker.adapters.features.local import LocalFeatureStore
from worker.clock import to_text
from worker.errors import Rejected
from worker.features.port import Write
from worker.serving.served import Answer, Served, definitions_of, writes_of


def _analyse(store: LocalFeatureStore, test: AbTest, days: float, forecast: Any = None) -> Analysis:
    return judge_of(store).analyse(test, BEE, VERSIONS, forecast or {}, START + days * DAY)


def test_from_the_log(store: LocalFeatureStore) -> None:
    """Versions are told apart by what was served to whom; the better one wins, and guards and slices say so too."""
    asked = plan(slices=["country"], guards={"recall": {"margin": 0.05}, "latency_ms": {"margin": 1}})
    test, who = running(plan=asked), visitors(600, START, 2 * DAY)
    arrive(store, who)
    serve(store, who, asked.traffic(test.id), latency_ms=2.0)
    found = _analyse(store, test, 2)

    assert sum(found.now.exposed) == 600
    assert sum(found.now.counted) == sum(time + HOUR <= START + 2 * DAY for _, _, time in who)
    assert found.broken(asked) == ""
    (effect,) = found.now.effects
    assert effect.champion is not None
    assert effect.champion == pytest.approx(0.6, abs=0.07)
    assert effect.interval.lower > 0
    recall, latency = found.guards
    assert (recall.metric, recall.verdict) == ("recall", "better")
    assert latency.effect.difference == 0
    assert {(one.feature, one.value) for one in found.slices} == {("country", "ca"), ("country", "fr")}
    after = looked(test, found.findings(asked))
    assert (after.state, after.winner) == (State.CONCLUDED, "2")


def test_by_the_hash(store: LocalFeatureStore) -> None:
    """Where nothing is logged each entity that has rows counts as exposed by the hash, and is scored by its version."""
    test = running(plan=plan(exposure="assigned"))
    arrive(store, visitors(600, START, 2 * DAY))
    found = _analyse(store, test, 2)

    assert sum(found.now.exposed) == sum(found.now.counted) > 500
    assert looked(test, found.findings(test.plan)).winner == "2"


def test_a_metric_that_should_fall(store: LocalFeatureStore) -> None:
    """Differences are positive where a version is better, though its errors fall; three versions, one control."""
    asked = plan(metric="error_rate", versions=["1", "2", "3"], exposure="assigned")
    test = running(plan=asked)
    arrive(store, visitors(900, START, 2 * DAY))
    found = _analyse(store, test, 2)
    shown = shown_results(found, asked)
    better, same = found.now.effects

    assert shown["means"] == pytest.approx([0.4, 0.15, 0.4], abs=0.08)
    assert better.interval.lower > 0
    assert same.difference == pytest.approx(0, abs=0.08)
    after = looked(test, found.findings(asked))
    assert after.running, "the third version is open still"
    assert looked(test, replace(found.findings(asked), at=test.ends_by)).winner == "2"


def test_what_is_known_by_a_time(store: LocalFeatureStore) -> None:
    """A look as of a time finds the same whatever has come in since."""
    test, who = running(), visitors(300, START, DAY)
    arrive(store, who)
    serve(store, who, test.plan.traffic(test.id))
    before = _analyse(store, test, 0.5)
    later = visitors(300, START + DAY, DAY, first=300)
    arrive(store, later)
    serve(store, later, test.plan.traffic(test.id))

    assert _analyse(store, test, 0.5) == before


def test_without_a_log(store: LocalFeatureStore) -> None:
    """Where exposure was to be logged and nothing is, nothing is judged, and what to do is said."""
    arrive(store, visitors(10, START, DAY))
    for name in ("version", "prediction", "score", "served"):
        store.delete(f"ab_bee_{name}")

    with pytest.raises(Rejected, match=r"nobody knows who was exposed.*exposure: assigned"):
        _analyse(store, running(), 1)


def test_before_anybody_came(store: LocalFeatureStore) -> None:
    """With a log and nobody in it nothing is known, and nothing is concluded."""
    found = _analyse(store, running(), 1)

    assert found.now.effects[0].difference is None
    assert looked(running(), found.findings(plan())).running


def test_a_broken_split(store: LocalFeatureStore) -> None:
    """A version that hardly gets its visitors stops the test, however good it looks."""
    test, who = running(), visitors(700, START, DAY)
    traffic = test.plan.traffic(test.id)
    kept = [one for one in who if traffic.version_for(one[0]) == "1" or draw("lost", one[0]) > 0.4]
    arrive(store, kept)
    serve(store, kept, traffic)
    after = looked(test, _analyse(store, test, 1).findings(test.plan))

    assert after.state is State.STOPPED_SRM
    assert "planned 50:50" in after.reason


def test_a_split_that_is_not_served(store: LocalFeatureStore) -> None:
    """If everybody is answered by the champion, the exposures are even and the test is broken all the same."""
    test, who = running(), visitors(300, START, DAY)
    writes: list[Write] = []
    for name, _, time in who:
        writes += writes_of(BEE, name, time, Served("1", {"1": Answer(1.0)}))
    store.write(writes)
    found = _analyse(store, test, 1)

    assert found.crossed > 100
    assert looked(test, found.findings(test.plan)).reason.startswith("the split is broken: served 300 1, 0 2")


def test_harm(store: LocalFeatureStore) -> None:
    """A guard that is surely worse than its margin stops the test at once."""
    asked = plan(metric="engagement", direction="higher", guards={"accuracy": {"margin": 0.02}}, versions=["2", "1"])
    test, who = running(plan=asked, champion="2"), visitors(500, START, DAY)
    arrive(store, who)
    serve(store, who, asked.traffic(test.id))
    after = looked(test, _analyse(store, test, 2).findings(asked))

    assert after.state is State.STOPPED_GUARD
    assert after.reason.startswith("version 1: accuracy 0.")


def _engage(store: LocalFeatureStore, days: int, start: int, *, better: str = "", traffic: Any = None) -> None:
    """Let 400 visitors come back daily; each engages by its own habit, more if served the better version."""
    writes = []
    for day in range(start, start + days):
        for number in range(400):
            name, time = f"v{number}", START + day * DAY + number * 2 * MINUTE
            habit = 0.2 + 0.5 * draw("habit", name) + 0.1 * draw("mood", name, day)
            gain = 0.06 if traffic is not None and traffic.version_for(name) == better else 0.0
            writes.append(Write(name, "engagement", habit + gain, time + MINUTE, time + MINUTE))
    store.write(writes)


@pytest.mark.parametrize(("adjust", "kind"), [("auto", "cuped"), ("none", "none")])
def test_a_feature_as_outcome(store: LocalFeatureStore, adjust: str, kind: str) -> None:
    """Outcomes may be a feature; what visitors did before takes most of the noise away, and the sample shrinks."""
    asked = plan(metric="engagement", direction="higher", minimumEffect=0.05, adjust=adjust, exposure="assigned")
    test = running(plan=asked)
    _engage(store, 10, -10)
    forecast = judge_of(store).forecast(asked, BEE, VERSIONS["1"], START)
    _engage(store, 1, 0, better="2", traffic=asked.traffic(test.id))
    told = forecast.as_json()
    found = _analyse(store, test, 1, told)

    assert (forecast.entities, forecast.adjustment.kind) == (400, kind)
    assert summary(told, asked).startswith(f"{sum(forecast.sequential):,} entities (")
    (effect,) = found.now.effects
    if kind == "cuped":
        assert forecast.adjustment.reduction is not None
        assert forecast.adjustment.reduction > 0.8
        assert effect.spared > 0.8
        assert effect.difference == pytest.approx(0.06, abs=0.01)
        assert effect.interval.lower > 0
    else:
        assert effect.spared == 0
        assert effect.interval.lower < 0


def test_strata(store: LocalFeatureStore) -> None:
    """Strata that were known at the exposure are compared like with like."""
    asked = plan(stratify="country", exposure="assigned")
    arrive(store, visitors(600, START - 5 * DAY, 5 * DAY, first=5000))
    forecast = judge_of(store).forecast(asked, BEE, VERSIONS["1"], START)
    arrive(store, visitors(500, START, DAY))
    found = _analyse(store, running(plan=asked), 2, forecast.as_json())

    assert forecast.adjustment.kind == "stratified"
    assert found.now.effects[0].difference == pytest.approx(0.25, abs=0.1)


def test_a_horizon(store: LocalFeatureStore) -> None:
    """With a horizon entities count one by one as theirs is over."""
    test = running(plan=plan(horizon="1d", exposure="assigned"))
    arrive(store, visitors(200, START, DAY), label_after=timedelta(0))

    assert sum(_analyse(store, test, 0.99).now.counted) == 0
    assert sum(_analyse(store, test, 1.5).now.counted) == pytest.approx(100, abs=2)


def test_no_history(store: LocalFeatureStore) -> None:
    """Without a history the sample is not known, and that is said; the test can begin all the same."""
    found = judge_of(store).forecast(plan(), BEE, VERSIONS["1"], START)

    assert (found.sequential, found.days) == ((), None)
    assert "not known" in summary(found.as_json(), plan())


def test_what_the_champion_has_learned_from(store: LocalFeatureStore) -> None:
    """The history begins after what the champion was trained on, where enough has come in since."""
    arrive(store, visitors(400, START, 4 * DAY))

    def entities(day: float) -> int:
        champion = version("1", lineage={"trainedUntil": to_text(START + day * DAY)})
        return judge_of(store).forecast(plan(), BEE, champion, START + 4 * DAY).entities

    assert entities(1) == pytest.approx(300, abs=10)
    assert entities(3.9) == pytest.approx(400, abs=10), "too little is newer"


def test_nothing_is_better_than_perfect(store: LocalFeatureStore) -> None:
    """Where an improvement of that size cannot be, the sample is that which shows harm of it."""
    arrive(store, visitors(300, START, DAY))
    sizes = [
        judge_of(store).forecast(plan(minimumEffect=effect), BEE, VERSIONS["2"], START + DAY).sequential
        for effect in (0.1, 0.3)
    ]

    assert sum(sizes[0]) > sum(sizes[1]) > 0


def test_a_log_that_is_too_short(store: LocalFeatureStore) -> None:
    """A test that may last longer than the log is kept is refused; one that needs no log is not."""
    for definition in definitions_of(BEE, 7 * DAY):
        store.define(definition)

    with pytest.raises(Rejected, match=r"kept for 7d.*COLONY_PREDICTIONS_DAYS"):
        judge_of(store).forecast(plan(), BEE, VERSIONS["1"], START)
    for changes in ({"maxDuration": "7d"}, {"exposure": "assigned"}):
        judge_of(store).forecast(plan(**changes), BEE, VERSIONS["1"], START)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metric": "nothing"}, "neither a mean over rows"),
        ({"slices": ["nothing"]}, "not a feature"),
        ({"stratify": "nothing"}, "not a feature"),
        ({"guards": {"nothing": {}}}, "neither a mean over rows"),
        ({"minimumEffect": 0.7}, "between 0 and 1"),
    ],
)
def test_what_can_never_be_answered(store: LocalFeatureStore, changes: dict[str, Any], words: str) -> None:
    """What is no metric, no feature, or no possible effect is refused before the test starts."""
    arrive(store, visitors(200, START - DAY, DAY))

    with pytest.raises(Rejected, match=words):
        judge_of(store).forecast(plan(**changes), BEE, VERSIONS["1"], START + DAY)
