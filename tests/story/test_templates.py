"""The shipped templates besides auto-retrain, each run end to end from the command line."""

import json
from pathlib import Path

import pyarrow.parquet as pq

from tests.story.conftest import Colony


def test_batch_score(colony: Colony) -> None:
    """`batch-score` scores each entity of the window once with the champion, and makes no version."""
    words = ("--bee", "spam-guard", "--as-of", "2002-10-01", "-p", "window=7d", "--wait")

    told = colony.run("trigger", "batch-score", *words)

    run = colony.rows("runs")[-1]
    scores = pq.read_table(run["artifacts"][0]["uri"])
    rows = scores.num_rows
    assert "COMPLETED" in told
    assert (run["verdict"], run["status"], run["error"]) == ("completed", "succeeded", None)
    assert run["outcome"]["reason"] == f"{rows} entities scored with version 1"
    assert scores.column_names == ["entity_id", "event_time", "prediction", "score"]
    assert rows > 100
    assert len(set(scores["entity_id"].to_pylist())) == rows
    assert set(scores["prediction"].to_pylist()) == {0.0, 1.0}
    assert all(0 <= score <= 1 for score in scores["score"].to_pylist())
    assert [model["version"] for model in colony.rows("models")] == ["1"]


def test_batch_score_needs_a_champion(colony: Colony, tmp_path: Path) -> None:
    """A bee without a model in production is told how to get one, and the run fails."""
    bees = tmp_path / "config" / "bees"
    bees.mkdir(parents=True)
    text = (Path(__file__).parents[2] / "config/bees/spam-guard.yaml").read_text(encoding="utf-8")
    (bees / "new-guard.yaml").write_text(text.replace("bee: spam-guard", "bee: new-guard"), encoding="utf-8")
    colony.environment["COLONY_CONFIG"] = str(tmp_path / "config")

    told = colony.run("trigger", "batch-score", "--bee", "new-guard", "--wait", code=6)

    assert "new-guard has no model in production" in told


def test_backfill_features(colony: Colony, tmp_path: Path) -> None:
    """`backfill-features` imports a file's columns, says which rows it refused, and does nothing the second time."""
    colony.environment["COLONY_IMPORT_DIRS"] = str(tmp_path)
    file = tmp_path / "karma.csv"
    file.write_text(
        "user_id,at,known,karma\n"
        "u1,2002-09-01T00:00:00Z,2002-09-01T01:00:00Z,7\n"
        "u1,2002-09-02T00:00:00Z,2002-09-02T01:00:00Z,8\n"
        "u2,yesterday,2002-09-01T01:00:00Z,9\n",
        encoding="utf-8",
    )
    words = [f"file={file}", "entity=user", "entityId=user_id", "eventTime=at", "knownAt=known", "define=true"]
    command = ["trigger", "backfill-features", "--bee", "spam-guard", "--wait"]
    command += [part for word in words for part in ("-p", word)]

    colony.run(*command)
    first = colony.rows("runs")[-1]
    colony.run(*command)
    second = colony.rows("runs")[-1]

    assert (first["verdict"], second["verdict"]) == ("completed", "completed")
    assert first["outcome"]["metrics"] == {"values": 2, "new": 2, "rejectedRows": 1}
    assert second["outcome"]["metrics"] == {"values": 2, "new": 0, "rejectedRows": 1}
    rejects = {item["name"]: item["uri"] for item in first["artifacts"]}["rejects"]
    assert json.loads(Path(rejects).read_text(encoding="utf-8"))["line"] == 4
    (read,) = colony.rows("features", "get", "u1", "karma")
    assert (read["value"], read["timestamp"]) == (8.0, "2002-09-02T00:00:00Z")


def test_backfill_reads_only_what_it_may(colony: Colony, tmp_path: Path) -> None:
    """A file outside the directories for imports is refused when the run is asked for, with the mend."""
    words = [f"file={tmp_path}/karma.csv", "entity=user", "entityId=user_id", "eventTime=at"]

    given = [part for word in words for part in ("-p", word)]
    told = colony.refusal("trigger", "backfill-features", "--bee", "spam-guard", *given)

    assert "parameters.file" in told
    assert "COLONY_IMPORT_DIRS" in told


def test_wrong_parameters(colony: Colony) -> None:
    """A parameter that is missing, unknown or of another type is refused before anything is stored."""
    for words in (("file=/x",), ("file=/x", "entityId=a", "eventTime=b", "define=maybe"), ("fiel=/x",)):
        given = [part for word in words for part in ("-p", word)]
        colony.run("trigger", "backfill-features", "--bee", "spam-guard", *given, code=2)

    colony.run("trigger", "batch-score", "--bee", "spam-guard", "-p", "window=soon", code=2)
    assert len(colony.rows("runs")) == 1, "the first champion's"
