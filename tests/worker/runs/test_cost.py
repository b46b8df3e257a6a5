"""What runs cost, in words."""

import pytest

from worker.runs.cost import cost_text


@pytest.mark.parametrize(
    ("amount", "words"),
    [(12.345, "12.35"), (1, "1.00"), (0.25, "0.2500"), (0.001, "0.0010"), (0.000036, "0.000036"), (0.0, "0.0000")],
)
def test_small_amounts_do_not_look_like_nothing(amount: float, words: str) -> None:
    """A run of a few CPU seconds costs a fraction of a cent, and is not said to cost nothing."""
    assert cost_text(amount) == words
