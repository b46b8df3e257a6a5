"""`colony features training`, and looking after the store, on the command line."""

import json
from pathlib import Path

import pytest

from tests.worker.cli.conftest import Here
from worker.adapters.features.local import SEGMENTS

LINES = [
    "id,at,score,name",
    "a,2002-01-01T00:00:00Z,1.5,x",
    "b,2002-01-02T00:00:00Z,2.5,y",
    "b,2002-01-05T00:00:00Z,3.5,z",
]


@pytest.fixture
def filled(here: Here, tmp_path: Path) -> Here:
    """A colony with six values, in segments, and a spine beside them."""
    (tmp_path / "values.csv").write_text("\n".join(LINES))
    columns = ["--entity", "thing", "--entity-id", "id", "--event-time", "at", "--known-at", "at"]
    assert here("features", "import", str(tmp_path / "values.csv"), *columns, "--define")[0] == 0
    assert here("features", "compact")[1] == "compacted: 2 segments\n"
    spine = [{"entity_id": one, "event_time": "2002-01-04T00:00:00Z"} for one in ("b", "a", "nobody")]
    (tmp_path / "spine.jsonl").write_text("\n".join(map(json.dumps, spine)))
    return here


def train(here: Here, tmp_path: Path) -> tuple[str, list[object]]:
    """Read the spine; return the snapshot and the scores."""
    out = tmp_path / "out.jsonl"
    options = ["--spine", str(tmp_path / "spine.jsonl"), "--features", "score,name", "--out", str(out)]
    code, output, _ = here("features", "training", *options)
    assert code == 0
    return output.split()[-1], [json.loads(line)["score"] for line in out.read_text().splitlines()]


def test_a_training_table_and_the_same_again(filled: Here, tmp_path: Path) -> None:
    """The spine's rows are answered in order, and the printed id writes the same file."""
    snapshot, scores = train(filled, tmp_path)
    assert scores == [2.5, 1.5, None]
    again = tmp_path / "again.jsonl"
    assert filled("features", "training", "--snapshot", snapshot, "--out", str(again))[0] == 0
    assert again.read_bytes() == (tmp_path / "out.jsonl").read_bytes()
    assert filled("features", "training", "--out", str(again))[0] == 2


def test_stats_and_verify_of_a_whole_and_a_damaged_store(filled: Here, tmp_path: Path) -> None:
    """Verify ends with 1 and names feature, file and rows when a byte was changed."""
    (name, score) = (json.loads(line) for line in filled("features", "stats", "--json")[1].splitlines())
    assert (name["featureName"], score["values"], score["entities"], score["inLog"]) == ("name", 3, 2, 0)
    assert filled("features", "verify") == (0, "all is well: 6 values\n", "")
    (path,) = (path for path in tmp_path.rglob("1-*.seg") if path.parent.name == SEGMENTS)
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    code, output, _ = filled("features", "verify", "--json")
    (loss,) = (json.loads(line) for line in output.splitlines())
    assert (code, loss["file"], loss["rows"]) == (1, path.name, 3)


def test_forgetting_leaves_nothing(filled: Here, tmp_path: Path) -> None:
    """It names the snapshots that went, and the spine's row has no value any more."""
    snapshot, _ = train(filled, tmp_path)
    code, output, _ = filled("features", "forget", "thing", "b", "--yes")
    assert (code, output) == (0, f"thing 'b': 4 values are gone, 1 snapshots with them\n{snapshot}\n")
    assert train(filled, tmp_path)[1] == [None, 1.5, None]
    code, _, errors = filled("features", "training", "--snapshot", snapshot, "--out", str(tmp_path / "x.csv"))
    assert code == 2
    assert "forgotten" in errors


def test_export_retain_and_backup(filled: Here, tmp_path: Path) -> None:
    """Files are named, the setting is told, and compaction lets old values go."""
    code, output, _ = filled("features", "export", "score", "--to", str(tmp_path / "to"), "--format", "csv")
    assert (code, output) == (0, f"{tmp_path / 'to' / 'score.csv'}: 3 values\n")
    assert filled("features", "backup", str(tmp_path / "copy"))[0] == 0
    assert (tmp_path / "copy" / SEGMENTS).is_dir()
    assert filled("features", "backup", str(tmp_path / "copy"))[0] != 0
    assert filled("features", "retain")[1] == "values are kept for ever\n"
    assert filled("features", "retain", "soon")[0] == 2
    assert filled("features", "retain", "30d")[1] == "values are kept for 30d\n"
    assert filled("features", "compact")[1] == "compacted: 2 segments; 2 values beyond the retention went\n"
    assert filled("features", "retain", "forever")[1] == "values are kept for ever\n"
