from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.steps.report.plot import bars, intervals, ticks
from worker.steps.report.words import seconds

REFERENCE = {"kind": "champion", "version": "1", "value": 0.3, "lower": 0.2, "upper": 0.4}


def _variant(name: str, value: float) -> dict[str, object]:
    return {"name": name, "value": value, "lower": value - 0.05, "upper": value + 0.05, "cpuSeconds": 1.0}


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.242, 1.024, ["0.4", "0.6", "0.8", "1.0"]),
        (0.9, 0.95, ["0.90", "0.91", "0.92", "0.93", "0.94", "0.95"]),
        (-0.03, 0.1, ["-0.025", "0.000", "0.025", "0.050", "0.075", "0.100"]),
        (120.0, 900.0, ["200", "400", "600", "800"]),
    ],
)
def test_an_axis_has_round_numbers(low: float, high: float, said: list[str]) -> None:
    """The marks of an axis are values that people count in, written with the digits that they need."""
    assert [text for _, text in ticks(low, high)] == said


@given(low=st.floats(-1e6, 1e6), span=st.floats(1e-3, 1e6))
def test_marks_lie_within_the_axis(low: float, span: float) -> None:
    """Whatever the span, there are two to seven marks, all of them inside, each where its text says."""
    found = ticks(low, low + span)

    assert 2 <= len(found) <= 7
    room = span * 1e-6 + abs(low) * 1e-9
    assert all(low - room <= value <= low + span + room for value, _ in found)
    assert all(abs(float(text) - value) <= room for value, text in found)


def test_a_name_that_is_too_long_is_cut_and_told_whole() -> None:
    """A long name fits beside its bar, and is there in full for whoever points at it."""
    name = "a forest with <b>a very long name</b>"
    plot = intervals([_variant(name, 0.9)], REFERENCE, winner=name)

    assert f"{escape(name[:23])}…<title>" in plot
    assert "<title>a forest with &lt;b&gt;a very long name&lt;/b&gt;</title>" in plot
    assert "<title>" not in bars([_variant("short", 0.9)], "cpuSeconds", seconds, "short")
