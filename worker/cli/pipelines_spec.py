"""What `colony pipelines run` is given: a compiled pipeline in a file, and words that name its parameters' values."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from worker.engine.spec import PipelineSpec
from worker.engine.values import ParameterType, from_text
from worker.errors import Rejected

_EXAMPLES: dict[ParameterType, str] = {
    "NUMBER_INTEGER": "a whole number",
    "NUMBER_DOUBLE": "a number",
    "BOOLEAN": "true or false",
    "LIST": "JSON such as [1, 2]",
    "STRUCT": 'JSON such as {"a": 1}',
}


def read_spec(path: Path, *, without_platform: bool = False) -> dict[str, Any]:
    """Return the compiled pipeline of a file.

    Args:
        path: YAML or JSON.
        without_platform: leave out a second document, which says what Kubernetes is to do.

    Raises:
        Rejected: it cannot be read, is something else, or has a second document that is not to be left out.
    """
    import yaml

    try:
        documents = list(yaml.load_all(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except (yaml.YAMLError, UnicodeDecodeError, OSError, RecursionError) as error:
        raise Rejected(f"cannot be read: {error}", field=str(path)) from error
    pipeline = documents[0] if documents else None
    if not isinstance(pipeline, dict) or not all(isinstance(key, str) for key in pipeline):
        raise Rejected("is no compiled pipeline", field=str(path))
    if "schemaVersion" not in pipeline and pipeline.keys() & {"pipelineSpec", "implementation"}:
        what = "a job: give its pipelineSpec" if "pipelineSpec" in pipeline else "a component: compile it with kfp"
        raise Rejected("is no compiled pipeline", field=str(path), mend=f"it is {what}")
    if len(documents) > 1 and not without_platform:
        asked = ", ".join(part for document in documents[1:] for part in _platform(document)) or "nothing"
        mend = "run it with --without-platform, or compile it without them"
        reason = f"has {len(documents)} documents; the second asks Kubernetes for what one machine has not: {asked}"
        raise Rejected(reason, field=str(path), mend=mend)
    return pipeline


def without_accelerators(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pipeline none of whose containers asks for an accelerator."""
    return _with_containers(document, _without_accelerator)


def without_cache(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pipeline none of whose steps takes an earlier result."""
    components = {name: _uncached(component) for name, component in document.get("components", {}).items()}
    return {**document, "components": components, "root": _uncached(document.get("root", {}))}


def read_parameters(spec: PipelineSpec, words: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of `name=value` words, each as the pipeline declares it; `name=@file` reads a file.

    Raises:
        Rejected: a word that is not of this form, an unknown, a wrongly typed or a missing parameter.
    """
    declared = spec.root.input_definitions
    values: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        field = f"parameters.{name}"
        if not equals or name in values:
            raise Rejected(f"{word!r} is not NAME=VALUE, or given twice", field="parameters")
        if name in declared.parameters:
            values[name] = _typed(_content(text, field), declared.parameters[name].parameter_type, field)
        elif name in declared.artifacts:
            many = declared.artifacts[name].is_artifact_list
            values[name] = from_text(text, "LIST", field) if many else text
        else:
            known = ", ".join((*declared.parameters, *declared.artifacts))
            mend = f"one of: {known}" if known else "it takes none"
            raise Rejected("the pipeline has no such parameter", field=field, mend=mend)
    missing = dict(_missing(spec, values))
    if missing:
        needed = ", ".join(f"{name} ({kind})" for name, kind in missing.items())
        raise Rejected(f"the pipeline needs {needed}", field="parameters", mend="give each with -p NAME=VALUE")
    return values


def _content(text: str, field: str) -> str:
    if not text.startswith("@") or text.startswith("@@"):
        return text.removeprefix("@") if text.startswith("@@") else text
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        mend = "a value that begins with @ is written with @@"
        raise Rejected(f"{text[1:]} cannot be read: {error}", field=field, mend=mend) from error


def _typed(text: str, kind: ParameterType, field: str) -> Any:
    try:
        return from_text(text, kind, field)
    except Rejected as error:
        raise Rejected(error.reason, field=field, mend=f"give {_EXAMPLES[kind]}" if kind in _EXAMPLES else "") from None


def _missing(spec: PipelineSpec, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    declared = spec.root.input_definitions
    for name, parameter in declared.parameters.items():
        if name not in values and not (parameter.is_optional or parameter.has_default):
            yield name, parameter.parameter_type
    for name, artifact in declared.artifacts.items():
        if name not in values and not artifact.is_optional:
            yield name, f"the URI of a {artifact.kind}"


def _platform(document: Any) -> Iterator[str]:
    """Give what a platform spec asks for, by platform and executor."""
    platforms = document.get("platforms", {}) if isinstance(document, dict) else {}
    for platform, asked in platforms.items() if isinstance(platforms, dict) else ():
        for part, content in asked.items() if isinstance(asked, dict) else ():
            executors = content.get("executors") if isinstance(content, dict) else None
            if part == "deploymentSpec" and isinstance(executors, dict):
                for label, config in executors.items():
                    yield f"{platform}.{label}.{'+'.join(config) if isinstance(config, dict) else config}"
            else:
                yield f"{platform}.{part}.{'+'.join(content) if isinstance(content, dict) else content}"


def _with_containers(document: Mapping[str, Any], change: Any) -> dict[str, Any]:
    deployment = document.get("deploymentSpec", {})
    executors = {
        label: {**executor, "container": change(executor["container"])} if "container" in executor else executor
        for label, executor in deployment.get("executors", {}).items()
    }
    return {**document, "deploymentSpec": {**deployment, "executors": executors}}


def _without_accelerator(container: Mapping[str, Any]) -> dict[str, Any]:
    resources = {name: value for name, value in container.get("resources", {}).items() if name != "accelerator"}
    return {**container, "resources": resources}


def _uncached(component: Mapping[str, Any]) -> dict[str, Any]:
    dag = component.get("dag")
    if not dag:
        return dict(component)
    tasks = {key: {**task, "cachingOptions": {}} for key, task in dag.get("tasks", {}).items()}
    return {**component, "dag": {**dag, "tasks": tasks}}
