import math
from typing import Any

import numpy as np
import pytest

from worker.models.encoding import MISSING, encode, groups, kind_of

SENTENCES = [f"this is the story number {index} of many" for index in range(30)]


@pytest.mark.parametrize(
    ("values", "declared", "kind"),
    [
        ([1.0, None], "number", "number"),
        ([None, None], "number", "number"),
        ([None], None, "number"),
        ([True, None], None, "boolean"),
        ([None], "boolean", "boolean"),
        (["a", "b", None], None, "category"),
        ([None], "string", "category"),
        ([f"id-{index}" for index in range(100)], "string", "category"),
        (SENTENCES, "string", "text"),
        (SENTENCES[:1] * 100, "string", "category"),
        ([[1.0, 2.0], None], None, "vector:2"),
        ([None], "vector", "vector:0"),
    ],
)
def test_the_kind_follows_from_type_and_values(values: list[Any], declared: str | None, kind: str) -> None:
    """Declared types win; strings are words or sentences by how long and varied they are."""
    assert kind_of(values, declared) == kind


def test_numbers_alone_are_a_matrix_of_floats() -> None:
    """Booleans and vectors become numbers, what is absent or no number NaN."""
    kinds = {"n": "number", "b": "boolean", "v": "vector:2", "absent": "number"}
    matrix = encode({"n": [1.0, "x"], "b": [True, None], "v": [[3.0, 4.0], [5.0]]}, kinds, 2)

    assert matrix.dtype == np.float64
    assert matrix[0].tolist()[:4] == [1.0, 1.0, 3.0, 4.0]
    assert matrix[1][2] == 5.0
    assert [math.isnan(value) for value in matrix[1]] == [True, True, False, True, True]


def test_words_make_it_a_matrix_of_objects() -> None:
    """Absent categories have a name of their own, absent text is empty, and groups tell the columns."""
    kinds = {"v": "vector:2", "c": "category", "t": "text", "n": "number"}
    matrix = encode({"c": ["a", None], "t": [None, "b"], "n": [1, 2]}, kinds, 2)

    assert matrix[:, 2].tolist() == ["a", MISSING]
    assert matrix[:, 3].tolist() == ["", "b"]
    assert groups(kinds) == {"number": [0, 1, 4], "category": [2], "text": [3]}
