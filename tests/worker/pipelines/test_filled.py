from collections.abc import Callable

import pytest

from tests.worker.pipelines.conftest import GOOD
from tests.worker.pipelines.flow_world import parse as parse_own
from worker.errors import Rejected
from worker.pipelines.filled import check_filled
from worker.pipelines.template import Template


def test_a_value_that_a_step_refuses(template: Template) -> None:
    """A parameter is tried on every setting that it fills, and named when one refuses it."""
    with pytest.raises(Rejected, match=r"12 does not fit `depth` of the step 'prepare'.*less than") as caught:
        check_filled(template, {"depth": 12})

    assert caught.value.field == "parameters.depth"
    check_filled(template, {"depth": 9})
    check_filled(template, {})


def test_a_setting_within_another(parse: Callable[[str], Template]) -> None:
    """A parameter deep inside a setting is found, and one that is not to blame is not named."""
    text = GOOD.replace("{trees: 10}", '{trees: ["${parameters.name}"]}').replace("options:", "share:")

    with pytest.raises(Rejected, match="`share` of the step 'train'") as caught:
        check_filled(parse(text), {"name": 3})

    assert caught.value.field == "parameters.name"


EXPERIMENT = """
name: tries
parameters:
  variants: {type: list, default: [], items: object}
  grid: {type: object, default: {}}
  auto: {type: integer, default: 0}
steps:
  - {id: collect, type: data_collection}
  - {id: split, type: data_preprocessing}
  - id: prepare
    type: variants
    config: {variants: "${parameters.variants}", grid: "${parameters.grid}", auto: "${parameters.auto}"}
"""


@pytest.mark.parametrize(
    ("parameters", "field", "words"),
    [
        ({"variants": [{"name": "a"}, {"name": "b"}, {"name": 7}]}, "variants[2].name", "is not a name"),
        ({"variants": [{"name": "a"}, {"name": "a"}]}, "variants[1].name", "'a' is taken"),
        ({"variants": [{"name": "a"}, "b"]}, "variants[1]", "is not an object"),
        ({"variants": [{"name": ""}]}, "variants[0].name", "Give a text of at most 80 letters"),
        ({}, "variants", "there are 0 variants"),
        ({"auto": 201}, "auto", "201 does not fit `auto` of the step 'prepare': Input should be less than"),
        ({"auto": 200, "variants": [{}]}, "variants", "there are 201 variants"),
        ({"grid": {"depth": 4}}, "grid.depth", "is not a list of values"),
        ({"grid": {name: list(range(100)) for name in "abcd"}}, "grid", "there are 100,000,000 variants"),
    ],
)
def test_variants_are_checked_at_the_trigger(parameters: dict[str, object], field: str, words: str) -> None:
    """What an experiment is given is refused before anything runs, with the place in the parameter."""
    with pytest.raises(Rejected) as caught:
        check_filled(parse_own(EXPERIMENT), parameters)

    assert caught.value.field == f"parameters.{field}"
    assert words in str(caught.value)
    check_filled(parse_own(EXPERIMENT), {"variants": [{"depth": 2}, {"name": "b"}]})


def test_each_item_is_tried() -> None:
    """The settings of a step with `foreach` are tried with every item that is known, and the list is named."""
    template = parse_own("""
name: looped
parameters: {things: {type: list, items: object}}
steps:
  - {id: each, type: give, foreach: "${parameters.things}", config: {count: "${item.n}", share: "${item.share}"}}
""")

    check_filled(template, {"things": [{"n": 1, "share": 0.5}]})
    check_filled(template, {"things": []})
    with pytest.raises(
        Rejected, match=r"the item \{'n': 'x', .* does not fit `count` of the step 'each': .* integer"
    ) as one:
        check_filled(template, {"things": [{"n": 1, "share": 1}, {"n": "x", "share": 1}]})
    with pytest.raises(Rejected, match=r"`share` of the step 'each': is not there. The item has n") as other:
        check_filled(template, {"things": [{"n": 1}]})
    assert (one.value.field, other.value.field) == ("parameters.things", "parameters.things")
