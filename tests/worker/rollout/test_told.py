"""What events of both versions prove: windows in pairs, none twice, and what one of them is worth."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.rollout.test_machine import DAY, NOW, a_rollout
from worker.rollout.machine import Rollout, begun
from worker.rollout.measure import Measure
from worker.rollout.told import MOST_WINDOWS, Window, evidence, guards, heard
from worker.rollout_plan import GuardMetric, RolloutSpec

PLAN = RolloutSpec(strategy="canary", guards={"latency_ms": GuardMetric(margin=10.0), "f1": GuardMetric(margin=0.1)})


def a_window(version: str, hour: int, *, samples: int | None = 100, lasts: int = 1, **metrics: Any) -> Window:
    """Return what is told of a version in one hour of the rollout."""
    start = NOW + timedelta(hours=hour)
    end = start + timedelta(hours=lasts)
    return Window(version, f"h{hour}", end, start, end, samples, metrics)


def told(*windows: Window, rollout: Rollout | None = None) -> Rollout:
    """Return a rollout that was told of windows."""
    found = rollout or begun(a_rollout(plan=PLAN), "so")
    for window in windows:
        found, _ = heard(found, window)
    return found


def both(hour: int, champion: float, challenger: float, metric: str = "accuracy", **more: Any) -> tuple[Window, Window]:
    """Return one window of both versions."""
    return a_window("1", hour, **more, **{metric: champion}), a_window("2", hour, **more, **{metric: challenger})


def test_a_share_counts_as_many_outcomes_as_its_samples() -> None:
    """Accuracy of 1,000 samples is 1,000 outcomes of each version: nine of ten against six of ten is proof at once."""
    found = evidence(told(*both(0, 0.6, 0.9, samples=1000)), NOW + DAY)

    assert (found.primary.count, found.step_outcomes, found.primary.source) == (1000, 1000, "events")
    assert found.primary.difference == pytest.approx(0.3)
    assert found.primary.lower is not None
    assert 0.2 < found.primary.lower < 0.3


def test_a_metric_that_falls_is_turned() -> None:
    """A lower error rate is a gain."""
    rollout = begun(a_rollout(plan=PLAN, primary=Measure("error_rate", lower_is_better=True, bounds=(0, 1))), "so")

    found = evidence(told(*both(0, 0.4, 0.1, "error_rate", samples=1000), rollout=rollout), NOW + DAY).primary

    assert found.difference == pytest.approx(0.3)
    assert (found.champion, found.challenger) == pytest.approx((0.4, 0.1))
    assert found.lower is not None
    assert found.lower > 0


def test_anything_else_counts_as_one_observation() -> None:
    """Nine windows of F1 prove nothing however many samples they rest on; a dozen do, each as one."""
    windows = [window for hour in range(12) for window in both(hour, 0.8, 0.7 + hour % 3 / 100, "f1", samples=10_000)]

    nine, twelve = guards(told(*windows[:18]))["f1"], guards(told(*windows))["f1"]

    assert (nine.lower, nine.upper, nine.count) == (None, None, 90_000)
    assert twelve.lower is not None
    assert twelve.upper is not None
    assert twelve.lower < -0.09 < twelve.upper < 0


def test_windows_weigh_what_they_rest_on() -> None:
    """One huge window among many tiny ones is not many windows: nothing is proven by it."""
    tiny = [window for hour in range(20) for window in both(hour, 100.0, 100.0 + hour, "latency_ms", samples=1)]
    found = guards(told(*tiny, *both(30, 100.0, 400.0, "latency_ms", samples=100_000)))["latency_ms"]

    assert found.difference == pytest.approx(-300, rel=0.01)
    assert (found.lower, found.upper) == (None, None)


def test_declared_bounds_make_a_mean_of_its_samples() -> None:
    """With bounds of single values a window is as many of them as its samples, whatever their order."""
    plan = PLAN.model_copy(update={"guards": {"latency_ms": GuardMetric(margin=10.0, bounds=(0.0, 1000.0))}})
    rollout = begun(a_rollout(plan=plan), "so")
    found = guards(told(*both(0, 100.0, 300.0, "latency_ms", samples=20_000), rollout=rollout))["latency_ms"]

    assert found.upper is not None
    assert found.upper < -150
    beyond = guards(told(*both(0, 100.0, 5000.0, "latency_ms", samples=20_000), rollout=rollout))["latency_ms"]
    assert not beyond.known


def test_only_windows_of_both_versions_count() -> None:
    """What one version alone was told of proves nothing of the other."""
    assert not evidence(told(a_window("1", 0, accuracy=0.1), a_window("2", 1, accuracy=0.9)), NOW + DAY).primary.known


def test_windows_that_overlap_count_once() -> None:
    """A weekly window told every hour is the same rows again and again."""
    windows = [window for hour in range(10) for window in both(hour, 0.5, 0.5, samples=100, lasts=5)]

    assert evidence(told(*windows), NOW + DAY).primary.count == 200


def test_what_began_before_the_rollout_proves_nothing() -> None:
    """A window that reaches back is passed over, with its reason."""
    rollout = begun(a_rollout(plan=PLAN), "so")

    after, said = heard(rollout, a_window("2", -1, accuracy=0.9))

    assert after == rollout
    assert "began before the rollout did (2002-10-01T00:00:00Z)" in said


@pytest.mark.parametrize(
    ("window", "why"),
    [
        (a_window("2", 0, samples=None, accuracy=0.9), "does not tell on how many samples"),
        (a_window("2", 0, samples=0, accuracy=0.9), "does not tell on how many samples"),
        (a_window("2", 0, roc_auc=0.9), "it tells nothing of accuracy, f1, latency_ms"),
    ],
)
def test_what_is_no_evidence_says_so(window: Window, why: str) -> None:
    """An event without samples, or without a metric that counts, leaves the rollout as it is."""
    rollout = begun(a_rollout(plan=PLAN), "so")

    after, said = heard(rollout, window)

    assert after == rollout
    assert why in said


def test_the_outcomes_of_a_step_are_those_since_it_began() -> None:
    """The interval runs over the whole rollout, the step's minimum counts anew."""
    rollout = told(*both(0, 0.9, 0.9), *both(30, 0.9, 0.9))
    later = replace(rollout, step=1, step_at=NOW + DAY)

    found = evidence(later, NOW + 2 * DAY)

    assert (found.primary.count, found.step_outcomes, found.step) == (200, 100, 1)


def test_an_undefined_metric_is_evidence_of_nothing() -> None:
    """Null for one of the two leaves the window out for that metric."""
    found = evidence(told(a_window("1", 0, accuracy=None, f1=0.5), a_window("2", 0, accuracy=0.9, f1=0.5)), NOW + DAY)

    assert not found.primary.known
    assert found.guards["f1"].count == 100


@given(order=st.permutations(range(8)), again=st.lists(st.integers(0, 7), max_size=5))
def test_order_and_repeats_change_nothing(order: list[int], again: list[int]) -> None:
    """However often and in whatever order events come, the evidence is the same."""
    windows = [window for hour in range(4) for window in both(hour, 0.8 + hour / 100, 0.7 + hour / 50)]

    straight = told(*windows)
    mixed = told(*(windows[place] for place in [*order, *again]))

    assert evidence(straight, NOW + DAY) == evidence(mixed, NOW + DAY)


def test_the_same_window_again_replaces_what_was_told() -> None:
    """The last word of a window counts."""
    first = told(*both(0, 0.9, 0.1, samples=1000))
    corrected = told(a_window("2", 0, samples=1000, accuracy=0.95), rollout=first)

    assert evidence(corrected, NOW + DAY).primary.difference == pytest.approx(0.05)


def test_only_so_many_windows_are_kept() -> None:
    """A rollout that lasts for ever keeps the newest windows, in a row of the ledger that stays small."""
    known = {f"h{hour}": {"at": f"2002-10-01T00:{hour:09}"} for hour in range(MOST_WINDOWS)}
    rollout = begun(a_rollout(plan=PLAN, windows={"2": known}), "so")

    after, _ = heard(rollout, replace(a_window("2", 0, accuracy=0.9), key="new"))

    assert len(after.windows["2"]) == MOST_WINDOWS
    assert "new" in after.windows["2"]
    assert "h0" not in after.windows["2"]
