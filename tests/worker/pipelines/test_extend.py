from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from config.yaml_file import YamlFile
from tests.worker.pipelines.conftest import GOOD, TYPES
from tests.worker.pipelines.flow_world import OWN
from worker.errors import Rejected
from worker.pipelines.compile import content_hash
from worker.pipelines.load import Templates
from worker.pipelines.types import StepTypes

Write = Callable[[Mapping[str, str]], Templates]

VARIANT = """
name: variant
extends: demo
parameters: {depth: 5, extra: 1}
steps:
  - {id: train, config: {depth: 2, options: {trees: null, leaves: 3}}, retry: {attempts: 1}}
  - {id: check, type: stage, insertAfter: get_rows}
  - {id: prepare, remove: true}
  - {id: finish, after: []}
"""


@pytest.fixture(name="write")
def _write(tmp_path: Path) -> Write:
    """Give a function from texts by name to templates of files."""

    def write(texts: Mapping[str, str]) -> Templates:
        for name, text in texts.items():
            (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
        return Templates({name: YamlFile(tmp_path / f"{name}.yaml") for name in texts}, TYPES)

    return write


def test_a_variant(write: Write) -> None:
    """Fields and parameters are taken over or replaced, steps overridden by id, put in between, and removed."""
    template = write({"demo": GOOD, "variant": VARIANT})["variant"]

    steps = {step.id: step for step in template.steps}
    assert (template.name, template.trigger, template.description) == ("variant", "drift", "A demonstration.")
    assert template.parameters == {"depth": 5, "name": None, "extra": 1}
    assert [step.id for step in template.steps] == ["get_rows", "check", "train", "finish"]
    assert steps["train"].config == {"depth": 2, "options": {"leaves": 3}}
    assert (steps["train"].retry.attempts, steps["train"].resources.memory) == (1, "4G")
    assert steps["train"].inputs == {"rows": ("check", "rows")}


def test_a_variant_of_a_variant(write: Write) -> None:
    """What extends may be extended, and the hash covers the result: another base makes another hash."""
    second = "{name: second, extends: variant, trigger: manual}"
    templates = write({"demo": GOOD, "variant": VARIANT, "second": second})
    before = content_hash(templates["second"])
    changed = write({"demo": GOOD.replace("4G", "5G"), "variant": VARIANT, "second": second})["second"]

    assert (templates["second"].trigger, len(templates["second"].steps)) == ("manual", 4)
    assert content_hash(changed) != before
    assert content_hash(write({"demo": GOOD, "variant": VARIANT, "second": second})["second"]) == before


def test_another_type_has_its_own_config(write: Write) -> None:
    """A step that becomes one of another type does not keep the settings of the old type."""
    text = (
        "{name: v, extends: demo, steps: [{id: prepare, type: stage, config: {depth: 1}}, {id: train, remove: true}]}"
    )
    other = "{name: w, extends: v, steps: [{id: prepare, type: source, config: {}}, {id: finish, remove: true}]}"

    assert dict(write({"demo": GOOD, "v": text, "w": other})["w"].steps[1].config) == {}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("name: v\nextends: nothing\n", "v.yaml:2: extends: there is no template 'nothing'; use one of demo, w"),
        ("name: v\nextends: v\n", "v.yaml:2: extends: templates extend each other: v → v"),
        ("name: v\nextends: w\n", "w.yaml:1: extends: templates extend each other: v → w → v"),
        ("name: v\nextends: demo\nsteps:\n  - {type: stage}\n", "v.yaml:4: steps.0: a step needs an `id`"),
        ("name: v\nextends: demo\nsteps:\n  - {id: x, remove: true}\n", "v.yaml:4: steps.0: there is no step 'x'"),
        (
            "name: v\nextends: demo\nsteps:\n  - {id: x, type: stage, insertAfter: y}\n",
            "v.yaml:4: steps.0.insertAfter: there is no step 'y'; the base has get_rows, prepare, train, finish",
        ),
        ("name: v\nextends: demo\nsteps: 7\n", "v.yaml:3: steps: is not a list of steps"),
        ("name: other\nextends: demo\n", "v.yaml:1: name: it is called 'other'"),
        (
            "name: v\nextends: demo\nsteps:\n  - id: train\n    config:\n      depth: 99\n",
            "v.yaml:6: steps.2.config.depth: Input should be less",
        ),
        (
            "name: v\nextends: demo\nparameters: {depth: 30}\n",
            "demo.yaml:8: steps.1.config.depth: Input should be less",
        ),
    ],
)
def test_faults(write: Write, text: str, fault: str) -> None:
    """What does not fit is told with the file and the line that wrote it."""
    templates = write({"demo": GOOD, "w": "{name: w, extends: v}", "v": text})

    with pytest.raises(Rejected) as caught:
        _ = templates["v"]

    assert f"/{fault}" in caught.value.reason


def test_a_broken_template_stops_only_itself(write: Write) -> None:
    """The others can still be looked up, and an unknown name is told with the names there are."""
    templates = write({"demo": GOOD, "bad": "{name: bad, steps: []}"})

    assert sorted(templates) == ["bad", "demo"]
    assert templates["demo"].name == "demo"
    with pytest.raises(Rejected, match="there is no template 'nope'"):
        templates.get_known("nope")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            (
                "name: v\nextends: demo\nparameters:\n  name: null\nsteps:\n  - {id: train, config: {depth: "
                '"${parameters.name}"}}\n'
            ),
            "v.yaml:4: parameters.name: None does not fit `depth` of the step 'train': Input should be a valid integer",
        ),
        (
            (
                "name: v\nextends: demo\ntrigger: schedule\nschedule:\n  cron: 0 3 * * 1\n  parameters:\n"
                "    beeId: b\n    depth: 12\n"
            ),
            "v.yaml:8: schedule.parameters.depth: 12 does not fit `depth` of the step 'prepare': Input should be less",
        ),
    ],
)
def test_parameters_that_no_step_would_take(write: Write, text: str, fault: str) -> None:
    """What a schedule gives, or nobody gives when drift triggers, is tried on the steps' settings beforehand."""
    with pytest.raises(Rejected) as caught:
        _ = write({"demo": GOOD, "v": text})["v"]

    assert f"/{fault}" in caught.value.reason


FLOW = """
name: flow
parameters: {deploy: false, words: {type: list, items: string, default: []}}
steps:
  - {id: first, type: give}
  - {id: maybe, type: note, when: "${parameters.deploy}", timeout: 5m}
  - {id: each, type: note, foreach: "${parameters.words}", config: {text: "${item}"}}
  - {id: together, type: gather}
"""

OTHER_FLOW = """
name: other
extends: flow
parameters:
  words: {type: list, default: [], items: {type: object, fields: {name: string, wanted: boolean}}}
steps:
  - {id: maybe, when: null, timeout: null}
  - {id: each, parallelism: 3, timeout: 1h, config: {text: "${item.name}"}}
  - {id: first, when: "${parameters.deploy} == true"}
"""


def test_branches_and_loops(tmp_path: Path) -> None:
    """Conditions, lists and time limits are taken over, changed and, by null, taken away; types follow what is new."""
    for name, text in (("flow", FLOW), ("other", OTHER_FLOW)):
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    files = {name: YamlFile(tmp_path / f"{name}.yaml") for name in ("flow", "other")}
    templates = Templates(files, StepTypes([OWN]))
    base, other = ({step.id: step for step in templates[name].steps} for name in ("flow", "other"))

    assert (str(base["maybe"].when), base["maybe"].timeout) == ("${parameters.deploy}", timedelta(minutes=5))
    assert (other["maybe"].when, other["maybe"].timeout) == (None, None)
    assert str(other["first"].when) == "${parameters.deploy} == true"
    assert base["each"].foreach is not None
    assert other["each"].foreach is not None
    assert (base["each"].foreach.item.word, other["each"].foreach.item.word) == ("string", "object")
    assert (other["each"].foreach.parallelism, other["each"].timeout) == (3, timedelta(hours=1))


def test_a_condition_of_the_base(tmp_path: Path) -> None:
    """A condition that no longer fits, for the parameter has become another's type, is told where the base has it."""
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")
    (tmp_path / "v.yaml").write_text("name: v\nextends: flow\nparameters: {deploy: 3}\n", encoding="utf-8")
    templates = Templates({name: YamlFile(tmp_path / f"{name}.yaml") for name in ("flow", "v")}, StepTypes([OWN]))

    with pytest.raises(
        Rejected, match=r"/flow\.yaml:6: steps\.1\.when: \$\{parameters\.deploy\} is a number, no condition"
    ):
        _ = templates["v"]
