"""Frozen values made at once: a frozen dataclass sets its fields one by one, which is most of a small one's making."""

from typing import Any, TypeVar

Kind = TypeVar("Kind")
_new, _set = object.__new__, object.__setattr__


def made(kind: type[Kind], fields: dict[str, Any]) -> Kind:
    """Return an instance of a frozen dataclass (without slots) with these fields; the mapping is its own from then on.

    Fields left out have their defaults if these are plain values; one with a default factory must be given.
    """
    found = _new(kind)
    _set(found, "__dict__", fields)
    return found
