"""The base of every configuration value: frozen, camelCase outside, and closed to fields that it does not know."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Value(BaseModel):
    """A frozen value that is written in camelCase and refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)
