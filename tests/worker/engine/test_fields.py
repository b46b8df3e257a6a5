"""Nothing of the format is ignored: every field of pipeline_spec.proto is read, or is refused, or is told here."""

import ast
import os
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from worker.engine import spec

if os.environ.get("CI") != "true":
    pytest.importorskip("kfp.pipeline_spec", reason="kfp is not installed (the extra `compile`)")

ROOT = Path(__file__).parents[3]
#: What is refused at submit, by message, and why nothing on one machine could do it.
REFUSED = {
    "ComponentSpec.singlePlatformSpecs": "Kubernetes",
    "ComponentSpec.taskConfigPassthroughs": "Kubernetes",
    "ComponentInputsSpec.ParameterSpec.type": "of schema 2.0",
    "ComponentOutputsSpec.ParameterSpec.type": "of schema 2.0",
    "ComponentOutputsSpec.ArtifactSpec.properties": "of schema 2.0, now metadata",
    "ComponentOutputsSpec.ArtifactSpec.customProperties": "of schema 2.0, now metadata",
    "ValueOrRuntimeParameter.constantValue": "of schema 2.0, now constant",
    "ValueOrRuntimeParameter.runtimeParameter": "of schema 2.0 but in an importer, now componentInputParameter",
    "PipelineDeploymentConfig.ExecutorSpec.resolver": "asks the metadata store of Vertex AI",
    "PipelineDeploymentConfig.ExecutorSpec.customJob": "a job of Vertex AI",
    "PipelineDeploymentConfig.PipelineContainerSpec.lifecycle": "a command before the cache is asked, of schema 2.0",
    "PipelineDeploymentConfig.ImporterSpec.properties": "of schema 2.0, now metadata",
    "PipelineDeploymentConfig.ImporterSpec.customProperties": "of schema 2.0, now metadata",
}
#: What is accepted and changes nothing here, and why that is right.
WITHOUT_EFFECT = {
    "sdk_version": "who compiled it",
    "schema_version": "only 2.1.0 is accepted",
    "default_pipeline_root": "the run's own directory is always given",
    "display_name": "for people",
    "description": "for people",
    "instance_schema": "told to steps as it is",
    "image": "the command runs on this machine, which is what the engine is for",
    "reimport": "each import is a new artifact here",
    "download_to_workspace": "only false is accepted",
    "cpu_limit": "the bound on steps stands for it",
    "cpu_request": "the bound on steps stands for it",
    "memory_request": "the bound on steps stands for it",
    "resource_cpu_limit": "the bound on steps stands for it; placeholders are checked",
    "resource_cpu_request": "the bound on steps stands for it; placeholders are checked",
    "resource_memory_request": "the bound on steps stands for it; placeholders are checked",
}


def pairs() -> Iterator[tuple[Any, type[BaseModel]]]:
    """Give each message of the format with the model that reads it, from the root on."""
    from kfp.pipeline_spec import pipeline_spec_pb2 as proto

    waiting: list[tuple[Any, type[BaseModel]]] = [(proto.PipelineSpec.DESCRIPTOR, spec.PipelineSpec)]
    seen = set()
    while waiting:
        message, model = waiting.pop()
        if (message.full_name, model) in seen:
            continue
        seen.add((message.full_name, model))
        yield message, model
        for field in message.fields:
            inner = next((f for f in model.model_fields.values() if f.alias == field.json_name), None)
            if inner is None or field.message_type is None:
                continue
            of = field.message_type
            if of.GetOptions().map_entry:
                of = of.fields_by_name["value"].message_type
            if field.json_name == "deploymentSpec":
                of = proto.PipelineDeploymentConfig.DESCRIPTOR
            waiting += [(of, found) for found in models(inner.annotation)]


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Give the models in a type."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for part in typing.get_args(annotation):
        yield from models(part)


def unknown() -> dict[str, set[type[BaseModel]]]:
    """Return the fields that no model reads, with the models that could."""
    found: dict[str, set[type[BaseModel]]] = {}
    for message, model in pairs():
        known = {field.alias for field in model.model_fields.values()}
        for field in message.fields:
            if field.json_name not in known:
                name = f"{message.full_name.removeprefix('ml_pipelines.')}.{field.json_name}"
                found.setdefault(name, set()).add(model)
    return found


def test_every_field_is_read_or_refused() -> None:
    """Each field of each message has a model's field, or stands in the table of refusals, and is refused there."""
    found = unknown()

    assert found.keys() == REFUSED.keys()
    for name, readers in found.items():
        for model in readers:
            with pytest.raises(ValidationError) as caught:
                model.model_validate({name.rpartition(".")[2]: {}})
            assert any(fault["type"] == "extra_forbidden" for fault in caught.value.errors()), name


def test_no_field_is_invented() -> None:
    """The models read nothing that the format has not."""
    for message, model in pairs():
        known = {field.json_name for field in message.fields}
        assert {field.alias for field in model.model_fields.values()} <= known, model


def test_every_field_that_is_read_counts() -> None:
    """What a model reads is used somewhere in the engine, or the table above says why it changes nothing."""
    used = set()
    for folder in ("worker/engine", "worker/adapters/engine"):
        for file in (ROOT / folder).glob("*.py"):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    read = {name for _, model in pairs() for name in model.model_fields}

    assert read - used - WITHOUT_EFFECT.keys() == set()
    assert WITHOUT_EFFECT.keys() <= read


def test_every_word_is_known_or_refused() -> None:
    """Each word of an enumeration is one that the engine knows, but the two that mean nothing on one machine."""
    refused = set()
    for message, model in pairs():
        for field in message.fields:
            words = [value.name for value in field.enum_type.values] if field.enum_type else []
            for word in words if field.name != "type" else ():
                try:
                    model.model_validate({field.json_name: word})
                except ValidationError:
                    refused.add(word)

    assert refused == {"PARAMETER_TYPE_ENUM_UNSPECIFIED", "TASK_CONFIG"}
