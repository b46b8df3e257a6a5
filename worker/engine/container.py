"""The executors of a PipelineSpec: a command with its environment and its needs, or an artifact to import."""

from typing import Any, Self

from pydantic import Field, model_validator

from worker.engine.interface import ArtifactType, Node


class EnvVar(Node):
    """An environment variable of a container."""

    name: str
    value: str = ""


class Resources(Node):
    """What a container needs; here the memory limit holds, and the bound on steps stands for the rest."""

    cpu_limit: float | None = None
    memory_limit: float | None = None
    cpu_request: float | None = None
    memory_request: float | None = None
    resource_cpu_limit: str | None = None
    resource_memory_limit: str | None = None
    resource_cpu_request: str | None = None
    resource_memory_request: str | None = None


class Container(Node):
    """A command; its image is what Vertex runs it in, here it runs on this machine."""

    image: str
    command: tuple[str, ...] = Field(min_length=1, strict=False)
    args: tuple[str, ...] = Field(default=(), strict=False)
    env: tuple[EnvVar, ...] = Field(default=(), strict=False)
    resources: Resources = Resources()


class ArtifactUri(Node):
    """Where an imported artifact is: written in the spec, or the value of an input parameter."""

    constant: str | None = None
    runtime_parameter: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._exactly_one("constant", "runtime_parameter")
        return self


class Importer(Node):
    """An artifact that exists already; each import is a new one here, so that `reimport` changes nothing."""

    artifact_uri: ArtifactUri
    type_schema: ArtifactType
    metadata: dict[str, Any] = Field(default_factory=dict)
    reimport: bool = False


class Executor(Node):
    """How a component runs."""

    container: Container | None = None
    importer: Importer | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._exactly_one("container", "importer")
        return self
