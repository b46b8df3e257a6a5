"""What is called drift, and how bad it is."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from worker.bee import DriftSpec
from worker.features.columns import Column
from worker.monitor.column import Summary, summed_up
from worker.monitor.drift import ColumnDrift, Drift, compare_column, judge

SPEC = DriftSpec()
DRAW = np.random.default_rng(11)


def _normal(rows: int, shift: float = 0.0) -> Summary:
    return Summary(rows, np.sort(DRAW.normal(shift, 1, rows)))


def _text(**rows: int) -> Summary:
    values: list[Any] = [name for name, count in rows.items() for _ in range(count)]
    return summed_up(Column.of("string", [None if value == "none" else value for value in values]))


def _one(reference: Summary, window: Summary, spec: DriftSpec = SPEC) -> tuple[ColumnDrift, Drift]:
    found = judge([compare_column("it", reference, window, spec)], None, spec)
    return found.features[0], found


def test_fifty_quiet_features_are_quiet() -> None:
    """Samples of one distribution, even small ones, are no drift."""
    columns = [compare_column(f"f{n}", _normal(1500), _normal(300), SPEC) for n in range(50)]
    assert judge(columns, None, SPEC).severity == "none"


def test_a_small_window_whose_psi_is_high_by_chance_is_no_finding() -> None:
    """With 100 rows chance alone brings the PSI near 0.1 at times; the test says that it is chance."""
    found = [_one(_normal(1500), _normal(100))[0] for _ in range(40)]
    assert max(one.psi for one in found) > 0.1
    assert not [one for one in found if one.findings]


def test_a_shift_is_found_and_ranked_first() -> None:
    """A feature moved by one standard deviation comes first, and names its PSI."""
    columns = [compare_column("still", _normal(1000), _normal(400), SPEC)]
    columns.append(compare_column("moved", _normal(1000), _normal(400, 1.0), SPEC))
    found = judge(columns, None, SPEC)
    assert found.drifted == ("moved",)
    assert [one.name for one in found.features] == ["moved", "still"]
    assert "PSI" in found.features[0].findings[0]


@pytest.mark.parametrize(
    ("shifts", "severity"),
    [([0.0] * 9, "none"), ([0.5] + [0.0] * 9, "low"), ([3.0] + [0.0] * 9, "medium"), ([1.0] * 9, "high")],
)
def test_severity_is_the_tables(shifts: list[float], severity: str) -> None:
    """One slightly moved of ten is low, one far moved is medium, all of them moved is high."""
    columns = [compare_column(f"f{n}", _normal(2000), _normal(500, shift), SPEC) for n, shift in enumerate(shifts)]
    assert judge(columns, None, SPEC).severity == severity


def test_predictions_alone_are_never_more_than_medium() -> None:
    """Predictions that have moved, the features being quiet, tell of a change of the world or of the model: medium."""
    columns = [compare_column("f", _normal(2000), _normal(500), SPEC)]
    found = judge(columns, compare_column("predictions", _normal(2000), _normal(500, 2.0), SPEC), SPEC)
    assert (found.severity, found.score) == ("medium", 0)


def test_missing_values_are_found_though_the_rest_is_as_before() -> None:
    """A third of the values gone is a finding; all of them gone is at least medium."""
    half, _ = _one(_text(a=500, b=500), _text(a=170, b=170, none=160))
    assert "missing" in half.findings[0]
    gone, found = _one(_text(a=500, b=500), _text(none=500))
    assert "100% are missing" in gone.findings[0]
    assert found.severity == "medium"


def test_a_new_category_is_found_before_it_moves_the_whole() -> None:
    """Six of 500 rows with a category that 1,000 rows did not have are told, one of 500 is not."""
    seen, _ = _one(_text(a=500, b=500), _text(a=247, b=247, new=6))
    assert seen.findings == ("1% have a new category: new",)
    assert not _one(_text(a=500, b=500), _text(a=249, b=250, new=1))[0].findings


@pytest.mark.parametrize("seed", range(5))
def test_a_long_tail_has_new_categories_all_the_time(seed: int) -> None:
    """Two draws from one tail: far more than one in a hundred are new, as many as were seen once before; no finding."""
    draw = np.random.default_rng(seed)
    counts = [Counter(str(value) for value in draw.zipf(1.7, 2000)) for _ in range(2)]
    before, now = (Summary(2000, categories=side) for side in counts)
    one, _ = _one(before, now)
    assert sum(one.new_categories.values()) > 20
    assert not one.findings
    assert one.new_p_value > 0.01
    more = Summary(2000, categories=counts[1] + Counter({"1": -150, "strange": 150}))
    assert "have a new category: strange" in " ".join(_one(before, more)[0].findings)


def test_what_only_names_things_does_not_drift() -> None:
    """Of identifiers each is new: their values are not judged, whether they are there still is."""
    before, now = (_text(**{f"{side}{n}": 2 for n in range(150)}) for side in "ab")
    one, found = _one(before, now)
    assert (one.judged, found.severity) == (False, "none")
    assert _one(before, _text(none=300))[0].findings == ("100% are missing, 0% were",)


def test_too_few_rows_are_evidence_of_nothing() -> None:
    """Below the minimum on either side nothing is computed, however far apart."""
    for before, now in ((_normal(99), _normal(500, 5.0)), (_normal(500), _normal(99, 5.0))):
        one, found = _one(before, now)
        assert not one.judged
        assert found.severity == "none"
    assert _one(_normal(99), _normal(99, 5.0), DriftSpec(min_rows=50))[1].severity == "high"


def test_each_threshold_counts() -> None:
    """A shift that is found by default is none below a higher PSI, distance, or a stricter significance."""
    before, now = _normal(1000), _normal(150, 0.6)
    assert _one(before, now)[0].findings
    for other in (DriftSpec(psi=5), DriftSpec(jensen_shannon=0.9), DriftSpec(alpha=1e-30)):
        assert not _one(before, now, other)[0].findings
