from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.worker.pipelines.conftest import GOOD
from worker.errors import Rejected
from worker.pipelines.template import Template

Parse = Callable[[str], Template]


def test_wiring(template: Template) -> None:
    """An input comes from the newest earlier step that gives its name, or from the one that is named."""
    wired = {step.id: dict(step.inputs) for step in template.steps}

    assert wired == {
        "get_rows": {},
        "prepare": {"rows": ("get_rows", "rows")},
        "train": {"rows": ("prepare", "rows")},
        "finish": {"rows": ("get_rows", "rows"), "model": ("train", "model")},
    }


def test_what_is_read(template: Template) -> None:
    """Name, trigger, parameters, retry and resources are read; what is left out has its default."""
    train = template.steps[2]

    assert (template.name, template.version, template.trigger) == ("demo", "1", "drift")
    assert template.parameters == {"depth": 3, "name": None}
    assert (train.retry.attempts, train.retry.backoff, train.resources.memory) == (3, timedelta(minutes=1), "4G")
    assert (template.steps[0].retry.attempts, template.steps[0].retry.backoff) == (2, timedelta(seconds=5))
    assert template.steps[3].after == ("prepare",)


def test_order(parse: Parse) -> None:
    """Steps come after all that they need, also where the file has them the other way round."""
    text = "{name: x, steps: [{id: b, type: stage, inputs: {rows: a.rows}}, {id: a, type: source}]}"

    assert [step.id for step in parse(text).steps] == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (("type: sink", "type: sunk"), ["steps.3.type: there is no step type 'sunk'; use one of sink, source, stage"]),
        (("{trees: 10}", "7"), ["steps.2.config.options: Input should be a valid dictionary"]),
        (
            ("config: {options", "config: {opts"),
            ["steps.2.config.opts: is no setting of the step type 'stage', which has depth, options, share; correct"],
        ),
        (("depth: 3", "depth: 30"), ["steps.1.config.depth: Input should be less than or equal to 9"]),
        (("parameters.depth", "parameters.height"), ["steps.1.config.depth: parameters.height: is not a parameter"]),
        (("{trees: 10}", "{trees: null}"), ["steps.2.config.options.trees: is empty"]),
        (("id: prepare", "id: get-rows"), ["steps.1.id: 'get-rows' is taken"]),
        (("id: prepare", "id: Prepare"), ["steps.1.id: String should match"]),
        (("after: [prepare]", "after: [nobody]"), ["steps.3.after.0: there is no step 'nobody'"]),
        (("get_rows.rows", "get_rows.model"), ["steps.3.inputs.rows: 'get_rows.model' is no output"]),
        (("get_rows.rows", "train.model"), ["steps.3.inputs.rows: takes a system.Dataset, but 'model' of 'train'"]),
        (("inputs: {rows:", "inputs: {lines:"), ["steps.3.inputs.lines: 'sink' takes no 'lines'"]),
        (("type: source", "type: source, after: [finish]"), ["steps.0: steps wait for each other"]),
        (("type: source", "type: sink"), ["steps.0: 'sink' needs 'rows'", "steps.0: 'sink' needs 'model'"]),
        (("type: source", "type: source, tipe: x"), ["steps.0.tipe: is not known here"]),
        (("attempts: 3", "attempts: 0"), ["steps.2.retry.attempts: Input should be greater"]),
        (("backoff: 1m", "backoff: soon"), ["steps.2.retry.backoff: 'soon' is not a duration"]),
        (("memory: 4G", "memory: much"), ["steps.2.resources.memory: String should match"]),
        (("trigger: drift", "trigger: moon"), ["trigger: Input should be 'drift', 'manual' or 'schedule'"]),
        (("name: demo", "name: Demo!"), ["name: String should match"]),
    ],
)
def test_faults(parse: Parse, change: tuple[str, str], faults: list[str]) -> None:
    """Each kind of mistake is told with its place."""
    assert change[0] in GOOD
    with pytest.raises(Rejected) as caught:
        parse(GOOD.replace(*change, 1))

    for fault in faults:
        assert fault in caught.value.reason


def test_all_faults_at_once(parse: Parse) -> None:
    """Several mistakes are told together, one a line."""
    text = GOOD.replace("type: sink", "type: sunk").replace("{options: {trees: 10}}", "{depth: 99}")
    text = text.replace("after: [prepare]", "after: [nobody]")

    with pytest.raises(Rejected) as caught:
        parse(text)

    assert len(caught.value.reason.splitlines()) == 3


def test_parameter_without_default(parse: Parse) -> None:
    """A config value that depends on a parameter which only the trigger gives is left for the run to check."""
    template = parse(GOOD.replace("depth: 3", "depth: null"))

    assert template.steps[1].config == {"depth": "${parameters.depth}"}
