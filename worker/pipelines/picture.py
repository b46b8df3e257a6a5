"""What a drawing says of a template: the lines in each step's box, and what each step waits for; pure."""

from worker.bee import duration_text
from worker.pipelines.drawing import draw
from worker.pipelines.layout import Layout, layered
from worker.pipelines.svg import svg
from worker.pipelines.template import Step, Template


def as_text(template: Template) -> str:
    """Return the template's graph as boxes and lines of text."""
    return draw(_layout(template), {step.id: label(step) for step in template.steps})


def as_svg(template: Template) -> str:
    """Return the template's graph as an SVG document; the same template gives the same text."""
    labels = {step.id: label(step) for step in template.steps}
    hints = {step.id: "; ".join(takes(step)) or "takes nothing" for step in template.steps}
    title = f"{template.name}, version {template.version}"
    return svg(_layout(template), labels, title=title, hints=hints)


def label(step: Step) -> list[str]:
    """Return the lines of a step's box: its id, its type, and what makes it run otherwise than once."""
    lines = [step.id, step.type.name]
    lines += [f"{word} {_short(value)}" for word in ("when", "foreach") if (value := getattr(step, word, None))]
    if step.retry.attempts > 2:
        lines.append(f"up to {step.retry.attempts} times, {duration_text(step.retry.backoff)} apart")
    return lines


def takes(step: Step) -> list[str]:
    """Return what a step waits for, in words: `train from preprocess`."""
    named = [
        f"{name} from {giver}" if name == output else f"{name} from {giver}.{output}"
        for name, (giver, output) in step.inputs.items()
    ]
    return named + [f"after {other}" for other in step.after]


def _layout(template: Template) -> Layout:
    return layered({step.id: [*(giver for giver, _ in step.inputs.values()), *step.after] for step in template.steps})


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
