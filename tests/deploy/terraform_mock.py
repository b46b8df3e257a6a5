"""Makes of our Terraform files one that needs no provider, so that Terraform itself checks the expressions."""

import re
from pathlib import Path

_BLOCK = re.compile(r"(?m)^(?=[a-z]+ .*\{$|locals \{$)")
_RESOURCE = re.compile(r'resource "(\w+)" "(\w+)"')
_REFERENCE = re.compile(r'google_[a-z0-9_]+\.[a-z_]+(\["[a-z-]+"\]|\[var\.[a-z_]+\])?(\.[a-z_]+)?')
_FOR_EACH = re.compile(r"(?ms)^  for_each\s*= (.*?)\n(\n|  [a-z])")


def without_providers(folder: Path) -> str:
    """Return variables and locals as they are, and each `for_each` as a local; what resources tell is made up."""
    blocks = [block for path in sorted(folder.glob("*.tf")) for block in _BLOCK.split(path.read_text(encoding="utf-8"))]
    kept = [block for block in blocks if block.startswith("variable")]
    kept += [_made_up(block) for block in blocks if block.startswith("locals")]
    kept += [_repeated(block) for block in blocks if _RESOURCE.match(block)]
    return "\n".join(kept)


def _made_up(block: str) -> str:
    block = block.replace("data.google_project.this.number", '"1"')
    return _REFERENCE.sub(lambda found: '"made-up-' + re.sub(r"\W", "-", found[0]) + '"', block)


def _repeated(block: str) -> str:
    resource, each = _RESOURCE.match(block), _FOR_EACH.search(block)
    if not (resource and each):
        return ""
    expression = re.sub(r"in google_\w+\.\w+", 'in { a = { name = "n" } }', each[1])
    return f"locals {{\n  each_{resource[1]}_{resource[2]} = {_made_up(expression)}\n}}\n"
