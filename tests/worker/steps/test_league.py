import numpy as np
import pytest

from worker.steps.bootstrap import Question
from worker.steps.league import Entrant, Level, decide, tabulate
from worker.steps.metrics import Scores

ACCURACY = Question("accuracy", "binary", lower_is_better=False)
LEVEL = Level(confidence=0.95, resamples=400, seed=1)
TRUTH = np.arange(200) % 2 == 0


def _entrant(name: str, wrong: int, order: tuple[float, ...] = (), *, start: int = 0) -> Entrant:
    predicted = TRUTH.copy()
    predicted[start : start + wrong] = ~predicted[start : start + wrong]
    return Entrant(name, Scores(TRUTH, predicted), order)


def test_a_clear_winner_wins() -> None:
    """One that is surely better than all others wins, however much simpler they are."""
    entrants = [_entrant("good", 5, (9.0,)), _entrant("bad", 80, (1.0,)), _entrant("worse", 120, (0.0,))]
    table = tabulate(ACCURACY, entrants, LEVEL)
    result = decide(table, entrants, "simplest")

    assert result is not None
    assert (result.winner, result.best, result.level_with_best) == ("good", "good", ())
    assert "better than every other" in result.words
    assert table.against("bad", "good")["word"] == "worse"
    assert table.against("good", "bad")["word"] == "better"


def test_inside_the_noise_the_simplest_wins() -> None:
    """Of two that the rows cannot tell apart the simpler wins, and the words say that it is noise."""
    entrants = [_entrant("big", 10, (2.0,)), _entrant("small", 12, (1.0,), start=50), _entrant("bad", 90, (0.0,))]
    result = decide(tabulate(ACCURACY, entrants, LEVEL), entrants, "simplest")

    assert result is not None
    assert (result.winner, result.best, result.level_with_best) == ("small", "big", ("small",))
    assert "within the noise" in result.words
    assert "small is the simplest of them and wins" in result.words


def test_a_tie_is_called_a_tie() -> None:
    """Two that predict the same are a tie, with a difference and an interval of exactly 0."""
    entrants = [_entrant("dear", 10, (2.0,)), _entrant("cheap", 10, (1.0,))]
    table = tabulate(ACCURACY, entrants, LEVEL)
    result = decide(table, entrants, "cheapest")

    assert table.against("cheap", "dear") == {"difference": 0.0, "lower": 0.0, "upper": 0.0, "word": "tie"}
    assert result is not None
    assert result.winner == "cheap"
    assert "are a tie" in result.words


def test_direction_of_the_metric_counts() -> None:
    """Where lower is better the lowest wins, and a positive difference still means better."""
    question = Question("mae", "regression", lower_is_better=True)
    truth = np.linspace(0, 10, 60)
    entrants = [Entrant("near", Scores(truth, truth + 0.1)), Entrant("far", Scores(truth, truth + 2.0))]
    table = tabulate(question, entrants, LEVEL)
    result = decide(table, entrants, "simplest")

    assert result is not None
    assert result.winner == "near"
    assert table.against("near", "far")["difference"] == pytest.approx(1.9)


def test_intervals_hold_the_value_and_repeat() -> None:
    """An entrant's interval holds its value, and the same seed gives the same interval."""
    entrants = [_entrant("a", 30), _entrant("b", 40, start=20)]
    table, again = (tabulate(ACCURACY, entrants, LEVEL) for _ in range(2))
    lower, upper = table.interval("a")

    assert lower is not None
    assert upper is not None
    assert lower < table.values["a"] < upper  # type: ignore[operator]
    assert again.interval("a") == (lower, upper)


def test_undefined_values_win_nothing() -> None:
    """Where the metric is undefined for everyone there is no winner."""
    truth = np.zeros(50, dtype=bool)
    entrants = [Entrant("a", Scores(truth, truth)), Entrant("b", Scores(truth, ~truth))]

    assert decide(tabulate(Question("f1", "binary", lower_is_better=False), entrants, LEVEL), entrants, "x") is None


def test_alone_is_not_a_victory() -> None:
    """A single variant is said to be the only one, not better than others."""
    entrants = [_entrant("only", 10)]
    result = decide(tabulate(ACCURACY, entrants, LEVEL), entrants, "simplest")

    assert result is not None
    assert "only variant" in result.words
