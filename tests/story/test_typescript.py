"""The TypeScript example: its calls one by one from here, and the very file where there is a Node.js."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.story.conftest import Colony

EXAMPLE = Path(__file__).parents[2] / "deploy" / "examples" / "features.ts"
NAME, ENTITIES = "reading_ease", ["c/1017", "c/1018"]
#: Node.js from this version on takes the types away itself.
STRIPS = (22, 6)


@pytest.fixture(name="url", scope="module")
def _url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a colony whose feature store has nothing in it yet."""
    process = Colony(tmp_path_factory.mktemp("typescript")).start("serve", "--port", "0")
    assert process.stderr is not None
    line = next(line for line in process.stderr if line.startswith("colony: http://"))
    yield line.split()[1].removesuffix("/api/mlops")
    process.terminate()
    process.communicate(timeout=60)


def test_step_by_step(url: str) -> None:
    """Define, store, read one, read many, read as of a time: each answers as the example's comments say."""
    with httpx.Client(base_url=f"{url}/api/mlops/features/") as client:

        def call(method: str, path: str, body: Any = None) -> Any:
            answer = client.request(method, path, json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

        defined = call(
            "POST", "define",
            {"name": NAME, "entity": "content", "type": "number", "source": "ingested", "ttl": "90d",
             "description": "How easily the content reads, 0 to 100."},
        )  # fmt: skip
        assert (defined["name"], defined["version"]) == (NAME, 1)
        old = ["2025-01-05T00:00:00Z", "2025-01-09T00:00:00Z"]
        values = [
            {"entityId": "c/1017", "featureName": NAME, "value": value, "timestamp": time, "knownAt": time}
            for value, time in zip([61.5, 64.0], old, strict=True)
        ]
        values.append({"entityId": "c/1018", "featureName": NAME, "value": 40.0})
        assert call("POST", "store", {"values": values})["stored"] == 3

        assert call("GET", f"c%2F1017/{NAME}")["status"] == "EXPIRED"
        found = call("POST", "batch", {"entityId": "c/1018", "featureNames": [NAME]})
        assert found["entities"][0]["features"][NAME]["value"] == 40.0
        asked = {"entityIds": ENTITIES, "featureNames": [NAME], "snapshotTime": "2025-01-06T00:00:00Z"}
        assert [row["features"][NAME] for row in call("POST", "training", asked)["rows"]] == [61.5, None]


def test_by_node(url: str, tmp_path: Path) -> None:
    """The example as it stands in the README runs, and prints what its comments say."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node.js; the same calls are made one by one above")
    version = tuple(map(int, re.findall(r"\d+", _run(node, "--version"))[:2]))
    if version < (18,):
        pytest.skip("this Node.js has no fetch; the same calls are made one by one above")
    file = tmp_path / ("features.mts" if version >= STRIPS else "features.mjs")
    text = EXAMPLE.read_text(encoding="utf-8")
    file.write_text(text if version >= STRIPS else _without_types(text), encoding="utf-8")
    flags = ["--experimental-strip-types"] if version >= STRIPS else []

    assert _run(node, *flags, str(file), url=url).split() == ['"EXPIRED"', "40", "[61.5,null]"]


def _without_types(text: str) -> str:
    """Return the example as JavaScript: what it says of types stands behind a name or a bracket."""
    types = r"(?:Promise<any>|object\[\]|string\[\]|object|string|unknown|any)"
    return re.sub(rf"(\w|\))\??: {types}(?=[,)\s])(?! =>.*\?)", r"\1", text)


def _run(node: str, *arguments: str, url: str = "") -> str:
    done = subprocess.run(
        [node, *arguments], env={"COLONY_URL": url}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
