"""`replay --dry-run` on the command line: tables, differences, sweeps, reports and pictures; nothing is ever done."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.worker import world
from tests.worker.cli.conftest import Colony, Here
from tests.worker.whatif.play import told
from tests.worker.world import data, message, now_for
from worker.adapters.ledger.sql import SqlLedger
from worker.intake.receive import receive


@pytest.fixture(name="recording")
def _recording(tmp_path: Path) -> Path:
    """Two bees over ten days: one falls on the fifth, the other a little on the third; a repeat and a broken line."""
    rows = [told(day, 0.5 if day >= 5 else 0.9) for day in range(10)]
    rows += [told(day, 0.75 if day >= 3 else 0.9, bee="bee") for day in range(10)]
    rows.sort(key=lambda row: str(row["evaluatedAt"]))
    lines = [json.dumps({"type": "model.evaluated", **row}) for row in rows]
    path = tmp_path / "recording.jsonl"
    path.write_text("\n".join([*lines, lines[0], "{broken"]) + "\n")
    return path


@pytest.fixture(name="policies")
def _policies(tmp_path: Path) -> tuple[str, str]:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("maxDrop: 0.2\n")
    new.write_text("maxDrop: 0.1\nretry: {limit: 1}\n")
    return str(old), str(new)


def test_a_table_per_bee_and_in_sum(here: Here, recording: Path, home: Path) -> None:
    """Without any ledger a foreign recording is told: what is assumed, each bee, the sum, and the bad periods."""
    code, output, _ = here("replay", str(recording), "--dry-run", "--trust-versions", "--assume-cost", "2")

    lines = [line.split() for line in output.splitlines()]
    assert code == 0
    assert "each run ends refused" in output
    assert lines[0][:2] == ["22", "messages:"]
    (ant,) = [line for line in lines if line[:2] == ["ant", "11"]]
    # Attempts on the fifth, sixth and eighth day: each cost 2, then a person is asked.
    assert ant[2:9] == ["3", "3", "0", "2", "1", "1", "6.00"]
    assert [line[:4] for line in lines if line[:2] == ["bee", "10"]] == [["bee", "10", "0", "0"]]
    assert any(line[:2] == ["sum", "21"] for line in lines)
    assert not home.exists()


def test_two_policies_and_their_difference(here: Here, recording: Path, policies: tuple[str, str]) -> None:
    """Which evaluations are decided differently is told with both words, on the terminal and in JSON."""
    old, new = policies
    asked = ["replay", str(recording), "--dry-run", "--trust-versions", "--policy", new, "--against", old]

    _, output, _ = here(*asked)
    _, lines, _ = here(*asked, "--json")
    _, report, _ = here(*asked, "--report", "-")

    assert "old.yaml  new.yaml" in output
    decided = [json.loads(line) for line in lines.splitlines()]
    changed = [one for one in decided if "against" in one and one["against"]["action"] != one["action"]]
    found = json.loads(report)["difference"]
    assert found["total"] == len(changed) > 0
    first = found["evaluations"][0]
    assert (first["beeId"], first["evaluatedAt"][:10], first["action"]) == ("bee", "2002-08-04", "trigger")
    assert first["against"]["action"] == "none"
    assert found["sums"]["incidents"] == 1


def test_decisions_have_their_published_form(here: Here, recording: Path) -> None:
    """`--json` prints each decision as `colony decisions` does, repeats with what was said the first time."""
    _, lines, errors = here("replay", str(recording), "--dry-run", "--trust-versions", "--json")

    decided = [json.loads(line) for line in lines.splitlines()]
    keys = {"eventId", "source", "beeId", "modelVersion", "evaluatedAt", "decidedAt", "action", "rules", "reason"}
    assert all(set(one) == keys | {"runId", "incidentId", "policyVersion"} for one in decided)
    assert decided[-1]["action"] == "duplicate"
    assert decided[-1]["rules"] == decided[0]["rules"]
    assert '"dead letter"' in errors


@pytest.mark.parametrize(
    ("sweeps", "rows"),
    [
        (["drop=0.1:0.4:0.1"], [["0.1", "6"], ["0.2", "3"], ["0.3", "3"], ["0.4", "3"]]),
        (["drop=0.1,0.6"], [["0.1", "6"], ["0.6", "0"]]),
        (["windows=1:2:1", "retry.limit=1"], [["1", "1", "1"], ["2", "1", "1"]]),
    ],
)
def test_a_sweep_compares_thresholds_at_once(
    here: Here, recording: Path, sweeps: list[str], rows: list[list[str]]
) -> None:
    """Each combination of the swept values has its row, with the runs that it would have begun."""
    options = [word for sweep in sweeps for word in ("--sweep", sweep)]

    _, output, _ = here("replay", str(recording), "--dry-run", "--trust-versions", *options, "--report", "-")
    found = [(one["policy"], one["sum"]["runs"]) for one in json.loads(output)["policies"]]

    assert [[*[pair.split("=")[1] for pair in name.split(", ")], str(runs)] for name, runs in found] == rows


def test_the_same_input_gives_the_same_bytes(here: Here, recording: Path, tmp_path: Path) -> None:
    """Everything that is printed or written is the same twice, the pictures too."""
    found = []
    for number in range(2):
        place = tmp_path / str(number)
        files = [
            "--report",
            str(place / "out.html"),
            "--report",
            str(place / "out.json"),
            "--plot",
            str(place / "plots"),
        ]
        told_ = here("replay", str(recording), "--dry-run", "--trust-versions", "--json", *files)
        written = {path.relative_to(place): path.read_bytes() for path in sorted(place.rglob("*.*"))}
        found.append((told_, written))

    assert found[0] == found[1]
    assert {str(name) for name in found[0][1]} == {"out.html", "out.json", "plots/ant.svg", "plots/bee.svg"}
    assert b"<svg" in found[0][1][Path("out.html")]


def test_the_ledgers_own_history(here: Here, ledger: SqlLedger) -> None:
    """Without a file the evaluations that the ledger has judged are judged again, in the span that is asked for."""
    days = [data(evaluatedAt=f"2002-09-{day:02}T00:00:00Z", metrics={"f1": 0.75}) for day in range(10, 20)]
    messages = [message(f"e{number}", day) for number, day in enumerate(days)]
    receive(messages, ledger, world.handlers(ledger), now_for)
    ledger.close()
    asked = ["replay", "--dry-run", "--from", "2002-09-12", "--to", "2002-09-15", "--json"]

    decided = [json.loads(line) for line in here(*asked)[1].splitlines()]
    swept = here(*asked[:-1], "--sweep", "drop=0.1,0.2", "--report", "-")[1]

    assert [one["evaluatedAt"][:10] for one in decided] == ["2002-09-12", "2002-09-13", "2002-09-14"]
    assert [one["sum"]["actions"]["trigger"] > 0 for one in json.loads(swept)["policies"]] == [True, False]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["x", "--sweep", "drop=1"], "--dry-run"),
        (["x", "--assume", "failed"], "--dry-run"),
        (["--dry-run"], "--from"),
        (["--from", "2002-01-01"], "--dry-run"),
        (["R", "--dry-run", "--from", "2002-01-01"], "leave FILE out"),
        (["R", "--dry-run", "--sweep", "drop"], "from:to:step"),
        (["R", "--dry-run", "--sweep", "drop=a:b:c"], "not a number"),
        (["R", "--dry-run", "--sweep", "drop=0.4:0.1:0.1"], "upwards"),
        (["R", "--dry-run", "--sweep", "drop=0.1:0.4:0.0001"], "wider steps"),
        (["R", "--dry-run", "--sweep", "drop=0.1:0.4:0.1", "--sweep", "maxDrop=0.1"], "swept twice"),
        (["R", "--dry-run", "--sweep", "magic=1"], "magic"),
        (["R", "--dry-run", "--sweep", "drop=2"], "maxDrop"),
        (["R", "--dry-run", "--sweep", "drop=0.1", "--against", "P"], "ask for one of them"),
        (["R", "--dry-run", "--report", "/dev/null/x.json"], "cannot be written"),
    ],
)
def test_what_does_not_go_is_told(
    here: Here, recording: Path, policies: tuple[str, str], arguments: list[str], word: str
) -> None:
    """Wrong or contradicting options end with 2 and a sentence that says what to write."""
    names: dict[str, Any] = {"R": str(recording), "P": policies[0]}

    code, _, errors = here("replay", *[names.get(word_, word_) for word_ in arguments])

    assert (code, word in " ".join(errors.split())) == (2, True), errors


def test_a_pipe_is_a_recording(colony: Colony, recording: Path) -> None:
    """What comes through standard input is told like a file."""
    done = colony("replay", "-", "--dry-run", "--trust-versions", stdin=recording.read_text())

    assert done.stdout.startswith("22 messages: ")


def test_a_replay_that_acts_stops_wherever_something_is_due(
    here: Here, ledger: SqlLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --wait a question expires on its own day, long before the next event, as it does in a dry run."""
    (tmp_path / "policy.yaml").write_text("approval: {runs: always, expires: 1d}\n")
    monkeypatch.setenv("COLONY_CONFIG", str(tmp_path))
    ledger.close()
    path = tmp_path / "events.jsonl"
    rows = [data(evaluatedAt=f"2002-09-{day}T00:00:00Z") for day in (10, 20)]
    path.write_text("".join(json.dumps({"type": "model.evaluated", **row}) + "\n" for row in rows))

    acted = [json.loads(line) for line in here("replay", str(path), "--wait", "--json")[1].splitlines()]
    dry = [json.loads(line) for line in here("replay", str(path), "--dry-run", "--json")[1].splitlines()]
    _, story, _ = here("incident", str(acted[0]["incidentId"]))

    assert acted == dry
    assert [one["action"] for one in acted] == ["held", "attached"]
    assert "2002-09-11" in story
