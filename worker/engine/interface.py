"""What a component takes and gives, as the PipelineSpec declares it; and the base of all of its whitelisted objects."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from worker.engine.values import ParameterType, cast
from worker.errors import Rejected


def _safe_name(name: str) -> str:
    if not name or name[0] == "." or not all(c.isalnum() or c in "-_." for c in name):
        raise ValueError(f"{name!r} is no name that can also name a file")
    return name


Name = Annotated[str, AfterValidator(_safe_name)]


class Node(BaseModel):
    """One JSON object of the spec: exact types, nothing unknown."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, alias_generator=to_camel, validate_by_name=False
    )

    def _exactly_one(self, *names: str) -> None:
        if sum(name in self.model_fields_set for name in names) != 1:
            wanted = ", ".join(to_camel(name) for name in names)
            raise ValueError(f"needs exactly one of {wanted}")


class ArtifactType(Node):
    """The kind of an artifact: its registered title (`system.Model`), or where its schema is, or the schema itself."""

    schema_title: str | None = None
    schema_uri: str | None = None
    instance_schema: str | None = None
    schema_version: str = "0.0.1"

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._exactly_one("schema_title", "schema_uri", "instance_schema")
        return self

    @property
    def title(self) -> str:
        """Its name, or where its schema is; `artifact` where only the schema itself is given."""
        return self.schema_title or self.schema_uri or "artifact"

    def told(self) -> dict[str, str]:
        """Return it as executor inputs and journals hold it."""
        return {name: str(value) for name, value in self.model_dump(by_alias=True, exclude_none=True).items()}


class InputArtifact(Node):
    """An artifact, or a list of them, that a component takes."""

    artifact_type: ArtifactType
    is_artifact_list: bool = False
    is_optional: bool = False
    description: str = ""

    @property
    def kind(self) -> str:
        """What it is, for people."""
        return f"list of {self.artifact_type.title}" if self.is_artifact_list else self.artifact_type.title


class OutputArtifact(Node):
    """An artifact that a component gives; a list only as what a loop collected."""

    artifact_type: ArtifactType
    is_artifact_list: bool = False
    metadata: dict[str, Any] = Field(default_factory=dict)
    description: str = ""


class InputParameter(Node):
    """A typed value that a component takes."""

    parameter_type: ParameterType
    default_value: Any = None
    is_optional: bool = False
    description: str = ""
    literals: tuple[Any, ...] = Field(default=(), strict=False)

    @property
    def has_default(self) -> bool:
        """Whether a default is declared (null is one)."""
        return "default_value" in self.model_fields_set

    def take(self, value: Any, field: str) -> Any:
        """Return a value as the declared type. Raises Rejected if it is another's, or none of the literals."""
        taken = cast(value, self.parameter_type, field)
        if self.literals and taken not in self.literals:
            raise Rejected(f"{taken!r} is none of {', '.join(map(repr, self.literals))}", field=field)
        return taken


class OutputParameter(Node):
    """A typed value that a component gives."""

    parameter_type: ParameterType
    description: str = ""


class Inputs(Node):
    """What a component takes."""

    parameters: dict[Name, InputParameter] = Field(default_factory=dict)
    artifacts: dict[Name, InputArtifact] = Field(default_factory=dict)


class Outputs(Node):
    """What a component gives."""

    parameters: dict[Name, OutputParameter] = Field(default_factory=dict)
    artifacts: dict[Name, OutputArtifact] = Field(default_factory=dict)
