import ast
import fnmatch
import re
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tests.emulators import absent

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
#: Needed to compile templates, which is done before the image is built.
NOT_IN_THE_IMAGE = {"kfp"}


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions with their arguments, continued lines joined."""
    lines = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"))).splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


def ignored(name: str) -> bool:
    """Tell whether the builder never sees a path, by Docker's rule that the last line that fits decides."""
    found = False
    for line in DOCKERFILE.with_name("Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip().removeprefix("!").removeprefix("**/")
        above = [str(parent) for parent in [Path(name), *Path(name).parents]]
        if line.strip() and not line.startswith("#") and any(fnmatch.fnmatch(each, pattern) for each in above):
            found = not line.startswith("!")
    return found


def tool(name: str) -> str:
    """Return the path of a linter that pip installed beside this Python."""
    path = Path(sysconfig.get_path("scripts")) / name
    if not path.exists():
        absent(f"{name} is not installed beside {sys.executable}")
    return str(path)


def test_hadolint_finds_nothing() -> None:
    """The linter of Dockerfiles has nothing to say."""
    done = subprocess.run([tool("hadolint"), DOCKERFILE], capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout) == (0, "")


def test_the_base_is_pinned_by_a_digest_that_the_builder_gives() -> None:
    """Both stages stand on the same image by its digest, for which there is no default."""
    found = instructions()

    assert ("ARG", "PYTHON_DIGEST") in found
    bases = [rest.split(" ")[0] for word, rest in found if word == "FROM"]
    assert bases == ["${PYTHON_IMAGE}@${PYTHON_DIGEST}"] * 2


def test_the_container_is_nobody_in_particular() -> None:
    """It runs as a numbered user without rights; what it starts is told by its command, and it has no entry point."""
    found = instructions()
    last = [word for word, _ in found][-4:]

    assert dict(found)["USER"] == "10001:10001"
    assert last == ["USER", "WORKDIR", "HEALTHCHECK", "CMD"]
    assert "ENTRYPOINT" not in dict(found)
    assert not any("PASSWORD" in rest or "COLONY_LEDGER" in rest for _, rest in found)


def test_everything_that_is_copied_is_there_and_reaches_the_builder() -> None:
    """Each source exists and is not ignored, the compiled specs among them; data and history never reach it."""
    copied = [
        source
        for word, rest in instructions()
        if word == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    ]

    assert len(copied) == 8
    for source in [*copied, "config/pipelines/compiled/auto-retrain.json", "worker/steps/__main__.py"]:
        assert (ROOT / source).exists(), source
        assert not ignored(source), source
    for source in (".git", ".venv/bin/python", "tests/conftest.py", "deploy/demo/messages.csv.gz", ".colony/ledger.db"):
        assert ignored(source), source


def test_only_what_is_hashed_is_installed() -> None:
    """Each install takes a hashed lock, or has no way to the index."""
    for _, rest in (each for each in instructions() if each[0] == "RUN"):
        for command in rest.split("&&"):
            if " install " in command:
                assert "--require-hashes" in command or "--no-index" in command, command
    for name in ("requirements-image.lock", "requirements-build.lock"):
        lines = (ROOT / "deploy" / name).read_text(encoding="utf-8").splitlines()
        pinned = [number for number, line in enumerate(lines) if "==" in line]
        assert all(lines[number + 1].strip().startswith("--hash=sha256:") for number in pinned)


def imports() -> Iterator[tuple[str, Path]]:
    """Yield every module that our packages import, and where."""
    for package in ("worker", "handlers", "config"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    yield from ((alias.name, path) for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield node.module, path


def test_the_lock_names_all_that_is_imported() -> None:
    """Each module that is not Python's or ours is a file of a distribution in the image's lock."""
    lock = (ROOT / "deploy" / "requirements-image.lock").read_text(encoding="utf-8")
    names = {re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"(?m)^([A-Za-z0-9_.-]+)==", lock)}
    locked = [each for each in distributions() if re.sub(r"[-_.]+", "-", each.name).lower() in names]
    files = {str(file.with_suffix("")) for each in locked for file in each.files or ()}
    folders = {str(parent) for file in files for parent in Path(file).parents}

    def there(module: str) -> bool:
        place = module.replace(".", "/")
        return place in files or place in folders or any(file.startswith(f"{place}.") for file in files)

    ours = {*sys.stdlib_module_names, "worker", "handlers", "config", *NOT_IN_THE_IMAGE}
    foreign = {(name, path) for name, path in imports() if name.partition(".")[0] not in ours}
    missing = {f"{name} ({path.relative_to(ROOT)})" for name, path in foreign if not there(name)}
    assert missing == set()
    assert len({name.partition(".")[0] for name, _ in foreign}) > 15


def test_every_file_beside_the_code_is_packed() -> None:
    """What the packages hold beside Python is package data, or the image would miss it; only texts are left out."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "package-data"
    ]
    packed = {path for package, names in patterns.items() for name in names for path in (ROOT / package).glob(name)}
    unpacked = {
        str(path.relative_to(ROOT))
        for package in ("worker", "handlers", "config")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc", ".md", ".example", ".tmp"} and path not in packed
    }

    assert unpacked == set()
    assert ROOT / "config/pipelines/compiled/auto-retrain.json" in packed


@pytest.mark.parametrize("script", sorted((ROOT / "deploy").glob("*.sh")), ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    """The linter of shell scripts has nothing to say, and the script can be run."""
    done = subprocess.run([tool("shellcheck"), script], capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout) == (0, "")
    assert script.stat().st_mode & 0o111
