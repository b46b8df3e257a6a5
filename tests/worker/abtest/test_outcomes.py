"""Exposures and outcomes: whose value counts, when, and what it is."""

from datetime import datetime

import numpy as np
import pytest

from tests.worker.abtest.world import BEE, DAY, HOUR, START, plan
from worker.abtest.exposures import Answers, Exposures, exposures_of
from worker.abtest.measures import Measure, measure_of, primary_name
from worker.abtest.outcomes import Outcomes, latencies_of, outcomes_of, rows_of
from worker.clock import to_us
from worker.errors import Rejected
from worker.features.columns import Column
from worker.features.observed import Observed
from worker.features.port import Definition
from worker.models.port import Scored

NONE = Answers((), np.empty(0, np.int64), (), ())
TRAFFIC = plan().traffic("salt")
ENGAGEMENT = Measure("engagement", lower_is_better=False, bounds=(0.0, 1.0))


def _us(*times: datetime) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array([to_us(time) for time in times], dtype=np.int64)


def _observed(*rows: tuple[str, datetime, datetime, float]) -> Observed:
    ranked = sorted(rows, key=lambda row: row[2])
    ids, times, known, values = zip(*ranked, strict=True)
    return Observed(tuple(ids), _us(*times), _us(*known), Column.of("number", list(values)))


def _exposed(**when: datetime) -> Exposures:
    return exposures_of(list(when), _us(*when.values()), TRAFFIC)


def _outcomes(
    exposed: Exposures, *rows: tuple[str, datetime, datetime, float], days: float = 9, horizon: int = 0
) -> Outcomes:
    found = rows_of(ENGAGEMENT, _observed(*rows), exposed, NONE, BEE)
    return outcomes_of(found, exposed, to_us(START + days * DAY), horizon * 86_400_000_000 or None)


def test_the_first_exposure_counts() -> None:
    """An entity is exposed once, when it was first answered, and judged as what was assigned to it."""
    other = {"1": "2", "2": "1"}[TRAFFIC.version_for("a")]
    served = [other, TRAFFIC.version_for("b"), TRAFFIC.version_for("a"), "9"]
    found = exposures_of(["a", "b", "a", "c"], _us(START, START + HOUR, START + DAY, START - HOUR), TRAFFIC, served)

    assert found.entities == ("c", "a", "b")
    assert found.times_us.tolist() == _us(START - HOUR, START, START + HOUR).tolist()
    assert [TRAFFIC.split[arm][0] for arm in found.arms] == [TRAFFIC.version_for(one) for one in "cab"]
    assert found.served.tolist()[0] == -1
    assert found.crossed == 2


def test_only_what_came_after() -> None:
    """What was true before the exposure is evidence of nothing, and is counted as such; strangers are none of ours."""
    exposed = _exposed(a=START + HOUR, b=START)
    late = START + DAY
    found = _outcomes(exposed, ("a", START, late, 0.1), ("b", START, late, 0.2), ("x", late, late, 0.9))

    assert [exposed.entities[place] for place in found.places] == ["b"]
    assert (found.values.tolist(), found.early) == ([0.2], 1)


def test_the_first_known_counts() -> None:
    """Without a horizon the value is that of the observation that became known first, for good."""
    exposed = _exposed(a=START)
    rows = [("a", START + 2 * HOUR, START + DAY, 0.5), ("a", START + HOUR, START + 2 * DAY, 0.1)]

    assert _outcomes(exposed, *rows).values.tolist() == [0.5]
    assert _outcomes(exposed, *rows, days=0.5).values.tolist() == []


def test_a_horizon() -> None:
    """The value is the mean of what was true within the horizon and known when it was over, and counts only then."""
    exposed = _exposed(a=START, b=START)
    rows = [
        ("a", START + HOUR, START + HOUR, 0.2),
        ("a", START + DAY, START + DAY, 0.4),
        ("a", START + 4 * DAY, START + 4 * DAY, 0.9),
        ("a", START + DAY + HOUR, START + 5 * DAY, 0.9),
        ("b", START + HOUR, START + 6 * DAY, 0.7),
    ]

    assert len(_outcomes(exposed, *rows, horizon=3, days=2.9)) == 0
    assert _outcomes(exposed, *rows, horizon=3, days=3).values.tolist() == pytest.approx([0.3])
    assert _outcomes(exposed, *rows, horizon=3).values.tolist() == pytest.approx([0.3, 0.7])
    assert _outcomes(exposed, *rows, horizon=3).ready_us.tolist() == _us(START + 3 * DAY, START + 6 * DAY).tolist()


def test_what_is_known_never_changes() -> None:
    """The outcomes known by a time are the first of those known later, in the same order."""
    exposed = _exposed(**{f"e{n}": START + n * HOUR for n in range(40)})
    rows = [
        (f"e{n}", START + n * HOUR + HOUR, START + ((n * 7) % 40) * HOUR + 2 * DAY, float(n % 2)) for n in range(40)
    ]
    whole = _outcomes(exposed, *rows)

    for days in (2, 2.5, 3, 4):
        part = _outcomes(exposed, *rows, days=days)
        assert part.places.tolist() == whole.places.tolist()[: len(part)]
        assert part.values.tolist() == whole.values.tolist()[: len(part)]


def test_labels_and_answers() -> None:
    """A label is judged by the answer in force at its time; without one it is counted as unanswered."""
    exposed = _exposed(a=START, b=START)
    answers = Answers(["a", "a"], _us(START, START + 2 * DAY), ["1", "1"], [Scored(1.0, 0.9), Scored(0.0, 0.1)])
    observed = _observed(("a", START + DAY, START + DAY, 1.0), ("b", START + DAY, START + DAY, 1.0))
    accuracy = measure_of("accuracy", BEE, {})
    found = rows_of(accuracy, observed, exposed, answers, BEE)

    assert (found.values.tolist(), found.unanswered) == ([1.0], 1)


def test_rows_that_a_metric_is_not_about() -> None:
    """Recall is of positive rows only: a negative one contributes nothing."""
    exposed = _exposed(a=START, b=START)
    answers = Answers(["a", "b"], _us(START, START), ["1", "1"], [Scored(0.0, 0.1), Scored(1.0, 0.9)])
    observed = _observed(("a", START + DAY, START + DAY, 1.0), ("b", START + DAY, START + DAY, 0.0))

    assert rows_of(measure_of("recall", BEE, {}), observed, exposed, answers, BEE).values.tolist() == [0.0]


def test_latencies() -> None:
    """How long answers took is known as they are given; those that do not tell it are left out."""
    exposed = _exposed(a=START, b=START)
    said = [Scored(1.0, 0.9)] * 2
    answers = Answers(["a", "b"], _us(START, START), ["1", "2"], said, [3.5, None])
    found = latencies_of(answers, exposed)

    assert (found.values.tolist(), found.known_us.tolist()) == ([3.5], _us(START).tolist())


def test_which_metric() -> None:
    """The bee's own where it is a mean over rows, else accuracy; a feature of its entity; anything else is refused."""
    features = {
        "bought": Definition("bought", "visitor", "boolean"),
        "score": Definition("score", "visitor", "number", minimum=0, maximum=5),
        "other": Definition("other", "visitor", "number"),
        "name": Definition("name", "visitor", "string"),
        "abroad": Definition("abroad", "country", "number"),
        "ratio": Definition("ratio", "visitor", "number", source="computed", computation="score / 2"),
    }

    assert primary_name(BEE, "") == "accuracy"
    assert primary_name(BEE.model_copy(update={"metric": "error_rate"}), "") == "error_rate"
    assert measure_of("error_rate", BEE, {}).sign == -1
    assert (measure_of("bought", BEE, features, "higher").bounds, measure_of("score", BEE, features).bounds) == (
        (0, 1),
        (0, 5),
    )
    for name, words in {
        "other": "direction",
        "name": "neither",
        "abroad": "neither",
        "nothing": "neither",
        "f1": "neither",
        "ratio": "computed",
    }.items():
        with pytest.raises(Rejected, match=words):
            measure_of(name, BEE, features)
