import json
from pathlib import Path

import pytest

from tests.worker import world
from tests.worker.cli.conftest import Here
from tests.worker.world import data, message
from worker.adapters.ledger.sql import SqlLedger
from worker.intake.port import Failure
from worker.intake.receive import dead_letter, receive


def _turned_away(ledger: SqlLedger) -> str:
    """Turn an evaluation of a bee that nobody has configured away; return its id."""
    sent = message("later", data(beeId="newcomer"))
    receive([sent], ledger, world.handlers(ledger), world.now_for)
    return dead_letter(sent, "", world.NOW).id


def _rows(here: Here) -> list[dict[str, object]]:
    return [json.loads(line) for line in here("dead-letters", "list", "--json")[1].splitlines()]


def test_put_back_once_the_cause_is_mended(
    here: Here, ledger: SqlLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message put back too early is turned away again; once its bee is there it is decided, as the record says."""
    id_ = _turned_away(ledger)
    code, out, _ = here("dead-letters", "requeue", id_[:10])
    assert (code, "config/bees/newcomer.yaml" in out) == (2, True)
    assert _rows(here)[0]["deliveries"] == 2

    (tmp_path / "layer" / "bees").mkdir(parents=True)
    spec = "bee: newcomer\nentity: content\nlabel: label\nfeatures: [spam_probability]\nmetric: f1\n"
    (tmp_path / "layer" / "bees" / "newcomer.yaml").write_text(spec, encoding="utf-8")
    monkeypatch.setenv("COLONY_CONFIG", str(tmp_path / "layer"))
    code, out, _ = here("dead-letters", "requeue", "--all")

    assert (code, "version 1 of newcomer is not registered" in out) == (0, True)
    (row,) = _rows(here)
    assert (row["requeuedAs"], row["requeuedAt"] is not None) == ("accepted", True)
    assert here("dead-letters", "requeue", "--all")[1] == "0 of 0 messages were accepted\n"
    with ledger.begin(write=False) as transaction:
        assert transaction.inbox.deliveries("//monitor", "later") == 1


def test_show_tells_the_history(here: Here, ledger: SqlLedger) -> None:
    """One dead letter is shown whole, with each attempt at it."""
    sent = message("bad")
    failures = [Failure(world.NOW, f"ValueError: boom {number}") for number in range(2)]
    with ledger.begin() as transaction:
        for failure in failures:
            history = transaction.inbox.failed("key", failure)
        letter = dead_letter(sent, "failed 2 times", world.NOW)
        transaction.inbox.add_dead_letter(type(letter)(**{**vars(letter), "history": history}))

    out = here("dead-letters", "show", letter.id[:8])[1]
    (shown,) = [json.loads(line) for line in here("dead-letters", "show", letter.id, "--json")[1].splitlines()]

    assert all(words in out for words in ("failed 2 times", "boom 0", "boom 1", "ce-source", "//monitor", '"f1": 0.45'))
    assert [one["reason"] for one in shown["history"]] == [failure.reason for failure in failures]
    assert shown["body"] == sent.body.decode()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["show", "nothing"], 4, "`colony dead-letters list`"),
        (["requeue"], 2, "--all"),
        (["requeue", "x", "--all"], 2, "--all"),
        (["requeue", "nothing"], 4, "there is no dead letter nothing"),
    ],
)
def test_exit_codes(here: Here, words: list[str], code: int, said: str) -> None:
    """What is not there ends with 4, what is not said clearly with 2."""
    found, _, errors = here("dead-letters", *words)

    assert (found, said in errors) == (code, True)
