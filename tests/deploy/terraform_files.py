"""Reads deploy/terraform without Terraform: resources, variables and locals as plain values."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "terraform"
#: Arguments that every resource takes.
META = {"count", "for_each", "depends_on", "lifecycle", "provider"}
_NOTES = ("__is_block__", "__comments__")


@dataclass(frozen=True)
class Resource:
    """One resource block."""

    type: str
    name: str
    body: dict[str, Any]

    @property
    def arguments(self) -> set[str]:
        """Every argument and block that it names, by its path: `template.containers.image`."""
        return set(_paths(self.body)) - META


@cache
def parsed() -> dict[str, list[Any]]:
    """Return what each kind of block holds, over all files, quotes and notes of the parser taken off."""
    found: dict[str, list[Any]] = {}
    for path in sorted(FOLDER.glob("*.tf")):
        with path.open(encoding="utf-8") as file:
            for kind, blocks in _plain(hcl2.load(file)).items():
                found.setdefault(kind, []).extend(blocks)
    return found


def resources() -> list[Resource]:
    """Return every resource."""
    return [
        Resource(type_, name, body)
        for block in parsed()["resource"]
        for type_, named in block.items()
        for name, body in named.items()
    ]


def variables() -> dict[str, dict[str, Any]]:
    """Return variable name -> its body."""
    return {name: body for block in parsed()["variable"] for name, body in block.items()}


def local(name: str) -> Any:
    """Return the expression of a local value."""
    return next(block[name] for block in parsed()["locals"] if name in block)


def text() -> str:
    """Return all files in one."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.tf")))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        # A block and an object with the same keys differ: only a block's keys are arguments of the provider.
        kept = {key.strip('"'): _plain(item) for key, item in value.items() if key not in _NOTES}
        return _Block(kept) if value.get("__is_block__") else kept
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.removeprefix('"').removesuffix('"') if isinstance(value, str) else value


class _Block(dict[str, Any]):
    """What stood in braces without an equals sign."""


def _paths(body: dict[str, Any], above: str = "") -> Iterator[str]:
    for name, value in body.items():
        if name == "dynamic":
            for block in value:
                for inner, made in block.items():
                    yield f"{above}{inner}"
                    for content in made["content"]:
                        yield from _paths(content, f"{above}{inner}.")
            continue
        yield f"{above}{name}"
        for item in value if isinstance(value, list) else ():
            if isinstance(item, _Block):
                yield from _paths(item, f"{above}{name}.")
