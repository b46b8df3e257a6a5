from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.worker.pipelines.conftest import GOOD
from worker.errors import Rejected
from worker.pipelines.cache import load_compiled, write_compiled
from worker.pipelines.compile import content_hash
from worker.pipelines.template import Template

SPEC: dict[str, Any] = {"deploymentSpec": {"executors": {"exec-a": {"container": {"image": "old", "command": ["x"]}}}}}


def test_round_trip(template: Template, tmp_path: Path) -> None:
    """What was written for a template is found again, the same bytes each time."""
    path = write_compiled(template, SPEC, tmp_path)
    first = path.read_bytes()
    write_compiled(template, SPEC, tmp_path)

    assert load_compiled(template, [tmp_path]) == SPEC
    assert path.read_bytes() == first
    assert [one.name for one in path.parent.iterdir()] == ["demo.json"]


@pytest.mark.parametrize(
    "change",
    [("trees: 10", "trees: 11"), ("attempts: 3", "attempts: 4"), ("depth: 3", "depth: 4"), ("A demo", "Another demo")],
)
def test_stale(parse: Callable[[str], Template], template: Template, tmp_path: Path, change: tuple[str, str]) -> None:
    """A template that changed since is refused, with the command that mends it."""
    write_compiled(template, SPEC, tmp_path)

    with pytest.raises(Rejected, match=r"'demo' is stale.*colony pipelines compile demo"):
        load_compiled(parse(GOOD.replace(*change)), [tmp_path])


def test_missing(template: Template, tmp_path: Path) -> None:
    """A template that was never compiled is refused."""
    with pytest.raises(Rejected, match="missing"):
        load_compiled(template, [tmp_path])


def test_unreadable(template: Template, tmp_path: Path) -> None:
    """A file that is broken is refused by its name."""
    write_compiled(template, SPEC, tmp_path).write_text("{")

    with pytest.raises(Rejected, match=r"demo\.json"):
        load_compiled(template, [tmp_path])


def test_layers(template: Template, tmp_path: Path) -> None:
    """The last layer with a fresh spec counts; a stale one above a fresh one does not hide it."""
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    write_compiled(template, SPEC, shipped)
    path = write_compiled(template, {**SPEC, "mine": 1}, own)

    assert load_compiled(template, [shipped, own])["mine"] == 1
    path.write_text(path.read_text().replace(content_hash(template), "0" * 64))
    assert load_compiled(template, [shipped, own]) == SPEC


def test_image(template: Template, tmp_path: Path) -> None:
    """The image can be another one than the spec was compiled with."""
    write_compiled(template, SPEC, tmp_path)

    spec = load_compiled(template, [tmp_path], image="registry/colony:7")
    assert spec["deploymentSpec"]["executors"]["exec-a"]["container"] == {
        "image": "registry/colony:7",
        "command": ["x"],
    }
    assert load_compiled(template, [tmp_path]) == SPEC


def test_formatting_does_not_count(parse: Callable[[str], Template], template: Template) -> None:
    """Comments and layout of the YAML do not make a spec stale."""
    assert content_hash(
        parse("# a comment\n" + GOOD.replace("{id: get_rows, type: source}", "id: get_rows\n    type: source"))
    ) == content_hash(template)


def test_variables(template: Template, tmp_path: Path) -> None:
    """Every container is told the variables that are given; without any nothing of a spec changes."""
    write_compiled(template, SPEC, tmp_path)

    spec = load_compiled(template, [tmp_path], image="new", environment={"B": "2", "A": "1"})

    assert spec["deploymentSpec"]["executors"]["exec-a"]["container"] == {
        "image": "new",
        "command": ["x"],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    }
    assert load_compiled(template, [tmp_path]) == SPEC
