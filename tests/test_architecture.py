"""The folders' dependencies, as pyproject.toml declares them, and the names that this application owns."""

import subprocess
import sys
from pathlib import Path

import pytest

from worker.app import check_packages

ROOT = Path(__file__).parents[1]


def test_dependencies_point_one_way() -> None:
    """Every contract of import-linter holds, none of them with a list of exceptions."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout
    assert "ignore_imports" not in (ROOT / "pyproject.toml").read_text()


def test_the_packages_have_one_owner() -> None:
    """`worker`, `handlers` and `config` are installed by this distribution alone."""
    check_packages()


@pytest.mark.parametrize("name", ["worker", "handlers", "config"])
def test_every_module_says_what_it_is(name: str) -> None:
    """Each module opens with a sentence."""
    import ast

    silent = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / name).rglob("*.py"))
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]

    assert silent == []
