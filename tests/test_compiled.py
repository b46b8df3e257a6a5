"""The compiled specs that ship with the configuration."""

import json
from pathlib import Path

import pytest

from config.schema import SHIPPED, load_templates
from worker.pipelines.cache import load_compiled, write_compiled
from worker.pipelines.template import Template, parse_template

NAMES = sorted(load_templates([SHIPPED]))


def _template(name: str) -> Template:
    file = load_templates([SHIPPED])[name]
    return parse_template(file.content, at=file.at)


@pytest.mark.parametrize("name", NAMES)
def test_what_ships_is_fresh(name: str) -> None:
    """Every shipped template has a compiled spec that fits it as it is now."""
    spec = load_compiled(_template(name), [SHIPPED])

    assert spec["schemaVersion"].startswith("2.1")


@pytest.mark.parametrize("name", NAMES)
def test_the_image_is_replaced(name: str) -> None:
    """Every step of a compiled spec runs on the image that is asked for."""
    spec = load_compiled(_template(name), [SHIPPED], image="mine:1")

    images = {one["container"]["image"] for one in spec["deploymentSpec"]["executors"].values()}
    assert images == {"mine:1"}


@pytest.mark.parametrize("name", NAMES)
def test_compiling_again_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    """What ships is what the compiler makes of the template, byte by byte."""
    pytest.importorskip("kfp", reason="the extra `compile` is not installed")
    from worker.adapters.engine.kfp_compiler import compile_template

    template = _template(name)
    again = write_compiled(template, compile_template(template), tmp_path)

    shipped = SHIPPED / "pipelines" / "compiled" / f"{name}.json"
    assert again.read_bytes() == shipped.read_bytes()
    assert json.loads(again.read_text())["template"] == name
