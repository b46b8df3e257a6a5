"""How the compiler passes values into groups, loops' items above all: what it names them, and what it leaves out.

It wires fields of written structs into groups within groups, and outer items into inner texts, to inputs that do not
exist (github.com/kubeflow/pipelines/issues/13273). What is meant is certain: it has given the item its only name.
"""

from collections.abc import Collection

from worker.engine.sources import ParameterSource
from worker.engine.spec import PipelineSpec

#: Inputs that the compiler adds to pass a value into a group; a component need not declare them, nor type them well.
CHANNEL = "pipelinechannel--"


def is_item(name: str) -> bool:
    """Whether an input is a loop's item as the compiler names it; no name of a user's has a hyphen."""
    return name.startswith(CHANNEL) and "loop-item" in name


def items_around(spec: PipelineSpec) -> dict[str, set[str]]:
    """Return which loops' items there are around each DAG, in all places where it is used; "" is the root."""
    found: dict[str, set[str]] = {"": set()}
    waiting = [""]
    while waiting:
        name = waiting.pop()
        component = spec.components[name] if name else spec.root
        here = found[name] | {one for one in component.input_definitions.parameters if is_item(one)}
        for task in component.dag.tasks.values() if component.dag else ():
            inner = task.component_ref.name
            known = found.get(inner)
            if known is None or not known <= here:
                found[inner] = here if known is None else known & here
                waiting += [inner] if inner in spec.components else []
    return found


def is_meant_field(source: ParameterSource, name: str, around: Collection[str]) -> bool:
    """Whether a field of a loop's item is meant that the DAG has been given as such, while the item itself is not.

    The compiler wires fields of written structs like this into groups within groups; later versions name the field
    (github.com/kubeflow/pipelines/issues/13273).

    Args:
        source: selects the field of an input that the DAG has not.
        name: of the task's input.
        around: names of the DAG's inputs.
    """
    return bool(source.parameter_expression_selector) and name.startswith(CHANNEL) and name in around
