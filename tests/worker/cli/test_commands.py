import json
from pathlib import Path

import pytest

from tests.worker import world
from tests.worker.cli.conftest import Colony, Here
from tests.worker.world import data, healthy, message
from worker.adapters.ledger.sql import SqlLedger
from worker.intake.receive import receive


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["trigger", "auto-retrain"], 2, "--bee"),
        (["trigger", "auto-retrain", "--bee", "nobody"], 2, "One of: "),
        (["trigger", "auto-magic", "--bee", "spam-guard"], 2, "One of: "),
        (["trigger", "auto-retrain", "--bee", "spam-guard", "--as-of", "2999-01-01"], 2, "future"),
        (["trigger", "auto-retrain", "--bee", "spam-guard", "--as-of", "soon"], 2, "--as-of"),
        (["replay", "no-such-file.jsonl"], 2, "no-such-file.jsonl"),
        (["replay", "x", "--policy", "y"], 2, "--policy"),
        (["runs", "show", "no-run"], 4, "`colony runs` lists them"),
        (["runs", "cancel", "no-run"], 4, "no-run"),
        (["incident", "no-incident"], 4, "`colony incidents` lists them"),
        (["incident", "close", "no-incident", "--reason", "x"], 4, "`colony incidents` lists them"),
        (["incident", "retry", "no-incident", "--reason", "x"], 4, "`colony incidents` lists them"),
        (["approvals", "approve", "no-approval"], 4, "`colony approvals` lists them"),
        (["pause", "no-bee", "--reason", "x"], 4, "there are: spam-guard"),
        (["pause", "--reason", " "], 2, "say why".capitalize()),
        (["resume"], 5, "the colony is not paused"),
        (["why", "nothing"], 4, "`colony decisions`"),
        (["policy", "show", "no-bee"], 4, "there are: spam-guard"),
        (["notices", "again", "x"], 4, "`colony notices --failed` lists them"),
        (["predict", "--bee", "nobody", "--features", "{}"], 4, "nobody"),
        (["predict", "--bee", "spam-guard", "--features", "{}"], 4, "no model in production"),
        (["predict", "--bee", "spam-guard", "--features", "{"], 2, "not JSON"),
        (["predict", "--bee", "spam-guard"], 2, "entity"),
        (["models", "promote", "--bee", "spam-guard", "--version", "9", "--reason", "x"], 4, "there are: none"),
        (["models", "rollback", "--bee", "spam-guard", "--reason", "x"], 4, "no model in production"),
        (["models", "adopt", "--bee", "spam-guard", "--version", "9", "--artifact", "x", "--trained-until",
          "2002-01-01", "--baseline", "f1=high"], 2, "metric=value"),
        (["features", "define", "--name", "x"], 2, "--entity"),
        (["features", "define", "--name", "x", "--entity", "e", "--type", "number", "--ttl", "long"], 2, "30d"),
        (["pubsub", "init"], 2, "GOOGLE_CLOUD_PROJECT"),
    ],
)  # fmt: skip
def test_exit_codes(here: Here, arguments: list[str], code: int, word: str) -> None:
    """Wrong input ends with 2, what is not there with 4, each with a sentence that helps."""
    found, _, errors = here(*arguments)

    assert found == code
    assert word in errors


def test_conflict(here: Here, ledger: SqlLedger) -> None:
    """What collides with what is there ends with 5."""
    run = world.ask_for_run(ledger)

    code, _, errors = here("trigger", "auto-retrain", "--bee", "spam-guard")
    assert (code, run.id in errors) == (5, True)
    assert here("models", "promote", "--bee", "spam-guard", "--version", "1", "--reason", "x")[0] == 5


@pytest.mark.parametrize(
    ("variables", "word"),
    [
        ({"GOOGLE_CLOUD_PROJECT": "p"}, "COLONY_LEDGER"),
        ({"COLONY_PORT": "many"}, "COLONY_PORT"),
        ({"COLONY_CONFIG": "/no/such/directory"}, "COLONY_CONFIG"),
        ({"COLONY_ENGINE": "abacus"}, "COLONY_ENGINE"),
        ({"COLONY_HOST": "0.0.0.0"}, "COLONY_HOST"),  # noqa: S104 - that it is refused is the point
    ],
)
def test_a_wrong_environment(here: Here, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], word: str) -> None:
    """A variable that is wrong ends with 2 and is named."""
    command = ["serve", "--port", "0"] if "COLONY_HOST" in variables else ["drain"]

    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    code, _, errors = here(*command)

    assert (code, word in errors) == (2, True), errors


@pytest.mark.parametrize(
    "command",
    [["runs"], ["decisions"], ["incident"], ["incidents"], ["policy", "show"], ["why", "e1"], ["why", "spam-guard"],
     ["events"], ["dead-letters"], ["models"], ["models", "list"],
     ["features", "list"], ["pipelines", "list"], ["doctor"]],
)  # fmt: skip
def test_json_is_one_object_per_line(here: Here, ledger: SqlLedger, command: list[str]) -> None:
    """What a script reads is one JSON object per line, and nothing else on that stream."""
    sent = [message("e1"), message("e2", b"{")]
    receive(sent, ledger, world.handlers(ledger), world.now_for)

    code, output, _ = here(*command, "--json")

    # A doctor who finds something to be mended ends with 2.
    assert code in ({0, 2} if command == ["doctor"] else {0})
    rows = [json.loads(line) for line in output.splitlines()]
    assert all(isinstance(row, dict) for row in rows)
    assert rows or command == ["features", "list"]


def test_tables_are_for_people(here: Here, ledger: SqlLedger) -> None:
    """Without --json a list is a table, and an empty one a sentence."""
    assert "spam-guard" in here("models")[1]
    assert here("dead-letters")[1] == "nothing was turned away\n"
    assert here("runs")[1] == "no runs yet\n"


def test_decisions_name_their_fields(here: Here, ledger: SqlLedger) -> None:
    """A decision has the fields that the documentation names."""
    receive([message("e1"), message("e1")], ledger, world.handlers(ledger), world.now_for)

    (row,) = [json.loads(line) for line in here("decisions", "--json")[1].splitlines()]

    assert {"eventId", "beeId", "modelVersion", "evaluatedAt", "action", "rules", "reason", "runId"} <= set(row)
    assert (row["eventId"], row["action"], row["deliveries"]) == ("e1", "trigger", 2)
    assert {"name", "inputs", "fired"} <= set(row["rules"][0])


def test_an_incidents_story(here: Here, ledger: SqlLedger) -> None:
    """An incident is told in order."""
    receive(
        [message("e1"), message("e2", data(evaluatedAt="2002-10-01T01:00:00Z"))],
        ledger,
        world.handlers(ledger),
        world.now_for,
    )
    (row,) = [json.loads(line) for line in here("incident", "--json")[1].splitlines()]

    told = here("incident", row["incidentId"])[1].splitlines()

    assert [entry["what"] for entry in row["story"]] == ["opened", "retraining", "attached"]
    assert [line.split()[2] for line in told if line.startswith("  2002")] == ["opened", "retraining", "attached"]
    assert told[-1].startswith("Next: The run of attempt 1 is in flight")


def test_a_run_by_hand(here: Here) -> None:
    """The same key is the same run; it can be shown and cancelled."""
    arguments = ["trigger", "auto-retrain", "--bee", "spam-guard", "--as-of", "2002-10-01", "--key", "k"]

    (_, first, _), (_, again, _) = here(*arguments), here(*arguments)

    assert first == again
    assert "2002-10-01" in here("runs", "show", first.strip())[1]
    assert "cancellation asked for" in here("runs", "cancel", first.strip())[1]


RECORDING = [
    {**data(), "type": "model.evaluated"},
    {**data(), "type": "model.evaluated"},
    {**healthy(evaluatedAt="2002-10-02T00:00:00Z"), "type": "model.evaluated"},
    {
        "type": "model.evaluated",
        "beeId": "spam-guard",
        "modelVersion": "1",
        "drift": {"detected": True, "severity": "high"},
    },
    {"type": "model.evaluated", "beeId": "spam-guard"},
]


@pytest.fixture(name="recording")
def _recording(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in RECORDING) + "{broken\n")
    return path


def test_a_dry_run_decides_and_changes_nothing(here: Here, ledger: SqlLedger, recording: Path, home: Path) -> None:
    """A dry run prints what would have been decided; ledger, files and recording stay as they are."""
    ledger.close()
    before = _content(home)

    code, output, errors = here("replay", str(recording), "--dry-run", "--json")

    assert code == 0
    rows = [json.loads(line) for line in output.splitlines()]
    assert [row["action"] for row in rows] == ["trigger", "duplicate", "none", "trigger"]
    assert rows[0]["eventId"].startswith("sha256:")
    assert rows[3]["evaluatedAt"] == "2002-10-02T00:00:00Z", "without a time of its own it happened at the newest seen"
    assert "6 messages: 2 dead letter, 1 duplicate, 1 none, 2 trigger" in errors
    assert _content(home) == before


def test_a_dry_run_on_nothing(here: Here, recording: Path, home: Path) -> None:
    """Without any data directory a dry run works, refuses unknown versions, and makes none."""
    code, output, _ = here("replay", str(recording), "--dry-run")

    assert (code, "refused" in output) == (0, True)
    assert not home.exists()


def test_a_dry_run_with_another_policy(here: Here, ledger: SqlLedger, recording: Path, tmp_path: Path) -> None:
    """What another policy would have decided can be asked."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("maxDrop: 0.6\n")

    code, output, _ = here("replay", str(recording), "--dry-run", "--policy", str(policy), "--json")

    assert (code, json.loads(output.splitlines()[0])["action"]) == (0, "none")


def test_replay_from_standard_input(colony: Colony, ledger: SqlLedger) -> None:
    """A recording may come through a pipe."""
    lines = json.dumps({**healthy(), "type": "model.evaluated"}) + "\n"

    done = colony("replay", "-", "--json", stdin=lines)

    assert [json.loads(line)["action"] for line in done.stdout.splitlines()] == ["none"]
    assert json.loads(colony("decisions", "--json").stdout)["action"] == "none"


def test_replay_keeps_what_it_turned_away(here: Here, ledger: SqlLedger, tmp_path: Path) -> None:
    """A broken line is told, kept with its reason, and the replay goes on; the same file again is all duplicates."""
    file = tmp_path / "events.jsonl"
    file.write_text("{broken\n" + json.dumps({**healthy(), "type": "model.evaluated"}) + "\n", encoding="utf-8")

    for action in ("none", "duplicate"):
        code, output, _ = here("replay", str(file))
        assert code == 0
        assert "dead letter" in output
        assert action in output

    (letter,) = [json.loads(line) for line in here("dead-letters", "--json")[1].splitlines()]
    assert "not JSON" in letter["reason"]
    assert (letter["body"], letter["deliveries"]) == ("{broken", 2)


def test_a_broken_configuration_turns_no_message_away(colony: Colony, ledger: SqlLedger, tmp_path: Path) -> None:
    """A fault in a bee's file stops the replay before it takes a message."""
    overlay = tmp_path / "overlay" / "bees"
    overlay.mkdir(parents=True)
    (overlay / "spam-guard.yaml").write_text("bee: spam-guard\n")
    lines = json.dumps({**data(), "type": "model.evaluated"}) + "\n"

    done = colony("replay", "-", code=2, stdin=lines, COLONY_CONFIG=str(tmp_path / "overlay"))

    assert "spam-guard.yaml:1: metric: is missing; add it" in done.stderr
    assert colony("dead-letters").stdout == "nothing was turned away\n"


def test_drain_without_events(here: Here) -> None:
    """A drain with nothing to do ends at once, and well."""
    code, _, errors = here("drain")

    assert (code, "nothing is left" in errors) == (0, True)


def _content(home: Path) -> dict[str, str]:
    """Return every row of the ledger and every other file."""
    import sqlite3

    found = {
        str(path.relative_to(home)): path.read_bytes().hex()
        for path in sorted(home.rglob("*"))
        if path.is_file() and not path.name.startswith("ledger.db")
    }
    with sqlite3.connect(home / "ledger.db") as connection:
        found["ledger"] = "\n".join(connection.iterdump())
    return found


def test_plain_message_ids_of_a_recording(colony: Colony, ledger: SqlLedger) -> None:
    """Two lines without id and time are two events, and the same file again is the same two."""
    body = {"type": "model.evaluated", "beeId": "spam-guard", "modelVersion": "1", "drift": {"detected": False}}
    lines = json.dumps(body) + "\n" + json.dumps(body) + "\n"

    first = [json.loads(line) for line in colony("replay", "-", "--json", stdin=lines).stdout.splitlines()]

    assert [row["action"] for row in first] == ["none", "none"]
    assert first[0]["eventId"] != first[1]["eventId"]
