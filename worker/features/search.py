"""Which definitions a search finds; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from worker.features.port import Definition


@dataclass(frozen=True)
class Search:
    """What a list of definitions is narrowed by; what is not given narrows nothing.

    Attributes:
        text: occurs in the name, description, group, unit, owner or a tag, whatever its case; of several words each
            occurs somewhere.
        tag: is one of the tags.
        fields: attribute → the value that it has (`entity`, `type`, `owner`, `source`, `group`).
    """

    text: str | None = None
    tag: str | None = None
    fields: Mapping[str, str | None] = field(default_factory=dict)

    def takes(self, definition: Definition) -> bool:
        """Tell whether a definition is found."""
        if any(value is not None and getattr(definition, name) != value for name, value in self.fields.items()):
            return False
        if self.tag is not None and self.tag not in definition.tags:
            return False
        of = definition
        said = "\n".join((of.name, of.description, of.group, of.unit, of.owner, *of.tags)).casefold()
        return all(word in said for word in (self.text or "").casefold().split())

    def among(self, definitions: Iterable[Definition]) -> list[Definition]:
        """Return those that are found, in the order given."""
        return [definition for definition in definitions if self.takes(definition)]
