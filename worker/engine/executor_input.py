"""What a step's process is told: the ExecutorInput JSON, and its command line with the placeholders filled in."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from worker.engine import placeholder
from worker.engine.container import Container
from worker.engine.inputs import Bound
from worker.engine.spec import Component
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
            "parameterValues": {name: _whole(value) for name, value in bound.parameters.items()},
            "artifacts": {name: {"artifacts": list(many)} for name, many in bound.artifacts.items()},
        },
        "outputs": {
            "artifacts": {
                name: {
                    "artifacts": [
                        {
                            "name": name,
                            "uri": f"{root}/artifacts/{name}",
                            "type": artifact.artifact_type.model_dump(by_alias=True),
                            "metadata": artifact.metadata,
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


def command_line(container: Container, told: Mapping[str, Any]) -> list[str]:
    """Return command and arguments for an ExecutorInput. Raises Rejected if an input that they name was not given."""
    text = json.dumps(told, ensure_ascii=False, allow_nan=False)

    def value(form: str, name: str, part: str) -> Any:
        if form == "executor_input":
            return text
        side, kind = form.split("_")
        if kind == "parameter" and side == "output":
            return told["outputs"]["parameters"][name]["outputFile"]
        if kind == "parameter":
            return _given(told["inputs"]["parameterValues"], name)
        uri = _given(told[f"{side}s"]["artifacts"], name)["artifacts"][0]["uri"]
        return local_path(uri) if part == "path" else uri

    return [placeholder.fill(part, value) for part in _parts(container)]


def _whole(value: Any, *, inside: bool = False) -> Any:
    """Return a struct or list with whole numbers as integers: a compiled spec holds every number in it as a float."""
    if isinstance(value, dict):
        return {key: _whole(item, inside=True) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item, inside=True) for item in value]
    return int(value) if inside and isinstance(value, float) and value.is_integer() else value


def _parts(container: Container) -> Sequence[str]:
    return (*container.command, *container.args)


def _given(values: Mapping[str, Any], name: str) -> Any:
    if name not in values:
        raise Rejected(f"the command needs the input {name!r}, which was not given", field=name)
    return values[name]
