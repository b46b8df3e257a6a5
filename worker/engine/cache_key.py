"""When two steps are the same to a cache, as Vertex AI defines it: what goes in, what comes out, and what runs.

Documented under "Configure execution caching": inputs (values, and which artifacts), output definitions, and the
component's image, command, arguments and environment; shared among runs of pipelines with the same name.
"""

import hashlib
import json
from typing import Any

from worker.engine.graph import Graph
from worker.engine.inputs import Bound


def cache_key(graph: Graph, component: str, bound: Bound, chosen: str) -> str:
    """Return the key of one running of a component, 64 hexadecimal digits.

    Args:
        graph: the pipeline, of which the name counts.
        component: its name in the spec; another of the same content is the same.
        bound: what goes in; an artifact counts by where it is, its type and its metadata.
        chosen: a key written in the spec instead of all this, "" for none.
    """
    container = graph.executor(component).container
    content: dict[str, Any] = {
        "pipeline": graph.spec.pipeline_info.name,
        "parameters": bound.parameters,
        "artifacts": {
            name: [[one["uri"], one["type"], one.get("metadata", {})] for one in many]
            for name, many in bound.artifacts.items()
        },
        "outputs": graph.component(component).output_definitions.model_dump(mode="json"),
        "container": container.model_dump(mode="json", exclude={"resources"}) if container else None,
    }
    if chosen:
        content = {"pipeline": graph.spec.pipeline_info.name, "chosen": chosen, "outputs": content["outputs"]}
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()
