"""What an importer gives: the artifact at its URI, which nobody has to run anything for."""

from collections.abc import Mapping
from typing import Any

from worker.engine import placeholder
from worker.engine.container import Importer
from worker.engine.spec import Component
from worker.engine.values import whole
from worker.errors import Rejected


def check(importer: Importer, component: Component, field: str) -> None:
    """Check that an importer's parameters and its one output exist. Raises Rejected."""
    name = importer.artifact_uri.runtime_parameter
    if name is not None and name not in component.input_definitions.parameters:
        raise Rejected(f"the component has no input {name!r}", field=f"{field}.artifactUri.runtimeParameter")
    if "{{" in (importer.artifact_uri.constant or ""):
        mend = "give the URI by a parameter, or by another task's output"
        raise Rejected("no placeholder is known in a URI", field=f"{field}.artifactUri.constant", mend=mend)
    outputs = component.output_definitions
    if len(outputs.artifacts) != 1 or outputs.parameters:
        raise Rejected("an importer gives exactly one artifact", field=field)
    for text in placeholder.strings(importer.metadata):
        if any(one.form != "input_parameter" for one in placeholder.find(text, f"{field}.metadata")):
            raise Rejected("only input parameters are known here", field=f"{field}.metadata")
        placeholder.check(text, component, f"{field}.metadata")


def outputs(importer: Importer, component: Component, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs as a step's are recorded. Raises Rejected if the URI is no text."""
    uri = importer.artifact_uri.constant
    if uri is None:
        uri = given.get(str(importer.artifact_uri.runtime_parameter))
    if not isinstance(uri, str) or not uri:
        raise Rejected("the importer has no URI")
    (name,) = component.output_definitions.artifacts
    artifact = {
        "name": name,
        "uri": uri,
        "type": importer.type_schema.told(),
        "metadata": whole(placeholder.filled(importer.metadata, lambda one: given.get(one.name, ""))),
    }
    return {"parameters": {}, "artifacts": {name: [artifact]}}
