"""Steps where buckets are mounted: gs:// in, gs:// out, and a step that is killed half-way can be run again."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.google_storage import storage_server
from worker.adapters.engine.outcomes import OutcomeFiles
from worker.adapters.features.local import LocalFeatureStore
from worker.features.port import Definition, Write
from worker.steps.files import local_path, uri_of

ROOT = Path(__file__).parents[3]
START = datetime(2024, 1, 1, tzinfo=UTC)
RUN = "gs://bucket/runs/r"
#: Ends the process for good within what it writes into the nth file that it opens under the mount, as a machine does
#: that is taken away.
KILLED = """
import os, resource, signal, sys
left, mount = int(sys.argv.pop(1)), os.environ["COLONY_BUCKETS"]
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

def count(event, arguments):
    global left
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR) and str(arguments[0]).startswith(mount):
        left -= 1
        if not left:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))

sys.addaudithook(count)
from worker.steps.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(name="home", scope="module")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a data directory with 300 labelled rows."""
    home = tmp_path_factory.mktemp("home")
    store = LocalFeatureStore(home / "features", clock=lambda: datetime.now(UTC))
    for name in ("amount", "fraud"):
        store.define(Definition(name, "order", "number"))
    moments = [START + timedelta(hours=index) for index in range(300)]
    store.write(
        Write(f"o{index}", name, value, moment, moment)
        for index, moment in enumerate(moments)
        for name, value in (("amount", float(index % 7)), ("fraud", float(index % 7 > 3)))
    )
    store.close()
    return home


def told(run: str = RUN) -> str:
    """Return what Vertex AI tells a step that collects rows."""
    bee = {"bee": "b", "entity": "order", "label": "fraud", "features": ["amount"], "metric": "f1"}
    frozen = {"id": "r", "template": "t", "bee": bee, "parameters": {}, "asOf": "2024-01-14T00:00:00Z", "seed": 3.0}
    values = {"config": {"window": "20d"}, "run": {**frozen, "champion": None, "outputDir": run}}
    rows = {"name": "rows", "uri": f"{run}/r/collect/rows", "type": {"schemaTitle": "system.Dataset"}, "metadata": {}}
    place = f"/gcs/{run.removeprefix('gs://')}/r/collect"
    outputs = {"artifacts": {"rows": {"artifacts": [rows]}}, "outputFile": f"{place}/executor_output.json"}
    return json.dumps({"inputs": {"parameterValues": values, "artifacts": {}}, "outputs": outputs})


def collect(home: Path, mount: Path, *, killed_at: int | None = None) -> int:
    """Run the step in a process of its own, and return how it ended."""
    environment = os.environ | {"COLONY_HOME": str(home), "COLONY_BUCKETS": str(mount), "PYTHONPATH": str(ROOT)}
    words = ["data_collection", "--executor-input", told(), "--step", "collect"]
    program = ["-m", "worker.steps"] if killed_at is None else ["-c", KILLED, str(killed_at)]
    return subprocess.run([sys.executable, *program, *words], env=environment, check=False).returncode


def written(mount: Path) -> dict[str, bytes]:
    """Return what a step left under its run's directory, without what it cost and what a kill left half-written."""
    files = {str(path.relative_to(mount)): path for path in sorted(mount.rglob("[!.]*")) if path.is_file()}
    found = {name: path.read_bytes() for name, path in files.items() if "/cost/" not in name}
    outcome: dict[str, Any] = json.loads(found["bucket/runs/r/outcome.json"])
    found["bucket/runs/r/outcome.json"] = json.dumps(outcome | {"cost": None}).encode()
    return found


@pytest.fixture(name="undisturbed", scope="module")
def _undisturbed(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the mount of buckets in which the step ended well at once."""
    mount = tmp_path_factory.mktemp("gcs")
    assert collect(home, mount) == 0
    return mount


def test_a_step_reads_and_writes_buckets(undisturbed: Path) -> None:
    """What a step is told by gs:// is found and left where buckets are mounted, and named by gs:// again."""
    output = json.loads((undisturbed / "bucket/runs/r/r/collect/executor_output.json").read_bytes())
    (rows,) = output["artifacts"]["rows"]["artifacts"]
    assert rows["uri"] == f"{RUN}/r/collect/rows"
    assert (undisturbed / "bucket/runs/r/r/collect/rows").exists()
    outcome = json.loads((undisturbed / "bucket/runs/r/outcome.json").read_bytes())
    assert all(artifact["uri"].startswith("gs://bucket/") for artifact in outcome["artifacts"])
    assert outcome["artifacts"]


def test_the_worker_reads_what_a_step_left(undisturbed: Path) -> None:
    """Off Vertex AI the outcome comes from Cloud Storage itself, and is what the step wrote through its mount."""
    content = (undisturbed / "bucket/runs/r/outcome.json").read_bytes()
    with storage_server("bucket") as server:
        server.put(f"{RUN}/outcome.json", content)

        assert OutcomeFiles("p", server.url).read(RUN) == json.loads(content)


def test_a_step_that_is_killed_and_run_again(home: Path, undisturbed: Path, tmp_path: Path) -> None:
    """Killed within one write after the other, no JSON is half there, and run again the step ends as if never."""
    left = []
    for killed_at in (1, 2, 3, 5):
        assert collect(home, tmp_path, killed_at=killed_at) == -signal.SIGXFSZ
        whole = [path for path in tmp_path.rglob("[!.]*.json") if json.loads(path.read_bytes())]
        left.append(len(whole))
    assert left == sorted(left)
    assert left[0] < left[-1]

    assert collect(home, tmp_path) == 0

    assert written(tmp_path) == written(undisturbed)


def test_where_buckets_are_mounted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Both forms of a bucket's path are found under the mount that the environment names, and named by gs:// again."""
    monkeypatch.setenv("COLONY_BUCKETS", str(tmp_path))

    for text in ("gs://bucket/a b", "/gcs/bucket/a b"):
        assert local_path(text) == tmp_path / "bucket" / "a b"
    assert uri_of(tmp_path / "bucket" / "a b") == "gs://bucket/a b"
    assert local_path("/elsewhere/gcs/x") == Path("/elsewhere/gcs/x")
