from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import Rejected
from worker.steps.split import split_by_time
from worker.steps.tables import Rows, read_rows, write_rows

START = datetime(2024, 1, 1, tzinfo=UTC)
HOURS = st.lists(st.integers(0, 30), min_size=1, max_size=60)


def _rows(hours: list[int]) -> Rows:
    times = [START + timedelta(hours=hour) for hour in hours]
    ids = [f"e{index}" for index in range(len(hours))]
    return Rows(ids, times, {"n": [float(hour) for hour in hours]}, {"types": {"n": "number"}})


@given(HOURS, st.floats(0.05, 0.95), st.none() | st.integers(0, 30))
def test_no_time_lies_on_both_sides(hours: list[int], share: float, seen: int | None) -> None:
    """Each hold-out row is later than every training row, and than what the champion has seen."""
    until = None if seen is None else START + timedelta(hours=seen)
    train, holdout = split_by_time(_rows(hours), share, seen_until=until)

    if train.times and holdout.times:
        assert max(train.times) < min(holdout.times)
    assert all(until is None or moment > until for moment in holdout.times)
    assert list(train.times) == sorted(train.times)
    if until is None:
        assert len(train) + len(holdout) == len(hours)


def test_the_share_is_of_the_rows() -> None:
    """With distinct times the hold-out gets exactly its share of the rows, the newest ones."""
    train, holdout = split_by_time(_rows(list(range(100))), 0.2, seen_until=None)

    assert (len(train), len(holdout)) == (80, 20)
    assert holdout.columns["n"][0] == 80.0


def test_rows_keep_their_values_types_and_facts(tmp_path: Path) -> None:
    """Parquet gives back what was written, None and vectors included, and the same rows are the same bytes."""
    columns = {"b": [True, None], "s": ["x", None], "v": [[1.0], None], "n": [None, None]}
    types = {"b": "boolean", "s": "string", "v": "vector", "n": "number"}
    rows = Rows(["a", "b"], [START, START + timedelta(microseconds=1)], columns, {"types": types, "snapshotId": "s1"})
    for name in ("one", "two"):
        write_rows(tmp_path / name, rows)
    back = read_rows(tmp_path / "one")

    assert (back.entity_ids, back.times, back.columns, back.facts) == (
        rows.entity_ids,
        rows.times,
        rows.columns,
        rows.facts,
    )
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_bad_columns_are_refused(tmp_path: Path) -> None:
    """A feature with one of our own column names, or values of another type than declared, is named."""
    with pytest.raises(Rejected, match="event_time"):
        write_rows(tmp_path / "x", Rows(["a"], [START], {"event_time": [1.0]}, {}))
    with pytest.raises(Rejected, match="n: "):
        write_rows(tmp_path / "x", Rows(["a"], [START], {"n": ["text"]}, {"types": {"n": "number"}}))
