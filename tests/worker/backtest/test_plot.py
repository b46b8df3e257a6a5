"""The picture and the JSON of a report."""

import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

from worker.backtest.periods import periods
from worker.backtest.plot import plot
from worker.backtest.report import Arm, Change, Kind, Policy, Report, best
from worker.backtest.scoring import Point

START = datetime(2024, 1, 4, tzinfo=UTC)
WEEK = timedelta(days=7)


def _arm(policy: Policy, values: tuple[float | None, ...], *kinds: Kind) -> Arm:
    points = tuple(Point(value, value, "1 & <2>") for value in values)
    return Arm(policy, points, tuple(Change(START + WEEK, kind, "2", "why") for kind in kinds), 0.5, 2.0)


def _report(*arms: Arm, lower: bool = False) -> Report:
    found = tuple(periods(START, START + 3 * WEEK, WEEK))
    first = Change(START, Kind.DEPLOYED, "1", "trained")
    return Report("b", "binary", "f1", lower, WEEK.total_seconds(), found, ((10, 2),) * 3, arms, first)


def test_the_picture_has_a_curve_of_each_policy_and_what_happened() -> None:
    """It is well-formed, whatever a version is called; where nothing is defined the curve has a gap."""
    report = _report(
        _arm(Policy.MANAGED, (0.5, None, 0.9), Kind.RETRAINED, Kind.DEPLOYED, Kind.ROLLED_BACK),
        _arm(Policy.NEVER, (0.5, 0.4, 0.3)),
        _arm(Policy.WEEKLY, (0.5, 0.6, 0.7), Kind.RETRAINED),
    )

    root = ET.fromstring(plot(report))  # noqa: S314 - our own text

    words = [node.text or "" for node in root.iter()]
    curves = [node.get("d", "") for node in root.iter() if node.get("stroke-width") == "2.2"]
    assert sorted(curve.count("M") for curve in curves) == [1, 1, 2]
    assert {"managed 0.9", "never 0.3", "weekly 0.7", "1 retrain", "never retrained"} <= set(words)
    assert any("rolled back 2" in word for word in words)
    assert any("1 & <2>" in word for word in words)


def test_policies_that_end_at_the_same_figure_stand_apart() -> None:
    """A managed model that never had to be retrained is named beside the one that never was."""
    report = _report(*(_arm(policy, (0.5, 0.6, 0.7)) for policy in (Policy.MANAGED, Policy.NEVER)))

    root = ET.fromstring(plot(report))  # noqa: S314 - our own text

    ends = {node.text: float(node.get("y", "0")) for node in root.iter() if (node.text or "").endswith(" 0.7")}
    assert abs(ends["managed 0.7"] - ends["never 0.7"]) >= 20


def test_a_picture_of_nothing_defined_is_still_one() -> None:
    """Metrics that are undefined in every period leave an empty plot."""
    ET.fromstring(plot(_report(_arm(Policy.NEVER, (None, None, None)))))  # noqa: S314 - our own text


def test_the_report_is_json_with_null_for_what_is_undefined() -> None:
    """Counts come from the changes; the figures of each period stand beside their rows."""
    report = _report(_arm(Policy.MANAGED, (0.5, None, 0.9), Kind.RETRAINED, Kind.REFUSED, Kind.RETRAINED))

    said = json.loads(json.dumps(report.to_json(), allow_nan=False))

    assert (said["rows"], said["from"], said["until"]) == (30, "2024-01-04T00:00:00Z", "2024-01-25T00:00:00Z")
    managed = said["policies"]["managed"]
    assert (managed["metric"], managed["retrains"], managed["refused"], managed["cost"]) == (0.9, 2, 1, 0.5)
    assert said["periods"][1]["policies"]["managed"] == {"metric": None, "cumulative": None, "served": "1 & <2>"}
    assert said["periods"][1]["positives"] == 2


def test_the_best_is_the_lowest_of_what_is_to_be_low() -> None:
    """An undefined metric is not the best of anything."""
    arms = [_arm(Policy.MANAGED, (2.0,)), _arm(Policy.NEVER, (3.0,)), _arm(Policy.WEEKLY, (None,))]

    assert best(arms, lower_is_better=True) == 2.0
    assert best(arms, lower_is_better=False) == 3.0
    assert best(arms[2:], lower_is_better=True) is None
