"""A definition between its wire form and the store's."""

from dataclasses import fields

from worker.bee import duration_text, parse_duration
from worker.errors import Rejected
from worker.features.port import Definition
from worker.features.wire import DefineRequest, DefinitionShown


def shown_definition(definition: Definition) -> DefinitionShown:
    """Return a definition as it is answered."""
    shown = {name: getattr(definition, name) for name in DefinitionShown.__struct_fields__}
    ttl = duration_text(definition.ttl) if definition.ttl else None
    return DefinitionShown(**{**shown, "ttl": ttl, "tags": list(definition.tags)})


def asked_definition(asked: DefineRequest) -> Definition:
    """Return what a request defines. Raises Rejected for a ttl that is none."""
    names = {field.name for field in fields(Definition)} & set(asked.__struct_fields__)
    given = {name: getattr(asked, name) for name in names}
    try:
        ttl = parse_duration(asked.ttl)
    except ValueError as error:
        raise Rejected(str(error), field="ttl", mend="write it as 30d, 12h or 86400s") from error
    return Definition(**{**given, "ttl": ttl or None, "tags": tuple(asked.tags)})
