"""The executors of a PipelineSpec: a command with its environment and its needs."""

from pydantic import Field

from worker.engine.interface import Node


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


class Executor(Node):
    """How a component runs."""

    container: Container
