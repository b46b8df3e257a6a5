"""What is checked before a computed feature is defined, and before a feature that others read is changed; pure."""

from collections.abc import Mapping

from worker.errors import Conflict, Rejected
from worker.features.computed.inputs import closure, direct, in_order
from worker.features.computed.parse import parse
from worker.features.computed.place import FIELD
from worker.features.computed.types import Typing
from worker.features.port import Definition

#: How many features one computation may read itself.
MAX_INPUTS = 64


def check(definition: Definition, definitions: Mapping[str, Definition]) -> None:
    """Refuse a definition whose computation cannot be answered, or whose change breaks what is computed from it.

    Args:
        definition: the one to be stored, ingested or computed.
        definitions: the newest version of each feature that stands.

    Raises:
        Rejected: the computation is wrong, with the place.
        Conflict: a computed feature that reads this one would be wrong afterwards.
    """
    then = {**definitions, definition.name: definition}
    if definition.source == "computed":
        check_computation(definition, then)
    for name, item in definitions.items():
        if name == definition.name or item.source != "computed" or definition.name not in closure([name], definitions):
            continue
        try:
            check_computation(item, then)
        except Rejected as error:
            reason = f"{definition.name!r} cannot be changed so, because {name!r} is computed from it: {error}"
            raise Conflict(reason) from error


def check_computation(definition: Definition, definitions: Mapping[str, Definition]) -> None:
    """Refuse a computed feature that is wrong among these definitions (itself included). Raises Rejected."""
    text = definition.computation or ""
    tree = parse(text)
    inputs = direct(definition)
    if not inputs:
        raise Rejected("the computation reads no feature", field=FIELD, mend="name at least one")
    if len(inputs) > MAX_INPUTS:
        reason = f"the computation reads {len(inputs)} features; {MAX_INPUTS} is the most"
        raise Rejected(reason, field=FIELD, mend="split it into several computed features")
    in_order(definitions[name] for name in closure([definition.name], definitions))
    kind = Typing(text, definition, definitions).of(tree)
    if kind != definition.type:
        given = "always null" if kind == "null" else f"a {kind}"
        mend = "compute something" if kind == "null" else f"declare it as type: {kind}"
        reason = f"the computation is {given}, and the feature is declared as a {definition.type}"
        raise Rejected(reason, field="type", mend=mend)
