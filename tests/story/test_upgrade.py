"""A rolling upgrade: workers of the next release beside ours on one PostgreSQL ledger, there and back again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.story import together

ROOT = Path(__file__).parents[2]
EVENTS, BEES = 1200, 20
#: Expand only: what an older worker does not know, it need not fill in.
MIGRATION = '''"""What the next release needs."""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade() -> None:
    op.add_column("runs", sa.Column("of_the_future", sa.Text()))
    op.add_column("bee_state", sa.Column("of_the_future", sa.Text(), server_default="yes"))
    op.create_table("of_the_future", sa.Column("id", sa.Integer(), primary_key=True))
    op.create_index("ix_decisions_future", "decisions", ["policy_version"])
'''


@pytest.fixture(name="next_release", scope="module")
def _next_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of our packages that has one migration more."""
    from worker.adapters.ledger.migrate import HEAD

    root = tmp_path_factory.mktemp("next")
    for package in ("worker", "handlers", "config"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    ledger = root / "worker/adapters/ledger"
    (ledger / "migrations/versions/9999_next.py").write_text(MIGRATION.format(head=HEAD))
    migrate = ledger / "migrate.py"
    migrate.write_text(migrate.read_text().replace(f'HEAD = "{HEAD}"', 'HEAD = "9999"'))
    return root


class _Fleet:
    """Workers of both releases."""

    def __init__(self, url: str, directory: Path) -> None:
        self._url, self._directory = url, directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, release: Path) -> None:
        """Start a worker of a release; its own packages come first on its path."""
        command = [sys.executable, "-m", "tests.story.together", self._url, str(self._directory), name]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(release), str(ROOT)))}
        with (self._directory / f"said-{name}").open("ab") as said:
            self._running[name] = subprocess.Popen(command, env=environment, cwd=release, stdout=said, stderr=said)

    def kill(self, name: str) -> None:
        """Kill one, as an instance that is replaced and does not listen."""
        self._running[name].send_signal(signal.SIGKILL)
        self._running[name].wait()

    def acknowledged(self, name: str) -> int:
        """Return how many deliveries a worker has acknowledged."""
        path = self._directory / f"acks-{name}"
        return len(path.read_text().split()) if path.exists() else 0

    def await_more(self, name: str, than: int) -> None:
        """Wait until a worker has acknowledged more."""
        until = time.monotonic() + 120
        while self.acknowledged(name) <= than:
            assert time.monotonic() < until, (self._directory / f"said-{name}").read_text()[-3000:]
            time.sleep(0.02)

    def ended(self) -> dict[str, int]:
        """Wait for all, and return their exit codes."""
        return {name: process.wait(timeout=240) for name, process in self._running.items()}

    def close(self) -> None:
        """Leave nobody behind."""
        for process in self._running.values():
            process.kill()
            process.wait()


@pytest.fixture(name="fleet")
def _fleet(postgres_url: str, tmp_path: Path) -> Iterator[_Fleet]:
    together.prepare(postgres_url, BEES)
    (tmp_path / "plan.json").write_text(json.dumps({"ordered": False, "bees": BEES}))
    (tmp_path / "events.json").write_text(json.dumps(together.events(EVENTS, BEES, seed=5)))
    fleet = _Fleet(postgres_url, tmp_path)
    yield fleet
    fleet.close()


def test_old_and_new_workers_side_by_side(fleet: _Fleet, next_release: Path, postgres_url: str, tmp_path: Path) -> None:
    """The next release migrates under the old one's feet, both go on, one is rolled back: each event is decided once.

    And what was concluded is what one worker concludes that is fed in the same order.
    """
    hold = tmp_path / "hold"
    hold.touch()
    for name in "01":
        fleet.start(name, ROOT)
        fleet.await_more(name, than=0)
    for name in "23":
        fleet.start(name, next_release)
        fleet.await_more(name, than=0)
    by_the_old = fleet.acknowledged("0")
    hold.unlink()
    fleet.await_more("0", than=by_the_old)
    fleet.kill("1")
    fleet.start("1", next_release)
    fleet.kill("3")
    fleet.start("3", ROOT)

    assert set(fleet.ended().values()) == {0}
    ledger = together.opened(postgres_url)
    with ledger.begin(write=False) as transaction:
        decided = [entry.event_id for entry in transaction.decisions.list()]
        actions = [(entry.event_id, entry.action) for entry in transaction.decisions.list()]
        revision = transaction._connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        runs = [run.id for run in transaction.runs.list()]
    ledger.close()
    assert sorted(decided) == sorted(f"e-{number}" for number in range(EVENTS))
    assert revision == "9999"
    assert runs
    assert (sorted(runs), actions) == _of_one_worker(decided, f"sqlite:///{tmp_path}/one.db")


def _of_one_worker(order: list[str], url: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the runs and actions of one worker that takes the events in this order."""
    by_id = {event["id"]: event for event in together.events(EVENTS, BEES, seed=5)}
    together.prepare(url, BEES)
    ledger = together.opened(url)
    for start in range(0, len(order), 250):
        together.take(ledger, [by_id[id_] for id_ in order[start : start + 250]], BEES)
    with ledger.begin(write=False) as transaction:
        runs = sorted(run.id for run in transaction.runs.list())
        actions = [(entry.event_id, entry.action) for entry in transaction.decisions.list()]
    ledger.close()
    return runs, actions
