"""Compiles templates with the KFP SDK, ahead of use; the running worker never imports this, nor kfp."""

import json
from collections.abc import Mapping
from typing import Any

from worker.bee import duration_text
from worker.engine.graph import build
from worker.errors import Rejected
from worker.pipelines.compile import DEFAULT_IMAGE, component, content_hash
from worker.pipelines.template import Step, Template


def compile_template(template: Template, *, image: str = DEFAULT_IMAGE) -> dict[str, Any]:
    """Return the template's PipelineSpec as JSON values: flat, one document, the same bytes for the same template.

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
    steps = {step.id: step for step in template.steps}

    def pipeline(run: dict) -> None:  # type: ignore[type-arg]
        tasks: dict[str, Any] = {}
        for step in steps.values():
            tasks[step.id] = _task(step, image, run, tasks)

    digest = content_hash(template)
    description = f"{template.description}\n\ntemplate version {template.version}, sha256 {digest}".strip()
    made = dsl.pipeline(name=template.name, display_name=template.name, description=description)(pipeline)
    if made.platform_spec.ByteSize():
        raise Rejected("needs a platform spec, which Vertex AI does not read", field="pipeline")
    spec: dict[str, Any] = json.loads(json.dumps(json_format.MessageToDict(made.pipeline_spec), sort_keys=True))
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec(), ignore_unknown_fields=False)
    build(spec)
    return spec


def _task(step: Step, image: str, run: Any, tasks: Mapping[str, Any]) -> Any:
    from kfp import components

    make = components.load_component_from_text(json.dumps(component(step, image)))
    artifacts = {name: tasks[giver].outputs[output] for name, (giver, output) in step.inputs.items()}
    task = make(config=dict(step.config), run=run, **artifacts)
    task.set_display_name(step.id).set_caching_options(enable_caching=False)
    if step.retry.attempts > 1:
        task.set_retry(step.retry.attempts - 1, backoff_duration=_seconds(step), backoff_factor=2.0)
    if step.resources.cpu:
        task.set_cpu_limit(step.resources.cpu)
    if step.resources.memory:
        task.set_memory_limit(step.resources.memory)
    return task.after(*(tasks[name] for name in step.after))


def _seconds(step: Step) -> str:
    """Return the back-off as KFP reads it: whole seconds."""
    seconds = step.retry.backoff.total_seconds()
    if seconds != int(seconds):
        raise Rejected(f"{duration_text(step.retry.backoff)} is not in whole seconds", field=f"{step.id}.retry.backoff")
    return f"{int(seconds)}s"
