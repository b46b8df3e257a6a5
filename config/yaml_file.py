"""YAML with the line of each value, so that a fault can say where it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from worker.errors import Rejected

MAX_BYTES = 1_048_576


class YamlFile:
    """One file's content and where each part of it stands."""

    def __init__(self, path: Path) -> None:
        """Read and parse. Raises Rejected: not readable, too large, not YAML, not a mapping, a key twice."""
        self.path = path
        self._lines: dict[tuple[str | int, ...], int] = {}
        try:
            text = path.read_text(encoding="utf-8")
            if len(text) > MAX_BYTES:
                raise Rejected(f"larger than {MAX_BYTES:,} bytes", field=str(path), mend="split it")
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            self._walk(node, ())
            content = yaml.safe_load(text)
        except (OSError, UnicodeDecodeError) as error:
            raise Rejected(f"cannot be read: {error}", field=str(path), mend="check the file") from error
        except yaml.YAMLError as error:
            raise Rejected(f"not YAML: {error}", field=str(path), mend="correct the line named") from error
        if not isinstance(content, dict):
            raise Rejected("is not a mapping of names to values", field=str(path), mend="see the shipped examples")
        self.content: Mapping[str, Any] = content

    def at(self, path: tuple[str | int, ...]) -> str:
        """Return `file:line: a.b.c` of the deepest part of `path` that the file has."""
        known = path
        while known and known not in self._lines:
            known = known[:-1]
        return f"{self.path}:{self._lines.get(known, 1)}: {'.'.join(str(part) for part in path) or 'file'}"

    def _walk(self, node: yaml.Node | None, path: tuple[str | int, ...]) -> None:
        if node is None:
            return
        self._lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            self._walk_mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            for index, child in enumerate(node.value):
                self._walk(child, (*path, index))

    def _walk_mapping(self, node: yaml.MappingNode, path: tuple[str | int, ...]) -> None:
        seen: set[str] = set()
        for key, child in node.value:
            name = str(key.value)
            if name in seen:
                where = f"{self.path}:{key.start_mark.line + 1}"
                raise Rejected(f"{name!r} stands there twice", field=where, mend="keep one of them")
            seen.add(name)
            self._walk(child, (*path, name))
            self._lines[*path, name] = key.start_mark.line + 1
