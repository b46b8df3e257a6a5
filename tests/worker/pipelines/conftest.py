from collections.abc import Callable
from typing import Any

import pytest
import yaml

from worker.pipelines.template import Template, parse_template

TYPES = {name: f"tests.worker.pipelines.step_{name}" for name in ("source", "stage", "sink")}

GOOD = """
name: demo
description: A demonstration.
trigger: drift
parameters: {depth: 3, name: null}
steps:
  - {id: get_rows, type: source}
  - {id: prepare, type: stage, config: {depth: "${parameters.depth}"}}
  - id: train
    type: stage
    config: {options: {trees: 10}}
    retry: {attempts: 3, backoff: 1m}
    resources: {cpu: "2", memory: 4G}
  - {id: finish, type: sink, inputs: {rows: get_rows.rows}, after: [prepare]}
"""


@pytest.fixture(name="parse")
def _parse() -> Callable[[str], Template]:
    """Give a function from YAML text to a template over small step types."""

    def parse(text: str) -> Template:
        content: Any = yaml.safe_load(text)
        return parse_template(content, types=TYPES)

    return parse


@pytest.fixture(name="template")
def _template(parse: Callable[[str], Template]) -> Template:
    return parse(GOOD)
