"""Placeholders in commands, arguments and constants: recognised at submit, filled in when the step starts."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from worker.engine.spec import Component
from worker.engine.values import to_text
from worker.errors import Rejected

_PLACEHOLDER = re.compile(r"\{\{\$(?P<body>.*?)\}\}", re.DOTALL)
_FORMS: dict[str, re.Pattern[str]] = {
    "executor_input": re.compile(r""),
    "input_parameter": re.compile(r"\.inputs\.parameters\['([^']+)'\]"),
    "input_artifact": re.compile(r"\.inputs\.artifacts\['([^']+)'\]\.(uri|path)"),
    "output_artifact": re.compile(r"\.outputs\.artifacts\['([^']+)'\]\.(uri|path)"),
    "output_parameter": re.compile(r"\.outputs\.parameters\['([^']+)'\]\.output_file"),
}
Form = Literal["executor_input", "input_parameter", "input_artifact", "output_artifact", "output_parameter"]
#: Argument forms of the SDK that this engine does not know.
_STRUCTURED = re.compile(r'\s*\{\s*"(IfPresent|Concat)"')


def find(text: str, field: str) -> list[tuple[str, str]]:
    """Return (form, name) of each placeholder in a text.

    Raises:
        Rejected: a placeholder, or a structured argument, that the engine does not know.
    """
    found = [_read(match["body"], field)[:2] for match in _PLACEHOLDER.finditer(text)]
    if _STRUCTURED.match(text) or "{{$" in _PLACEHOLDER.sub("", text):
        raise Rejected(f"the local engine does not know this placeholder: {text[:120]}", field=field)
    return found


def check(text: str, component: Component, field: str) -> None:
    """Check that a command's placeholders name the component's own inputs and outputs. Raises Rejected."""
    inputs, outputs = component.input_definitions, component.output_definitions
    known: Mapping[str, Mapping[str, Any]] = {
        "executor_input": {"": None},
        "input_parameter": inputs.parameters,
        "input_artifact": {name: one for name, one in inputs.artifacts.items() if not one.is_artifact_list},
        "output_artifact": outputs.artifacts,
        "output_parameter": outputs.parameters,
    }
    for form, name in find(text, field):
        if name not in known[form]:
            raise Rejected(f"the component declares no {form.replace('_', ' ')} {name!r}", field=field)


def fill(text: str, value: Callable[[str, str, str], Any]) -> str:
    """Return the text with each placeholder replaced by `value(form, name, part)`, as it stands in a command line."""
    return _PLACEHOLDER.sub(lambda match: to_text(value(*_read(match["body"], ""))), text)


def _read(body: str, field: str) -> tuple[str, str, str]:
    for form, pattern in _FORMS.items():
        match = pattern.fullmatch(body)
        if match:
            groups = [*match.groups(), "", ""]
            return form, groups[0], groups[1]
    raise Rejected(f"the local engine does not know this placeholder: {{{{${body}}}}}", field=field)
