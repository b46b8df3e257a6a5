from typing import Any

import pytest

from worker.bee import BeeSpec
from worker.errors import Rejected
from worker.steps.trainers.port import trainer_of
from worker.steps.variants import called, distinct, given, grid


def test_given_variants_keep_order_and_names() -> None:
    """Variants come in the order given; one without a name gets its number."""
    assert given([{"name": "a", "depth": 3}, {"depth": 4}]) == [("a", {"depth": 3}), ("variant-2", {"depth": 4})]


@pytest.mark.parametrize(
    ("variants", "words"),
    [
        (["deep"], r"variants\[0\]: is not an object"),
        ([{"name": "a"}, {"name": "a"}], r"variants\[1\]\.name: 'a' is taken"),
        ([{"name": 5}], "is not a name"),
        ([{"name": "  "}], "is not a name"),
        ([{"name": "x" * 81}], "is not a name"),
    ],
)
def test_malformed_variant_is_named(variants: list[Any], words: str) -> None:
    """What is no variant is told with its place."""
    with pytest.raises(Rejected, match=words):
        given(variants)


def test_grid_is_every_combination() -> None:
    """A grid of two by two has four variants, named by their settings."""
    found = list(grid({"depth": [2, 4], "algorithm": ["a", "b"]}))

    assert [name for name, _ in found] == [
        "depth=2, algorithm=a", "depth=2, algorithm=b", "depth=4, algorithm=a", "depth=4, algorithm=b",
    ]  # fmt: skip
    assert found[3][1] == {"depth": 4, "algorithm": "b"}


@pytest.mark.parametrize("choices", [{"depth": 3}, {"depth": []}, {"depth": "2,4"}])
def test_grid_needs_lists(choices: dict[str, Any]) -> None:
    """A setting whose choices are no list is named."""
    with pytest.raises(Rejected, match=r"grid\.depth"):
        list(grid(choices))


def test_names_are_told_apart() -> None:
    """A name that comes again gets a number, and settings without any are the defaults."""
    assert [name for name, _ in distinct([("a", {}), ("a", {}), ("b", {})])] == ["a", "a #2", "b"]
    assert called({}) == "defaults"


@pytest.mark.parametrize(
    "variant",
    [
        {"algorithm": "random_forest", "hyperparameters": {"max_depth": 3}},
        {"algorithm": "random_forest", "max_depth": 3},
        {"settings": {"algorithm": "random_forest", "max_depth": 3}},
    ],
)
def test_tabular_settings_may_be_flat_or_nested(spam_guard: BeeSpec, variant: dict[str, Any]) -> None:
    """Hyperparameters may stand beside the algorithm, or below a word of their own."""
    expected = {"algorithm": "random_forest", "hyperparameters": {"max_depth": 3}}

    assert trainer_of(spam_guard).normal(spam_guard, variant) == expected
