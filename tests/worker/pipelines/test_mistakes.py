"""One template for each kind of mistake: what is said names the line, the place, and the mend."""

from pathlib import Path

import pytest

from config.yaml_file import YamlFile
from tests.worker.pipelines.flow_world import OWN
from worker.errors import Rejected
from worker.pipelines.load import Templates
from worker.pipelines.types import StepTypes

GOOD = """\
name: good
trigger: manual
parameters:
  deploy: false
  share: 0.5
  region: {type: string, default: CH}
  note: null
  words: {type: list, items: string, default: [a, b]}
  things: {type: list, default: [], items: {type: object, fields: {name: string, wanted: boolean}}}
  plain: []
steps:
  - id: first
    type: give
  - id: each
    type: note
    foreach: ${parameters.things}
    config: {text: "${item.name}"}
    timeout: 5m
  - id: maybe
    type: note
    when: ${parameters.deploy} and ${steps.first.outputs.share} > 0.5
    retry: {attempts: 3, backoff: 1m}
    resources: {memory: 4G}
  - id: copy
    type: read_note
    after: [first]
  - id: together
    type: gather
    inputs: {note: each.note}
"""
CONDITION = "when: ${parameters.deploy} and ${steps.first.outputs.share} > 0.5"
FOREACH = "foreach: ${parameters.things}"

#: what is wrong -> (the text to replace, by what, where it is told, what is told)
MISTAKES: dict[str, tuple[str, str, str, str]] = {
    "unknown field": ("trigger: manual", "tirgger: manual", "2: tirgger", "is not known here; take it out, or correct"),
    "wrong name": ("name: good", "name: Good!", "1: name", "; begin with a small letter, go on"),
    "another file's name": ("name: good", "name: other", "1: name", "it is called 'other'; name the file so"),
    "unknown trigger": ("trigger: manual", "trigger: moon", "2: trigger", "should be 'drift', 'manual' or 'schedule'"),
    "no schedule": (
        "trigger: manual",
        "trigger: schedule",
        "2: trigger",
        "a schedule is missing; add `schedule: {cron:",
    ),
    "parameter without type": (
        "region: {type: string,",
        "region: {type: text,",
        "6: parameters.region.type",
        "there is no type 'text'; use one of string, integer, number, boolean, list, object, any",
    ),
    "default of another type": (
        "{type: list, items: string, default: [a, b]}",
        "{type: list, items: string, default: [a, 2]}",
        "8: parameters.words.default.1",
        "2 is not a string",
    ),
    "unknown type of items": (
        "items: string",
        "items: str",
        "8: parameters.words.items",
        "there is no type 'str'; use one of string,",
    ),
    "items of no list": (
        "{type: string, default: CH}",
        "{type: string, items: string}",
        "6: parameters.region.items",
        "goes with the type list, not string; take it out",
    ),
    "a field that YAML reads as a boolean": (
        "wanted: boolean",
        "on: boolean",
        "9: parameters.things.items.fields",
        "YAML takes yes, no, on and off for booleans: quote it",
    ),
    "unknown word of a step": ("    timeout: 5m", "    time: 5m", "18: steps.1.time", "is not known here; take it out"),
    "unknown step type": ("type: give", "type: gvie", "13: steps.0.type", "there is no step type 'gvie'; use one of"),
    "an id twice": ("id: maybe", "id: each", "19: steps.2.id", "(`_` and `-` count as the same); give it another"),
    "an id that is none": ("id: maybe", "id: Maybe", "19: steps.2.id", "; begin with a small letter, go on"),
    "after nobody": (
        "after: [first]",
        "after: [frist]",
        "26: steps.3.after.0",
        "there is no step 'frist'; there are first, each",
    ),
    "a circle": ("type: give", "type: give\n    after: [copy]", "12: steps.0", "steps wait for each other: "),
    "unknown setting": (
        "{text: ",
        "{txt: ",
        "17: steps.1.config.txt",
        "is no setting of the step type 'note', which has fail, text; correct its name",
    ),
    "wrong setting": (
        "type: give",
        "type: give\n    config: {count: many}",
        "14: steps.0.config.count",
        "Input should be a valid integer",
    ),
    "an empty setting": (
        "type: give",
        "type: give\n    config: {count: null}",
        "14: steps.0.config.count",
        "is empty; leave it out instead",
    ),
    "unknown parameter in a setting": (
        "type: give",
        'type: give\n    config: {count: "${parameters.cuont}"}',
        "14: steps.0.config.count",
        "parameters.cuont: is not a parameter of the run. The run has",
    ),
    "an item without a loop": (
        "type: give",
        'type: give\n    config: {count: "${item.n}"}',
        "14: steps.0.config.count",
        "there is no item; give the step `foreach`",
    ),
    "a misspelt reference in a setting": (
        '{text: "${item.name}"}',
        '{text: "of ${parameter.region}"}',
        "17: steps.1.config.text",
        "${parameter.region} stands for nothing; write ${parameters.NAME}, or with `foreach` ${item} or ${item.FIELD}",
    ),
    "an open reference in a setting": (
        '{text: "${item.name}"}',
        "{text: '${parameters.region'}",
        "17: steps.1.config.text",
        "${parameters.region stands for nothing; write ${parameters.NAME}, or",
    ),
    "a reference with spaces in a setting": (
        '{text: "${item.name}"}',
        '{text: "${ item.name }"}',
        "17: steps.1.config.text",
        "${ item.name } stands for nothing; write ${parameters.NAME}, or",
    ),
    "a step without an id": ("- id: copy\n    type", "- type", "24: steps.3.id", "is missing; add it"),
    "a version that is a number": (
        "trigger: manual",
        "version: 1",
        "2: version",
        "; write a text, in quotes if it looks",
    ),
    "steps that are no list": (
        "type: give",
        "type: give\n    after: each",
        "14: steps.0.after",
        "; write it as [A, B], or",
    ),
    "attempts alone": (
        "retry: {attempts: 3, backoff: 1m}",
        "retry: 3",
        "22: steps.2.retry",
        "; write it as {attempts: 3",
    ),
    "settings that are a list": (
        "type: give",
        "type: give\n    config: [a]",
        "14: steps.0.config",
        "; write it as {SETTING: VALUE}",
    ),
    "a step's value in a setting": (
        '{text: "${item.name}"}',
        '{text: "${steps.first.outputs.share}"}',
        "17: steps.1.config.text",
        "a setting cannot refer to a step; only `when` and `foreach` can",
    ),
    "unknown input": (
        "{note: each.note}",
        "{nots: each.note}",
        "29: steps.4.inputs.nots",
        "takes no 'nots'; it takes note",
    ),
    "an input of nobody": (
        "{note: each.note}",
        "{note: eahc.note}",
        "29: steps.4.inputs.note",
        "'eahc.note' is no output of a step; write it as step.output",
    ),
    "an output that is none": (
        "{note: each.note}",
        "{note: each.nope}",
        "29: steps.4.inputs.note",
        "'each.nope' is no output of a step; 'each' gives each.note",
    ),
    "an input of another kind": (
        "{note: each.note}",
        "{note: copy.copy}",
        "29: steps.4.inputs.note",
        "takes what many runs of a step gave, but 'copy' runs once; give 'copy' `foreach`",
    ),
    "one of many": (
        "after: [first]",
        "inputs: {note: each.note}",
        "26: steps.3.inputs.note",
        "'each' runs for each item and gives many; use a step type that takes a list[system.Artifact]",
    ),
    "an input that nobody gives": (
        "  - id: first\n    type: give",
        "  - id: first\n    type: read_note",
        "12: steps.0",
        "'read_note' needs 'note', which no earlier step gives; put a step before it that gives one, or name it:",
    ),
    "a list with gaps": (
        FOREACH,
        f"{FOREACH}\n    when: ${{item.wanted}}",
        "30: steps.4.inputs.note",
        "would have gaps, for it has `when` as well; leave items out of the list instead",
    ),
    "attempts": ("attempts: 3", "attempts: 0", "22: steps.2.retry.attempts", "greater than or equal to 1"),
    "back-off": ("backoff: 1m", "backoff: soon", "22: steps.2.retry.backoff", "'soon' is not a duration"),
    "memory": ("memory: 4G", "memory: much", "23: steps.2.resources.memory", "; write it as 4G or 512Mi"),
    "time-out": ("timeout: 5m", "timeout: soon", "18: steps.1.timeout", "'soon' is not a duration"),
    "no time at all": ("timeout: 5m", "timeout: 5ms", "18: steps.1.timeout", "shorter than a second; leave it out for"),
    "a condition that is none": (
        CONDITION,
        "when: yes",
        "21: steps.2.when",
        "True is no condition; write it as ${param",
    ),
    "an empty condition": (
        CONDITION,
        'when: ""',
        "21: steps.2.when",
        "ends too early; write it as ${parameters.deploy}",
    ),
    "a constant condition": (
        CONDITION,
        "when: 1 == 1",
        "21: steps.2.when",
        "is always the same; take it out, or refer",
    ),
    "half a condition": (CONDITION, "when: ${parameters.deploy} ==", "21: steps.2.when", "ends too early; write it as"),
    "another language": (
        CONDITION,
        "when: ${parameters.deploy} && ${parameters.share} > 1",
        "21: steps.2.when",
        "cannot be read from '&& ${parameters.share} > 1' on; write `and` instead of `&&`",
    ),
    "an assignment": (CONDITION, "when: ${parameters.share} = 1", "21: steps.2.when", "write `==` instead of `=`"),
    "Python's truth": (CONDITION, "when: ${parameters.deploy} == True", "21: steps.2.when", "write `true` instead of"),
    "a reference to nothing": (
        CONDITION,
        "when: ${deploy}",
        "21: steps.2.when",
        "${deploy} stands for nothing; there are ${parameters.NAME}, ${steps.ID.outputs.NAME}, and with `foreach`",
    ),
    "a condition on no parameter": (
        CONDITION,
        "when: ${parameters.deplyo}",
        "21: steps.2.when",
        "there is no parameter 'deplyo'; there are deploy, share,",
    ),
    "a condition on what may be null": (
        CONDITION,
        "when: ${parameters.note} == 'x'",
        "21: steps.2.when",
        "it is not known what the parameter 'note' is; declare it: note: {type: boolean}",
    ),
    "a condition on a list": (
        CONDITION,
        "when: ${parameters.words} == 1",
        "21: steps.2.when",
        "is a list of strings; comp",
    ),
    "a text as a condition": (
        CONDITION,
        "when: ${parameters.region}",
        "21: steps.2.when",
        "${parameters.region} is a text, no condition; compare it: ${parameters.region} == …",
    ),
    "two kinds": (
        CONDITION,
        "when: ${parameters.share} == 'x'",
        "21: steps.2.when",
        'compares ${parameters.share}, a number, with "x", a text; compare it with a number',
    ),
    "an order of texts": (
        CONDITION,
        "when: ${parameters.region} < 'DE'",
        "21: steps.2.when",
        "< is for numbers, but ${parameters.region} is a text; use == or !=",
    ),
    "a condition on no step": (
        CONDITION,
        "when: ${steps.frist.outputs.better}",
        "21: steps.2.when",
        "there is no step 'frist'; there are first, each, maybe, copy, together",
    ),
    "a condition on itself": (
        CONDITION,
        "when: ${steps.maybe.outputs.better}",
        "21: steps.2.when",
        "'maybe' is this step itself; refer to an earlier step",
    ),
    "a condition on no value": (
        CONDITION,
        "when: ${steps.first.outputs.best}",
        "21: steps.2.when",
        "'first' gives no value 'best'; its type 'give' gives better, share, count, words, things",
    ),
    "a condition on an artifact": (
        CONDITION,
        "when: ${steps.copy.outputs.copy}",
        "21: steps.2.when",
        "'copy' gives no value 'copy'; its type 'read_note' gives no values",
    ),
    "a condition on an item": (
        CONDITION,
        "when: ${item}",
        "21: steps.2.when",
        "there is no item; give the step `foreach`",
    ),
    "a condition on what comes of it": (
        "type: give",
        "type: give\n    when: ${steps.later.outputs.better}\n  - {id: later, type: give, after: [first]}",
        "12: steps.0",
        "; one of them must not refer to the next",
    ),
    "an unknown field of the item": (
        FOREACH,
        f"{FOREACH}\n    when: ${{item.size}} > 1",
        "17: steps.1.when",
        "it is not known what the item's 'size' is; declare it with the list: items: {type: object, fields: {size:",
    ),
    "a condition that never holds": (
        CONDITION,
        "when: ${parameters.share} > 1 and ${parameters.share} < 1",
        "21: steps.2.when",
        "can never run: it runs when ${parameters.share} > 1 and ${parameters.share} < 1; change one of them",
    ),
    "needs that exclude each other": (
        "after: [first]",
        "when: not ${parameters.deploy}",
        "26: steps.3.when",
        "can never run: 'maybe' runs when ${parameters.deploy} and",
    ),
    "a loop over no list": (
        FOREACH,
        "foreach: ${parameters.region}",
        "16: steps.1.foreach",
        "${parameters.region} is a string, not a list; refer to a list",
    ),
    "a loop over a word": (
        FOREACH,
        "foreach: things",
        "16: steps.1.foreach",
        "'things' is no list; write ${parameters.NAME}, ${steps.ID.outputs.NAME}, or the list itself",
    ),
    "a loop over a number": (FOREACH, "foreach: 3", "16: steps.1.foreach", "3 is no list; write ${parameters.NAME},"),
    "a loop over nothing": (FOREACH, "foreach: []", "16: steps.1.foreach", "the list is empty; name at least one item"),
    "a loop over a mixture": (
        FOREACH,
        "foreach: [1, a]",
        "16: steps.1.foreach",
        "the items are not of one type; make all of them texts, numbers, booleans or objects",
    ),
    "a loop over unknown items": (
        FOREACH,
        "foreach: ${parameters.plain}",
        "16: steps.1.foreach",
        "not known what the items of ${parameters.plain} are; declare it: plain: {type: list, items: object}",
    ),
    "a reference in a written list": (
        FOREACH,
        'foreach: ["${parameters.region}"]',
        "16: steps.1.foreach",
        "a list that is written down refers to nothing; use ${item} in the step's config",
    ),
    "a setting that one item does not fit": (
        f'{FOREACH}\n    config: {{text: "${{item.name}}"}}',
        'foreach: [true, maybe]\n    config: {fail: "${item}"}'.replace("true", "'yes'"),
        "17: steps.1.config.fail",
        "Input should be a valid boolean",
    ),
    "parallelism of no loop": (
        "type: give",
        "type: give\n    parallelism: 2",
        "14: steps.0.parallelism",
        "goes with `foreach`; take it out",
    ),
    "no parallelism": (
        FOREACH,
        f"{FOREACH}\n    parallelism: 0",
        "17: steps.1.parallelism",
        "greater than or equal to 1",
    ),
}


def _load(directory: Path, text: str) -> None:
    path = directory / "good.yaml"
    path.write_text(text, encoding="utf-8")
    _ = Templates({"good": YamlFile(path)}, StepTypes([OWN]))["good"]


def test_without_a_mistake(tmp_path: Path) -> None:
    """The template that the mistakes are made in has none."""
    _load(tmp_path, GOOD)


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake(tmp_path: Path, kind: str) -> None:
    """The message has the file's line, the path of the place, and the mend."""
    old, new, place, words = MISTAKES[kind]
    assert old in GOOD

    with pytest.raises(Rejected) as caught:
        _load(tmp_path, GOOD.replace(old, new, 1))

    faults = [line.partition("good.yaml:")[2] for line in caught.value.reason.splitlines()]
    assert any(fault.startswith(f"{place}: ") and words in fault for fault in faults), faults
