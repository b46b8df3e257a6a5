"""What a step's process is told: the ExecutorInput JSON, and its command line with the placeholders filled in."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from worker.engine import placeholder, structure
from worker.engine.container import Container
from worker.engine.inputs import Bound
from worker.engine.placeholder import Placeholder
from worker.engine.spec import Component
from worker.engine.values import whole
from worker.errors import Rejected

_GS = "gs://"


def local_path(uri: str) -> str:
    """Return where a URI is found on this machine: `gs://bucket/x` as Vertex mounts it, a path as it is.

    Raises:
        Rejected: a scheme that is not mounted anywhere.
    """
    if uri.startswith(_GS):
        return f"/gcs/{uri.removeprefix(_GS)}"
    if "://" in uri:
        raise Rejected(f"{uri} is neither a path nor gs://", field="uri", mend="give a directory or gs://bucket/prefix")
    return uri


def build(component: Component, bound: Bound, root: str) -> dict[str, Any]:
    """Return the ExecutorInput of one attempt, whose outputs are to be written under `root` (a directory or gs://)."""
    outputs = component.output_definitions
    return {
        "inputs": {
            "parameterValues": {
                name: whole(value) if isinstance(value, dict | list) else value
                for name, value in bound.parameters.items()
            },
            "artifacts": {name: {"artifacts": list(many)} for name, many in bound.artifacts.items()},
        },
        "outputs": {
            "artifacts": {
                name: {
                    "artifacts": [
                        {
                            "name": name,
                            "uri": f"{root}/artifacts/{name}",
                            "type": artifact.artifact_type.told(),
                            "metadata": whole(artifact.metadata),
                        }
                    ]
                }
                for name, artifact in outputs.artifacts.items()
            },
            "parameters": {
                name: {"outputFile": f"{local_path(root)}/parameters/{name}"} for name in outputs.parameters
            },
            "outputFile": f"{local_path(root)}/executor_output.json",
        },
    }


def command_line(
    container: Container, told: Mapping[str, Any], facts: Mapping[str, str], late: Collection[str] = ()
) -> list[str]:
    """Return command and arguments for an ExecutorInput.

    Args:
        container: the command, checked.
        told: what the step is told (`build`).
        facts: of the run and the task (`Facts.of_task`).
        late: the input parameters whose values hold placeholders of this attempt (`Bound.late`).

    Raises:
        Rejected: an input that they name was not given.
    """
    text = json.dumps(told, ensure_ascii=False, allow_nan=False)
    inputs, outputs = told["inputs"], told["outputs"]

    def value(one: Placeholder) -> Any:
        if one.form == "executor_input":
            return text
        if one.form == "run":
            return facts[one.name]
        if one.form == "output_file":
            return outputs["outputFile"]
        if one.form == "output_parameter":
            return outputs["parameters"][one.name]["outputFile"]
        if one.form == "input_parameter":
            given = _given(inputs["parameterValues"], one.name)
            return placeholder.fill(given, value) if one.name in late else given
        if one.form == "input_artifacts":
            return _given(inputs["artifacts"], one.name)["artifacts"]
        side = inputs if one.form == "input_artifact" else outputs
        return _of_artifact(_given(side["artifacts"], one.name)["artifacts"][0], one)

    given = {**inputs["parameterValues"], **inputs["artifacts"]}
    words = (structure.expand(part, given, value) for part in (*container.command, *container.args))
    return [word for expanded in words for word in expanded]


def _of_artifact(artifact: Mapping[str, Any], one: Placeholder) -> Any:
    if one.part != "metadata":
        return local_path(artifact["uri"]) if one.part == "path" else artifact["uri"]
    metadata = artifact.get("metadata", {})
    return _given(metadata, one.key) if one.key else metadata


def _given(values: Mapping[str, Any], name: str) -> Any:
    if name not in values:
        raise Rejected(f"the command needs the input {name!r}, which was not given", field=name)
    return values[name]
