import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.worker.cli.conftest import Colony
from worker.cli.root import COMMANDS, root

HEAVY = (
    "sklearn",
    "kfp",
    "google.protobuf",
    "google.api_core",
    "grpc",
    "sqlalchemy",
    "alembic",
    "fastapi",
    "pyarrow",
    "numpy",
    "skops",
    "uvicorn",
)
GROUPS = {
    "runs": ["show", "cancel"],
    "models": ["list", "promote", "rollback", "adopt"],
    "features": ["list", "define", "import", "get"],
    "pipelines": ["list", "compile"],
    "pubsub": ["init"],
}


def test_help_imports_nothing_heavy() -> None:
    """`colony --help` starts without any of the large libraries."""
    program = (
        "import sys, json\n"
        "from worker.cli.root import run\n"
        "sys.argv = ['colony', '--help']\n"
        "code = run()\n"
        "loaded = sorted(sys.modules)\n"
        "print(json.dumps([code, loaded]), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True
    )

    code, loaded = json.loads(done.stderr.splitlines()[-1])
    assert code == 0
    assert set(HEAVY) & set(loaded) == set()
    assert all(name in done.stdout for name in COMMANDS)
    assert "Exit codes:" in done.stdout


@pytest.mark.parametrize("command", [*[[name] for name in COMMANDS], *[[g, c] for g, cs in GROUPS.items() for c in cs]])
@pytest.mark.parametrize("word", ["--help", "-h"])
def test_every_command_has_help(command: list[str], word: str) -> None:
    """Each command says what it does in a sentence, and each of its options too."""
    done = CliRunner().invoke(root, [*command, word])

    assert done.exit_code == 0, done.output
    usage, *rest = done.output.strip().split("\n\n")
    assert usage.startswith("Usage:")
    assert rest[0].strip().split()[0][0].isupper()


def test_the_tables_line_is_the_commands_own(colony: Colony) -> None:
    """An unknown command is wrong input, and says so."""
    done = colony("explode", code=2)

    assert "No such command 'explode'" in done.stderr


def test_version(colony: Colony) -> None:
    """The program tells its version."""
    assert colony("--version").stdout.startswith("colony, version ")
