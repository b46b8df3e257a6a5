"""The executors of a PipelineSpec: a command with its environment and its needs, or an artifact to import."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic.alias_generators import to_camel

from worker.engine.interface import ArtifactType, Node

_TEXTS = ("resource_cpu_limit", "resource_memory_limit", "resource_cpu_request", "resource_memory_request")


class EnvVar(Node):
    """An environment variable of a container."""

    name: str
    value: str = ""


class Accelerator(Node):
    """What a container computes with besides processors; texts may be placeholders (`resource…`)."""

    type: str = ""
    count: str | int = 0
    resource_type: str = ""
    resource_count: str = ""


class Resources(Node):
    """What a container needs; here accelerators and the memory limit count, the bound on steps stands for the rest."""

    cpu_limit: float | None = None
    memory_limit: float | None = None
    cpu_request: float | None = None
    memory_request: float | None = None
    resource_cpu_limit: str | None = None
    resource_memory_limit: str | None = None
    resource_cpu_request: str | None = None
    resource_memory_request: str | None = None
    accelerator: Accelerator | None = None

    def texts(self) -> dict[str, str]:
        """Return what may hold placeholders, by its path in the spec."""
        own = {to_camel(name): getattr(self, name) for name in _TEXTS}
        of = self.accelerator or Accelerator()
        own |= {"accelerator.resourceType": of.resource_type, "accelerator.resourceCount": of.resource_count}
        return {path: text for path, text in own.items() if text}


def _some(command: tuple[str, ...]) -> tuple[str, ...]:
    if not command:
        raise ValueError("names no program, and what the image would start is not here: give the component a command")
    return command


class Container(Node):
    """A command; its image is what Vertex runs it in, here it runs on this machine."""

    image: str
    command: Annotated[tuple[str, ...], AfterValidator(_some)] = Field(default=(), strict=False, validate_default=True)
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
    download_to_workspace: Literal[False] = False


class Executor(Node):
    """How a component runs."""

    container: Container | None = None
    importer: Importer | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._exactly_one("container", "importer")
        return self
