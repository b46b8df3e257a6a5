"""Compiles templates with the KFP SDK, ahead of use; the running worker never imports this, nor kfp."""

import inspect
import json
from collections.abc import Mapping
from typing import Any

from worker.bee import duration_text
from worker.engine.graph import build
from worker.errors import Rejected
from worker.pipelines.compile import DEFAULT_IMAGE, component, content_hash, root_parameters, when_inputs
from worker.pipelines.compiled import complete
from worker.pipelines.flow import RUN, Source
from worker.pipelines.template import Step, Template
from worker.steps.kinds import item_kind


def compile_template(template: Template, *, image: str = DEFAULT_IMAGE) -> dict[str, Any]:
    """Return the template's PipelineSpec as JSON values: one document, flat but for the loop around a `foreach` step.

    Args:
        template: validated.
        image: the container image that holds this project.

    Raises:
        Rejected: kfp is not installed, or the outcome is not what every engine accepts.
    """
    try:
        from google.protobuf import json_format
        from kfp import dsl
        from kfp.pipeline_spec import pipeline_spec_pb2
    except ImportError as error:
        mend = "install the extra: pip install 'colony-mlops[compile]'"
        raise Rejected(f"compiling needs kfp: {error}", field="pipeline", mend=mend) from error
    parameters = root_parameters(template)
    tasks: dict[str, Any] = {}

    def pipeline(*given: Any) -> None:
        channels = dict(zip(parameters, given, strict=True))
        tasks.clear()
        for step in template.steps:
            tasks[step.id] = _looped(step, image, channels, tasks)

    pipeline.__signature__ = _signature(parameters)  # type: ignore[attr-defined] # what the SDK reads
    digest = content_hash(template)
    description = f"{template.description}\n\ntemplate version {template.version}, sha256 {digest}".strip()
    made = dsl.pipeline(name=template.name, display_name=template.name, description=description)(pipeline)
    if made.platform_spec.ByteSize():
        raise Rejected("needs a platform spec, which Vertex AI does not read", field="pipeline")
    spec: dict[str, Any] = json.loads(json.dumps(json_format.MessageToDict(made.pipeline_spec), sort_keys=True))
    complete(spec, template, {id_: task.name for id_, task in tasks.items()})
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec(), ignore_unknown_fields=False)
    build(spec)
    return spec


def _signature(parameters: Mapping[str, type]) -> inspect.Signature:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(name, kind, annotation=type_) for name, type_ in parameters.items()])


def _looped(step: Step, image: str, channels: Mapping[str, Any], tasks: Mapping[str, Any]) -> Any:
    """Return a step's task, in a loop of its own if it runs for each item of a list."""
    from kfp import dsl

    loop = step.foreach
    if loop is None:
        return _task(step, image, channels, tasks)
    # The SDK takes not every list that can be written down; what stands there is put in later.
    items = [""] if loop.source is None else _channel(loop.source, channels, tasks)
    with dsl.ParallelFor(items=items, parallelism=loop.parallelism):
        return _task(step, image, channels, tasks)


def _task(step: Step, image: str, channels: Mapping[str, Any], tasks: Mapping[str, Any]) -> Any:
    from kfp import components, dsl
    from kfp.dsl.structures import InputSpec

    make = components.load_component_from_text(json.dumps(component(step, image)))
    artifacts = {}
    for name, (giver, output) in step.inputs.items():
        kind = item_kind(step.type.inputs[name])
        artifacts[name] = tasks[giver].outputs[output]
        if kind is not None:
            # A component's text has no word for a list of artifacts.
            make.component_spec.inputs[name] = InputSpec(type=f"{kind}@0.0.1", is_artifact_list=True)
            artifacts[name] = dsl.Collected(artifacts[name])
    conditional = {
        name: _channel(source, channels, tasks) for name, source in when_inputs(step).values() if source.of != "item"
    }
    task = make(config=dict(step.config), run=channels[RUN], **conditional, **artifacts)
    task.set_display_name(step.id).set_caching_options(enable_caching=False)
    backoff = _seconds(step)
    if step.retry.attempts > 1 and step.foreach is None:
        task.set_retry(step.retry.attempts - 1, backoff_duration=backoff, backoff_factor=2.0)
    if step.resources.cpu:
        task.set_cpu_limit(step.resources.cpu)
    if step.resources.memory:
        task.set_memory_limit(step.resources.memory)
    return task


def _channel(source: Source, channels: Mapping[str, Any], tasks: Mapping[str, Any]) -> Any:
    return channels[source.name] if source.of == "parameter" else tasks[source.step].outputs[source.name]


def _seconds(step: Step) -> str:
    """Return the back-off as KFP reads it: whole seconds."""
    seconds = step.retry.backoff.total_seconds()
    if seconds != int(seconds):
        raise Rejected(f"{duration_text(step.retry.backoff)} is not in whole seconds", field=f"{step.id}.retry.backoff")
    return f"{int(seconds)}s"
