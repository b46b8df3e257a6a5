import pytest

from worker.errors import Rejected
from worker.metric import HIGHER_IS_BETTER, LOWER_IS_BETTER, lower_is_better


def test_no_metric_has_two_directions() -> None:
    """A metric rises or falls when a model improves."""
    assert not LOWER_IS_BETTER & HIGHER_IS_BETTER


@pytest.mark.parametrize("name", ["loss", "rmse", "error_rate", "latency_ms"])
def test_the_missions_own(name: str) -> None:
    """The metrics that the mission names fall."""
    assert lower_is_better(name)


@pytest.mark.parametrize("name", sorted(LOWER_IS_BETTER | HIGHER_IS_BETTER))
def test_a_declaration_counts_more(name: str) -> None:
    """What a bee declares is followed, also against the table."""
    assert lower_is_better(name, "lower")
    assert not lower_is_better(name, "higher")


@pytest.mark.parametrize("name", ["", "F1", "niceness"])
def test_unknown(name: str) -> None:
    """An unknown metric is not guessed at."""
    with pytest.raises(Rejected, match="metricDirection"):
        lower_is_better(name)
