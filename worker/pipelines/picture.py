"""What a drawing says of a template: the lines in each step's box, and what each step waits for; pure."""

import re
from textwrap import wrap

from worker.bee import duration_text
from worker.pipelines.drawing import draw
from worker.pipelines.flow import Source
from worker.pipelines.layout import Layout, layered
from worker.pipelines.svg import Box, svg
from worker.pipelines.template import Step, Template

_REFERENCE = re.compile(r"\$\{\s*([^{}]*?)\s*\}")
_WIDTH, _LINES = 34, 4


def as_text(template: Template) -> str:
    """Return the template's graph as boxes and lines of text."""
    return draw(_layout(template), {step.id: label(step) for step in template.steps})


def as_svg(template: Template) -> str:
    """Return the template's graph as an SVG document; the same template gives the same text."""
    boxes = {
        step.id: Box(label(step), "; ".join(takes(step)) or "takes nothing", bool(step.when), bool(step.foreach))
        for step in template.steps
    }
    return svg(_layout(template), boxes, title=f"{template.name}, version {template.version}")


def label(step: Step) -> list[str]:
    """Return the lines of a step's box: its id, its type, and what makes it run otherwise than once."""
    lines = [step.id, step.type.name]
    if step.when:
        lines += _folded(f"when {step.when}")
    if step.foreach:
        lines += _folded(f"for each of {step.foreach}")
        if step.foreach.parallelism:
            lines.append(f"at most {step.foreach.parallelism} at a time")
    if step.timeout:
        lines.append(f"within {duration_text(step.timeout)}")
    if step.retry.attempts > 2:
        lines.append(f"up to {step.retry.attempts} times, {duration_text(step.retry.backoff)} apart")
    return lines


def takes(step: Step) -> list[str]:
    """Return what a step waits for, in words: `train from preprocess`."""
    named = [
        f"{name} from {giver}" if name == output else f"{name} from {giver}.{output}"
        for name, (giver, output) in step.inputs.items()
    ]
    values = [f"{_called(source)} from {source.step}" for source in _sources(step) if source.of == "value"]
    return [*named, *dict.fromkeys(values), *(f"after {other}" for other in step.after)]


def _sources(step: Step) -> list[Source]:
    loop = [step.foreach.source] if step.foreach and step.foreach.source else []
    return [*loop, *(step.when.sources.values() if step.when else ())]


def _called(source: Source) -> str:
    return f"the value {source.name}"


def _layout(template: Template) -> Layout:
    return layered({step.id: step.needs for step in template.steps})


def _folded(text: str) -> list[str]:
    """Return a text in lines that a box can hold; a very long one is cut, for the template has it whole."""
    lines = wrap(_REFERENCE.sub(_short, text), _WIDTH, break_long_words=True, break_on_hyphens=False)
    return lines if len(lines) <= _LINES else [*lines[: _LINES - 1], f"{lines[_LINES - 1][: _WIDTH - 2]} …"]


def _short(reference: re.Match[str]) -> str:
    """Return a reference without what every one has: `deploy` or `evaluate.better`."""
    return reference[1].removeprefix("parameters.").removeprefix("steps.").replace(".outputs.", ".")
