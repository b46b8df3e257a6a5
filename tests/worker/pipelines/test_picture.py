from collections.abc import Callable, Mapping
from itertools import pairwise
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from tests.worker.pipelines.flow_world import parse
from worker.pipelines.drawing import draw
from worker.pipelines.layout import layered
from worker.pipelines.picture import as_svg, as_text, takes
from worker.pipelines.svg import Box, svg
from worker.pipelines.template import Template

DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c", "a"]}
_SVG = "{http://www.w3.org/2000/svg}"


def _graphs() -> st.SearchStrategy[dict[str, list[str]]]:
    """Return acyclic graphs of up to nine steps: each waits for some of those before it."""
    bits = st.lists(st.integers(0, 255), min_size=1, max_size=9)
    return bits.map(
        lambda masks: {
            f"s{number}": [f"s{other}" for other in range(number) if mask >> other & 1]
            for number, mask in enumerate(masks)
        }
    )


def test_the_drawing_of_a_diamond() -> None:
    """Each step stands below all that it waits for, and what follows from other lines is not drawn."""
    drawn = draw(layered(DIAMOND), {name: [name] for name in DIAMOND})

    assert drawn == (
        "    ┌───┐\n"
        "    │ a │\n"
        "    └───┘\n"
        "      │\n"
        "  ┌───┴───┐\n"
        "  ▼       ▼\n"
        "┌───┐   ┌───┐\n"
        "│ b │   │ c │\n"
        "└───┘   └───┘\n"
        "  │       │\n"
        "  └───┐   │\n"
        "      ├───┘\n"
        "      ▼\n"
        "    ┌───┐\n"
        "    │ d │\n"
        "    └───┘"
    )


def test_a_line_passes_a_layer_by() -> None:
    """A line over several layers goes beside the boxes, not through them."""
    drawn = draw(layered({"a": [], "b": ["a"], "c": ["b"], "z": [], "d": ["c", "z"]}), {n: [n] for n in "abczd"})

    assert "│ b │   │" in drawn
    assert "│ c │   │" in drawn


@given(_graphs())
def test_every_graph_can_be_drawn(graph: Mapping[str, list[str]]) -> None:
    """Layers keep the order, every step is in the drawing once, and the SVG is well-formed with a box for each."""
    layout = layered(graph)
    labels = {name: [f"<{name}>", "type & co"] for name in graph}

    place = {node: number for number, layer in enumerate(layout.layers) for node in layer}
    assert all(place[lower] == place[upper] + 1 for upper, lower in layout.segments)
    assert all(place[name] > place[other] for name, given_ in graph.items() for other in given_)
    drawn = draw(layout, labels)
    assert all(drawn.count(f"<{name}>") == 1 for name in graph)
    root = ET.fromstring(svg(layout, {name: Box(lines) for name, lines in labels.items()}, title="<t>"))  # noqa: S314 - our own text
    boxes = root.findall(f"{_SVG}g/{_SVG}rect")
    assert len(boxes) == len(graph)
    tops = sorted({float(box.attrib["y"]) for box in boxes})
    height = float(boxes[0].attrib["height"])
    assert all(lower > upper + height for upper, lower in pairwise(tops))


def test_a_template(template: Template) -> None:
    """A template's drawing has ids, types and retries, and the words say what each step takes."""
    drawn = as_text(template)

    assert all(word in drawn for word in ("get_rows", "source", "up to 3 times, 1m apart"))
    assert takes(template.steps[3]) == ["rows from get_rows", "model from train", "after prepare"]


def test_the_same_svg(parse: Callable[[str], Template], template: Template) -> None:
    """The same template gives the same document, and its title names it."""
    document = as_svg(template)

    assert document == as_svg(template)
    assert "<title>demo, version 1</title>" in document


FLOW = """
name: flow
parameters:
  deploy: false
  things: {type: list, default: [], items: string}
steps:
  - {id: first, type: give}
  - id: maybe
    type: note
    when: ${parameters.deploy} and (${steps.first.outputs.share} > 0.5 or ${steps.first.outputs.count} == 3)
  - {id: each, type: note, foreach: "${parameters.things}", parallelism: 2, timeout: 30m}
  - {id: both, type: note, foreach: "${steps.first.outputs.words}", when: "${item} != 'x'"}
  - {id: last, type: read_note, inputs: {note: maybe.note}, after: [each]}
"""


def test_branches_and_loops() -> None:
    """Conditions and lists stand in the boxes in short, and what they refer to is waited for."""
    template = parse(FLOW)
    drawn = as_text(template)
    steps = {step.id: step for step in template.steps}

    assert all(
        words in drawn
        for words in ("when deploy and (first.share > 0.5", "for each of things", "at most 2 at a time", "within 30m")
    )
    assert takes(steps["maybe"]) == ["the value share from first", "the value count from first"]
    assert takes(steps["both"]) == ["the value words from first"]
    assert drawn.index("first") < drawn.index("maybe") < drawn.index("last")


def test_branches_and_loops_as_svg() -> None:
    """What does not always run has a dashed border, and what runs for each item stands before others."""
    root = ET.fromstring(as_svg(parse(FLOW)))  # noqa: S314 - our own text
    boxes = {group.findtext(f"{_SVG}text"): group.findall(f"{_SVG}rect") for group in root.findall(f"{_SVG}g")}

    assert {name: len(frames) for name, frames in boxes.items()} == {
        "first": 1, "maybe": 1, "each": 3, "both": 3, "last": 1,
    }  # fmt: skip
    assert {name for name, frames in boxes.items() if frames[0].get("class") == "box maybe"} == {"maybe", "both"}
