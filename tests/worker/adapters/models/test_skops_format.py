import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from worker.adapters.models.skops_format import SkopsFormat
from worker.errors import Rejected

METADATA = {
    "features": ["a", "b"],
    "kinds": {"a": "number", "b": "number"},
    "task": "binary",
    "classes": ["ham", "spam"],
    "trainedUntil": "2002-08-01T00:00:00Z",
}
ROWS = np.array([[0.0, 1.0], [1.0, 0.0], [0.1, 0.9], [0.9, 0.2]])

_DUMP = """
import sys
from pathlib import Path
from worker.adapters.models.skops_format import SkopsFormat
from worker.steps import candidates
import numpy as np
kinds = {"n": "number", "c": "category", "t": "text"}
rows = np.array([[float(i), "abc"[i % 3], f"some words {i}"] for i in range(60)], dtype=object)
for name in candidates.names("binary", "auto"):
    model = candidates.build(name, "binary", kinds, {}, seed=3).fit(rows, np.arange(60) % 2)
    print(SkopsFormat().dump(model, {"features": list(kinds), "kinds": kinds}, Path(sys.argv[1])))
"""


class Payload:
    """What an attacker would like to have executed."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("exit 1",)


@pytest.fixture(name="format_")
def _format() -> SkopsFormat:
    return SkopsFormat()


@pytest.fixture(name="model")
def _model() -> LogisticRegression:
    return LogisticRegression().fit(ROWS, [0, 1, 0, 1])


def test_a_model_comes_back_with_its_metadata(format_: SkopsFormat, model: Any, tmp_path: Path) -> None:
    """What was dumped predicts the same after loading, by columns in any order, and missing features are None."""
    path = tmp_path / "m"
    predictor = format_.load(path, format_.dump(model, METADATA, path))
    scored = predictor.predict({"b": [1.0, 0.0], "a": [0.0, 1.0], "other": ["x", "y"]})

    assert [item.prediction for item in scored] == ["ham", "spam"]
    assert [item.score for item in scored] == pytest.approx(model.predict_proba(ROWS[:2])[:, 1].tolist())
    assert predictor.metadata == METADATA
    assert predictor.predict({}) == []


def test_the_same_model_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    """Two processes with different hash seeds write identical files for each candidate."""
    seen = []
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", _DUMP, str(tmp_path / seed)],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[4])},
            capture_output=True,
            text=True,
            check=True,
        )
        seen.append(run.stdout.split())

    assert len(seen[0]) == 3
    assert seen[0] == seen[1]


def test_metadata_is_covered_by_the_hash(format_: SkopsFormat, model: Any, tmp_path: Path) -> None:
    """Other metadata gives another hash."""
    one = format_.dump(model, METADATA, tmp_path / "one")

    assert one == format_.dump(model, METADATA, tmp_path / "two")
    assert one != format_.dump(model, METADATA | {"trainedUntil": "2003-01-01T00:00:00Z"}, tmp_path / "three")


def test_a_wrong_hash_is_refused(format_: SkopsFormat, model: Any, tmp_path: Path) -> None:
    """A file that is not the one expected is not loaded."""
    format_.dump(model, METADATA, tmp_path / "m")

    with pytest.raises(Rejected, match="hash"):
        format_.load(tmp_path / "m", "0" * 64)


@pytest.mark.parametrize(
    "evil",
    [
        Pipeline([("f", FunctionTransformer(os.getenv)), ("m", DummyClassifier())]),
        Pipeline([("f", Payload()), ("m", DummyClassifier())]),
    ],
)
def test_untrusted_types_are_refused(format_: SkopsFormat, evil: Any, tmp_path: Path) -> None:
    """A file that names a function or a class of its own is refused before anything of it is made."""
    path = tmp_path / "evil"
    path.write_bytes(skops.io.dumps(evil))

    with pytest.raises(Rejected, match="not trusted"):
        format_.load(path, hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(Rejected, match="not trusted"):
        format_.adopt(path, {"features": ["a"], "task": "binary"}, tmp_path / "adopted")
    with pytest.raises(Rejected, match="not trusted"):
        format_.dump(evil, METADATA, tmp_path / "dumped")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04broken"])
def test_garbage_is_refused(format_: SkopsFormat, content: bytes, tmp_path: Path) -> None:
    """What is no model at all is refused with the mend."""
    path = tmp_path / "m"
    path.write_bytes(content)

    with pytest.raises(Rejected, match="not a model"):
        format_.load(path, hashlib.sha256(content).hexdigest())


def test_a_foreign_model_is_adopted(format_: SkopsFormat, tmp_path: Path) -> None:
    """A skops file made elsewhere has no metadata; with some given it becomes ours, its own classes kept."""
    foreign = tmp_path / "foreign"
    skops.io.dump(LogisticRegression().fit(ROWS, ["spam", "ham", "spam", "ham"]), foreign)
    with pytest.raises(Rejected, match="adopt"):
        format_.load(foreign, hashlib.sha256(foreign.read_bytes()).hexdigest())
    with pytest.raises(Rejected, match=r"metadata\.task"):
        format_.adopt(foreign, {"features": ["a", "b"]}, tmp_path / "m")

    told = {"features": ["a", "b"], "task": "binary", "positive": "spam"}
    predictor = format_.load(tmp_path / "m", format_.adopt(foreign, told, tmp_path / "m"))
    scored = predictor.predict({"a": [0.0, 1.0], "b": [1.0, 0.0]})

    assert [item.prediction for item in scored] == ["spam", "ham"]
    assert scored[0].score is not None
    assert scored[0].score > 0.5


def test_a_container_that_is_no_model_does_not_predict(format_: SkopsFormat, tmp_path: Path) -> None:
    """Trusted data that is no estimator is refused."""
    with pytest.raises(Rejected, match="not an estimator"):
        format_.dump({"a": 1}, METADATA, tmp_path / "m")
