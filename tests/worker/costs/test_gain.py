"""What a version gained for its money, and where that is undefined."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from worker.costs.gain import WINDOWS, Change, Measured, gain, per
from worker.costs.summary import RunCost

AT = datetime(2002, 9, 28, tzinfo=UTC)


def _windows(*values: float, samples: int | None = 100) -> list[Measured]:
    return [Measured(AT + timedelta(days=n), value, samples) for n, value in enumerate(values)]


def _run(cost: float | None, *, over: bool = True) -> RunCost:
    return RunCost("r", "spam-guard", "auto-retrain", AT, over=over, cost=cost)


CHANGE = Change("spam-guard", "2", "1", AT, "f1", lower_is_better=False, gate=(0.4, 0.9), runs=[_run(0.2), _run(0.05)])


def test_the_gates_numbers_for_all_attempts() -> None:
    """Before anything was measured the gate's difference counts, divided by what all attempts cost."""
    found = gain(CHANGE)

    assert (found.best.gain, found.cost, found.runs) == (pytest.approx(0.5), pytest.approx(0.25), 2)
    assert found.told()["gainPerCost"] == pytest.approx(2.0)
    assert found.measured.gain is None


def test_what_was_measured_goes_before_the_gate() -> None:
    """Once both versions were measured in production, that difference counts: a good gate does not hide a bad model."""
    change = replace(CHANGE, before=_windows(0.8), after=_windows(0.7, 0.6))

    found = gain(change)

    assert found.best.gain == pytest.approx(-0.15)
    assert found.told()["gainPerCost"] == pytest.approx(-0.6)
    assert found.told()["measured"]["windows"] == [1, 2]


def test_windows_weigh_by_their_samples() -> None:
    """A window of 300 rows counts three times one of 100; without counts each window is one."""
    large = [Measured(AT, 0.5, 300), Measured(AT, 0.9, 100)]
    untold = [Measured(AT, 0.5, None), Measured(AT, 0.9, 100)]

    assert gain(replace(CHANGE, after=large)).measured.after == pytest.approx(0.6)
    assert gain(replace(CHANGE, after=untold)).measured.after == pytest.approx(0.7)


def test_only_the_nearest_windows_count() -> None:
    """A later decay is another incident's affair: the first windows after, and the last before, are compared."""
    change = replace(CHANGE, after=_windows(*[0.9] * WINDOWS, 0.0), before=_windows(*[0.4] * WINDOWS, 0.0))

    found = gain(change).measured

    assert (found.before, found.after) == (pytest.approx(0.4), pytest.approx(0.9))


def test_a_metric_that_falls_when_it_improves() -> None:
    """Less error is a gain."""
    assert gain(replace(CHANGE, lower_is_better=True, gate=(0.4, 0.1))).best.gain == pytest.approx(0.3)


@pytest.mark.parametrize("gate", [(None, 0.9), (0.4, None), (None, None)])
def test_an_undefined_metric_is_no_gain(gate: tuple[float | None, float | None]) -> None:
    """Without a value on either side there is no gain, not one of 0; the first model has none before it."""
    found = gain(replace(CHANGE, gate=gate)).told()

    assert (found["gain"], found["gainPerCost"]) == (None, None)
    assert found["cost"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("runs", "why"),
    [
        (None, "no run of this colony"), ([_run(0.2), _run(None)], "the cost of 1 of its runs"),
        ([_run(0.2), _run(None, over=False)], "the cost of 1 of its runs"),
    ],
)  # fmt: skip
def test_a_cost_that_is_not_known(runs: list[RunCost] | None, why: str) -> None:
    """One attempt without a cost leaves the whole not known, and the gain for a unit of it undefined."""
    found = gain(replace(CHANGE, runs=runs))

    assert (found.cost, found.told()["gainPerCost"]) == (None, None)
    assert why in found.why
    assert found.best.gain == pytest.approx(0.5)


def test_a_gain_for_nothing_is_not_infinite() -> None:
    """Where nothing was spent, or a credit gave more back, a gain for a unit of money is undefined."""
    assert [per(0.5, cost) for cost in (0.0, -1.0, None)] == [None, None, None]
    assert per(None, 1.0) is None
