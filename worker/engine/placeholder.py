"""Placeholders in commands, arguments and constants: recognised at submit, filled in when the step starts."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from worker.engine.spec import Component
from worker.engine.values import to_text
from worker.errors import Rejected

_PLACEHOLDER = re.compile(r"\{\{\$(?P<body>.*?)\}\}", re.DOTALL)
_FORMS: dict[str, re.Pattern[str]] = {
    "executor_input": re.compile(r""),
    "output_file": re.compile(r"\.outputs\.output_file|\.outputMetadataUri"),
    "run": re.compile(
        r"\.(?P<name>pipeline_job_name|pipeline_job_uuid|pipeline_job_resource_name"
        r"|pipeline_job_create_time_utc|pipeline_job_schedule_time_utc"
        r"|pipeline_task_name|pipeline_task_uuid|pipeline_root)"
    ),
    "input_parameter": re.compile(r"\.inputs\.parameters\['(?P<name>[^']+)'\]"),
    "input_artifacts": re.compile(r"\.inputs\.artifacts\['(?P<name>[^']+)'\]"),
    "input_artifact": re.compile(
        r"\.inputs\.artifacts\['(?P<name>[^']+)'\]\.(?P<part>uri|path|metadata)(?:\['(?P<key>[^']+)'\])?"
    ),
    "output_artifact": re.compile(
        r"\.outputs\.artifacts\['(?P<name>[^']+)'\]\.(?P<part>uri|path|metadata)(?:\['(?P<key>[^']+)'\])?"
    ),
    "output_parameter": re.compile(r"\.outputs\.parameters\['(?P<name>[^']+)'\]\.output_file"),
}
#: Of an attempt; `dsl` documents both as arguments of tasks.
LATE = frozenset({"executor_input", "output_file"})


@dataclass(frozen=True)
class Placeholder:
    """One placeholder, read.

    Attributes:
        form: which kind it is, one of the table above.
        name: of the input, of the output, or of the fact about the run.
        part: of an artifact: uri, path or metadata.
        key: of the metadata, "" for all of it.
    """

    form: str
    name: str = ""
    part: str = ""
    key: str = ""


Fill = Callable[[Placeholder], Any]


def find(text: str, field: str) -> list[Placeholder]:
    """Return the placeholders in a text. Raises Rejected for one that the engine does not know."""
    found = [_read(match["body"], field) for match in _PLACEHOLDER.finditer(text)]
    if "{{$" in _PLACEHOLDER.sub("", text) or "{{channel:" in text:
        raise Rejected(f"the local engine does not know this placeholder: {text[:120]}", field=field)
    return found


def check(text: str, component: Component, field: str) -> None:
    """Check that a text's placeholders name the component's own inputs and outputs. Raises Rejected."""
    inputs, outputs = component.input_definitions, component.output_definitions
    known: Mapping[str, Mapping[str, Any]] = {
        "input_parameter": inputs.parameters,
        "input_artifacts": inputs.artifacts,
        "input_artifact": {name: one for name, one in inputs.artifacts.items() if not one.is_artifact_list},
        "output_artifact": outputs.artifacts,
        "output_parameter": outputs.parameters,
    }
    for one in find(text, field):
        if one.form in known and one.name not in known[one.form]:
            raise Rejected(f"the component declares no {one.form.replace('_', ' ')} {one.name!r}", field=field)


def is_late(value: Any) -> bool:
    """Whether a constant is a text with placeholders that only an attempt can fill in: what it is told, and where."""
    return isinstance(value, str) and any(one.form in LATE for one in find(value, ""))


def strings(value: Any) -> Iterator[str]:
    """Give every text in a JSON value, keys of objects included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)


def fill(text: str, value: Fill) -> str:
    """Return the text with each placeholder replaced by its value, as it stands in a command line."""
    return _PLACEHOLDER.sub(lambda match: to_text(value(_read(match["body"], ""))), text)


def filled(value: Any, by: Fill) -> Any:
    """Return a JSON value with the placeholders in each of its texts filled in."""
    if isinstance(value, str):
        return fill(value, by) if "{{$" in value else value
    if isinstance(value, list):
        return [filled(item, by) for item in value]
    if isinstance(value, dict):
        return {filled(key, by): filled(item, by) for key, item in value.items()}
    return value


def _read(body: str, field: str) -> Placeholder:
    for form, pattern in _FORMS.items():
        match = pattern.fullmatch(body)
        if match:
            part, key = match.groupdict().get("part") or "", match.groupdict().get("key") or ""
            if part and part != "metadata" and key:
                break
            return Placeholder(form, match.groupdict().get("name") or "", part, key)
    raise Rejected(f"the local engine does not know this placeholder: {{{{${body}}}}}", field=field)
