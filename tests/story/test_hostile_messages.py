"""Messages that nobody should send: each gets a clear verdict, none is lost, the worker lives."""

import json

import pytest

from tests.story.conftest import Colony, evaluation

GOOD = evaluation("good", "2002-08-08T00:00:00Z", 0.93)


def _plain(**changes: object) -> str:
    event = {"type": "model.evaluated", "eventId": "hostile", **GOOD["data"], **changes}
    return json.dumps({key: value for key, value in event.items() if value is not ...})


HOSTILE = {
    "broken JSON": ('{"type": "model.evaluated", ', "not JSON"),
    "NaN": ('{"type": "model.evaluated", "eventId": "1", "metrics": {"f1": NaN}}', "not JSON"),
    "overflow": ('{"type": "model.evaluated", "eventId": "1", "metrics": {"f1": 1e999}}', "too large"),
    "ten megabytes": (_plain(padding="x" * 10_000_000), "more than the limit"),
    "deep": ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", "nested deeper"),
    "a list": ("[1, 2]", "an object is needed"),
    "bee of another type": (_plain(beeId=17), "data.beeId"),
    "unknown bee": (_plain(beeId="no-such-bee"), "config/bees/no-such-bee.yaml"),
    "bee that climbs": (_plain(beeId="../../etc/passwd"), "data.beeId"),
    "metric as text": (_plain(metrics={"f1": "0.9"}), "data.metrics.f1"),
    "time without zone": (_plain(evaluatedAt="2002-08-08T00:00:00"), "data.evaluatedAt"),
    "control characters": (_plain(eventId="a\u0000b"), "control characters"),
    "version of another type": (_plain(modelVersion=["1"]), "data.modelVersion"),
    "neither metrics nor drift": (_plain(metrics=...), "neither `drift` nor `metrics`"),
    "another type": (_plain(type="colony.dance"), "nothing here handles"),
}


@pytest.fixture(scope="module")
def letters(bootstrapped: object, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Send every hostile message between two good ones in one replay, and return the dead letters by name."""
    import shutil

    home = tmp_path_factory.mktemp("hostile") / "home"
    shutil.copytree(str(bootstrapped), home)
    colony = Colony(home)
    after = json.dumps(evaluation("after", "2002-08-15T00:00:00Z", 0.93))
    lines = [json.dumps(GOOD), *(line for line, _ in HOSTILE.values()), after]
    (home / "hostile.jsonl").write_text("\n".join(lines), encoding="utf-8")
    colony.run("replay", str(home / "hostile.jsonl"))
    assert [row["eventId"] for row in colony.rows("decisions")] == ["good", "after"]
    found = colony.rows("dead-letters")
    assert len(found) == len(HOSTILE)
    return {
        name: next(row for row in found if row["size"] == len(line.encode()) and row["body"] == line[:4096])
        for name, (line, _) in HOSTILE.items()
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_message_is_kept_with_its_reason(name: str, letters: dict[str, dict[str, str]]) -> None:
    """The message is in the dead letters, whole, with a reason that names what is wrong."""
    assert HOSTILE[name][1] in letters[name]["reason"]


def test_an_unknown_version_is_refused_and_acknowledged(colony: Colony) -> None:
    """A version that does not exist is a recorded refusal, not a dead letter: it may exist tomorrow."""
    line = json.dumps(evaluation("v9", "2002-08-08T00:00:00Z", 0.1, modelVersion="ünïcode-9"))

    said = json.loads(colony.run("replay", "-", "--json", stdin=line + "\n"))

    assert said["action"] == "refused"
    assert "ünïcode-9" in said["reason"]
    assert colony.rows("dead-letters") == []


def test_unicode_in_ids_is_kept_as_it_is(colony: Colony) -> None:
    """An event id of any printable unicode is decided once, under that very id."""
    line = json.dumps(evaluation("Ереван-🐝-١", "2002-08-08T00:00:00Z", 0.93))

    colony.run("replay", "-", stdin=f"{line}\n{line}\n")

    assert [(row["eventId"], row["deliveries"]) for row in colony.rows("decisions")] == [("Ереван-🐝-١", 2)]
