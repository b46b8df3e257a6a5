from collections.abc import Callable, Mapping
from itertools import pairwise
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from worker.pipelines.drawing import draw
from worker.pipelines.layout import layered
from worker.pipelines.picture import as_svg, as_text, takes
from worker.pipelines.svg import svg
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
    root = ET.fromstring(svg(layout, labels, title="<t>", hints={}))  # noqa: S314 - our own text
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
