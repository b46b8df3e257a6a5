from collections.abc import Callable

import pytest

from tests.worker.pipelines.conftest import GOOD
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
