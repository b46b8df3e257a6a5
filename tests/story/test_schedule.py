"""A template that starts itself: two days without a worker, then two at once, are one run."""

import sqlite3
from pathlib import Path

from tests.story.conftest import Colony

NIGHTLY = """
name: nightly-scores
extends: batch-score
trigger: schedule
schedule: {cron: "30 2 * * *", zone: Europe/Berlin, parameters: {beeId: spam-guard, window: 36500d}}
"""


def test_a_schedule(colony: Colony, tmp_path: Path) -> None:
    """Workers that come back after two days run the newest missed occurrence, once between them."""
    own = tmp_path / "own" / "pipelines"
    own.mkdir(parents=True)
    (own / "nightly-scores.yaml").write_text(NIGHTLY, encoding="utf-8")
    colony.environment["COLONY_CONFIG"] = str(own.parent)
    colony.run("pipelines", "compile", "nightly-scores")
    colony.run("drain")
    assert len(colony.rows("runs")) == 1, "the first champion's: a new schedule makes up for nothing"
    with sqlite3.connect(colony.home / "ledger.db") as database:
        database.execute("UPDATE schedules SET due = due - 2 * 86400 * 1000000")

    drains = [colony.start("drain") for _ in range(2)]
    ends = [(*drain.communicate(timeout=120), drain.returncode) for drain in drains]

    assert [code for *_, code in ends] == [0, 0], ends
    first, run = colony.rows("runs")
    assert (first["trigger"], run["trigger"], run["pipeline"]) == ("manual", "schedule", "nightly-scores")
    assert (run["verdict"], run["error"]) == ("completed", None)
    assert run["asOf"].endswith(":30:00Z")
    assert "(30 2 * * *, Europe/Berlin)" in run["reason"]
    assert run["outcome"]["metrics"]["rows"] > 1000
