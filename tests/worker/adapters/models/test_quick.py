from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler
from threadpoolctl import threadpool_limits

from worker.adapters.models.predictor import SkopsPredictor
from worker.adapters.models.quick import Quick
from worker.errors import Rejected
from worker.models.encoding import encode
from worker.steps import candidates

NUMBERS = {"a": "number", "b": "boolean", "v": "vector:2"}
MIXED = {"n": "number", "c": "category", "d": "category", "t": "text", "never": "number"}
#: Every trainer's algorithm for every task, on numbers alone and on columns of all kinds.
CASES = [
    (task, algorithm, kinds)
    for task in ("binary", "multiclass", "regression")
    for algorithm in candidates.names(task, "auto")
    for kinds in ("numbers", "mixed")
]
ROWS = 160
_NUMBER = st.none() | st.floats(allow_nan=True, allow_infinity=False, width=64)


@pytest.fixture(name="_one_thread", autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Give scikit-learn one thread: on a busy machine the others only wait for each other."""
    with threadpool_limits(limits=1):
        yield


@dataclass(frozen=True)
class Model:
    """A fitted pipeline, scikit-learn's own way and ours."""

    pipeline: Any
    quick: Quick
    kinds: dict[str, str]


def _columns(random: np.random.Generator, kinds: dict[str, str], rows: int) -> dict[str, list[Any]]:
    def value(name: str, kind: str) -> Any:
        if name == "never" or random.random() < 0.15:
            return None
        words = [f"word{number}" for number in random.integers(0, 50, 4)]
        # More categories than the encoder keeps apart: the rare ones share a column.
        return {
            "number": random.normal() * 10.0 ** random.integers(-3, 4),
            "boolean": bool(random.random() < 0.5),
            "vector:2": [random.normal(), random.normal()],
            "category": f"kind{min(random.geometric(0.04), 60)}",
            "text": " ".join(words),
        }[kind]

    return {name: [value(name, kind) for _ in range(rows)] for name, kind in kinds.items()}


@cache
def _fitted(task: str, algorithm: str, kinds_name: str) -> Model:
    random = np.random.default_rng(7)
    kinds = NUMBERS if kinds_name == "numbers" else MIXED
    matrix = encode(_columns(random, kinds, ROWS), kinds, ROWS)
    target = (
        random.normal(size=ROWS) if task == "regression" else random.integers(0, 2 if task == "binary" else 3, ROWS)
    )
    if algorithm == "hist_gradient_boosting" and kinds is MIXED:
        # It does not learn from a column that has no value at all.
        matrix[0, -1] = 0.5
    few = {"n_estimators": 12} if algorithm == "random_forest" else {}
    few |= {"max_iter": 8} if algorithm == "hist_gradient_boosting" else {}
    pipeline = candidates.build(algorithm, task, kinds, few, seed=3).fit(matrix, target)
    return Model(pipeline, Quick(pipeline), kinds)


def _row(data: st.DataObject, kinds: dict[str, str]) -> dict[str, list[Any]]:
    drawn = {
        "number": _NUMBER,
        "boolean": st.none() | st.booleans(),
        "vector:2": st.none() | st.lists(_NUMBER, max_size=3),
        "category": st.none() | st.text(max_size=8) | st.integers(1, 70).map(lambda number: f"kind{number}"),
        "text": st.none() | st.text(max_size=60) | st.just("word1 word2 and WORD3"),
    }
    return {name: [data.draw(drawn[kind])] for name, kind in kinds.items()}


def _outcome(scorer: Any, method: str, matrix: Any) -> Any:
    """Return what comes out, to the bit, or why nothing does."""
    with np.errstate(all="ignore"):
        try:
            found = getattr(scorer, method)(matrix)
        except ValueError as error:
            return str(error)
    return found.dtype, found.shape, found.tobytes()


@pytest.mark.parametrize(("task", "algorithm", "kinds"), CASES)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_same_bits_as_scikit_learn(task: str, algorithm: str, kinds: str, data: st.DataObject) -> None:
    """For every algorithm, task and kind of column a single row scores to the very bits of scikit-learn's own path.

    Missing, huge, tiny and unknown values included; a row that scikit-learn refuses is refused with the same words.
    """
    model = _fitted(task, algorithm, kinds)
    matrix = encode(_row(data, model.kinds), model.kinds, 1)

    for method in ("predict", "predict_proba"):
        if not hasattr(model.pipeline, method):
            continue
        assert _outcome(model.quick, method, matrix) == _outcome(model.pipeline, method, matrix)


@pytest.mark.parametrize(("task", "algorithm", "kinds"), CASES)
def test_each_of_our_models_takes_the_quick_path(task: str, algorithm: str, kinds: str) -> None:
    """What the trainers make is known, and agrees on the probes; else the promise on time would be empty."""
    model = _fitted(task, algorithm, kinds)
    columns = _columns(np.random.default_rng(1), model.kinds, 1)

    model.quick.predict(encode(columns, model.kinds, 1))

    assert model.quick.is_quick


def test_many_rows_are_left_to_scikit_learn() -> None:
    """More than one row is scored as ever."""
    model = _fitted("binary", "random_forest", "numbers")
    columns = _columns(np.random.default_rng(2), model.kinds, 5)
    matrix = encode(columns, model.kinds, 5)

    assert np.array_equal(model.quick.predict_proba(matrix), model.pipeline.predict_proba(matrix))


@pytest.mark.parametrize("steps", [[("columns", MinMaxScaler()), ("model", LogisticRegression())]])
def test_another_pipeline_is_left_to_scikit_learn(steps: Any) -> None:
    """A model that was brought in has its own form; it is scored as it was made."""
    rows = np.array([[0.0, 1.0], [1.0, 0.0], [0.2, 0.9], [0.9, 0.2]])
    pipeline = Pipeline(steps).fit(rows, [0, 1, 0, 1])
    quick = Quick(pipeline)

    assert np.array_equal(quick.predict_proba(rows[:1]), pipeline.predict_proba(rows[:1]))
    assert not quick.is_quick


def test_a_model_that_would_come_out_otherwise_is_not_taken() -> None:
    """If any probe differs, as it might after an upgrade of scikit-learn, scikit-learn's own path is taken for good."""
    model = _fitted("binary", "hist_gradient_boosting", "numbers")

    class Otherwise:
        """Scores a little higher than its own arrays say."""

        named_steps = model.pipeline.named_steps
        predict = model.pipeline.predict

        def predict_proba(self, matrix: Any) -> Any:
            return model.pipeline.predict_proba(matrix) + 1e-9

    quick = Quick(Otherwise())
    matrix = encode(_columns(np.random.default_rng(3), model.kinds, 1), model.kinds, 1)

    assert np.array_equal(quick.predict_proba(matrix), Otherwise().predict_proba(matrix))
    assert not quick.is_quick


@pytest.mark.parametrize("value", [float("inf"), 1e300])
def test_a_row_that_cannot_be_scored_is_refused_by_the_predictor(value: float) -> None:
    """Infinity, and a number too large for a tree, are the sender's fault, also on the quick path."""
    model = _fitted("binary", "random_forest", "numbers")
    metadata = {"features": list(model.kinds), "kinds": model.kinds, "task": "binary", "classes": [0, 1]}
    predictor = SkopsPredictor(model.pipeline, metadata)

    assert predictor.predict({"a": [1.0], "b": [True], "v": [[0.1, 0.2]]})[0].score is not None
    with pytest.raises(Rejected, match="infinity"):
        predictor.predict({"a": [value], "b": [True], "v": [[0.1, 0.2]]})


def test_one_row_scores_as_it_does_among_others() -> None:
    """A served prediction is that of the evaluation, whatever else was scored with it."""
    model = _fitted("multiclass", "random_forest", "mixed")
    metadata = {"features": list(model.kinds), "kinds": model.kinds, "task": "multiclass", "classes": ["x", "y", "z"]}
    predictor = SkopsPredictor(model.pipeline, metadata)
    columns = _columns(np.random.default_rng(4), model.kinds, 30)

    together = predictor.predict(columns)

    alone = [predictor.predict({name: [values[row]] for name, values in columns.items()})[0] for row in range(30)]
    assert alone == [replace(scored) for scored in together]
