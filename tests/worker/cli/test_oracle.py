"""Adversarial recordings: every trigger is the one that the mission's rule asks for, told by a second reading of it."""

import base64
import json
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.worker.cli.conftest import Here
from tests.worker.cli.oracle import Bee, Oracle
from tests.worker.world import new_ledger, version
from worker.clock import wall_clock
from worker.models.port import Deployment

EVENTS = 1500
START = datetime(2005, 3, 1, tzinfo=UTC)
#: Everything beyond is future; given to the dry run, and long past by the real clock.
WALL = datetime(2006, 1, 1, tzinfo=UTC)
DEPLOYED = ("1", "2")
BEES = {
    "ant": Bee("f1", 50, 20, {"1": "0.9", "2": "0.85", "3": "0.9"}, DEPLOYED),
    "bee-2": Bee("log_loss", 0, 0, {"1": "0.4", "2": None, "3": "0.4"}, DEPLOYED),
    "cow": Bee("rmse", 10, 0, {"1": "3.5", "2": "3.5", "3": "3"}, DEPLOYED),
}
FOREIGN = {name: Bee(bee.metric) for name, bee in BEES.items()} | {"nobody": Bee("f1"), "x" * 63: Bee("roc_auc")}
#: Spelled as a sender may: what is exactly a fifth must not trigger, however it is written.
VALUES = {
    "f1": ["0.72", "0.7200", "0.7199999999999999", "0.68", "0.6799999", "0.9", "1", "0", "7.2e-1", "0.1", "null"],
    "roc_auc": ["0.72", "0.7199999999999999999999", "0.9", "0.5", "null"],
    "log_loss": ["0.48", "0.4800000000000000001", "0.48000", "0.2", "1.7e1", "4.8E-1", "0.6", "null"],
    "rmse": ["4.2", "4.20", "4.2000000000000000000000001", "42e-1", "3", "9", "1e3", "-4", "null"],
}
BASELINES = {
    "f1": ["0.9", "0.90", "0.85", "9e-1", "0", "null", None, None],
    "roc_auc": ["0.9", None],
    "log_loss": ["0.4", "0.40", "0", "null", None, None],
    "rmse": ["3.5", "35e-1", "-5", "0.0", None, None],
}
BROKEN = [
    b"{broken", b"[1, 2]", b"\xff\xfe", b'"text"', b'{"type": "model.evaluated"}', b'{"type": "unheard.of", "id": "u"}',
    b'{"type":"model.evaluated","id":"n","beeId":"ant","modelVersion":"1","metrics":{"f1":NaN}}',
    b'{"type":"model.evaluated","id":"i","beeId":"ant","modelVersion":"1","metrics":{"f1":1e999}}',
    b'{"type":"model.evaluated","id":"t","beeId":"ant","modelVersion":"1","metrics":{"f1":"0.1"}}',
    b'{"type":"model.evaluated","id":"b","beeId":"ant","modelVersion":"1","metrics":{"f1":true}}',
    b'{"type":"model.evaluated","id":"u","beeId":"Ant!","modelVersion":"1","metrics":{"f1":0.1}}',
    b'{"type":"model.evaluated","id":"z","beeId":"ant","modelVersion":"1","metrics":{"f1":0.1},"evaluatedAt":"soon"}',
    b'{"type":"model.evaluated","id":"l","beeId":"ant","modelVersion":"1","evaluatedAt":"2005-03-01T00:00:00","drift":{}}',
    b'{"type":"model.evaluated","id":"v","beeId":"ant","metrics":{"f1":0.1}}',
    b'{"specversion":"0.3","type":"model.evaluated","id":"s","source":"//m","data":{}}',
    b'{"message":{"data":"%%%","messageId":"p"},"subscription":"s"}',
]  # fmt: skip


def _recording(seed: int, names: list[str]) -> list[bytes]:
    """Return lines in every form that is read: mostly in order, some late, repeated, broken, of the future."""
    chance = random.Random(seed)
    found: list[bytes] = []
    for number in range(EVENTS):
        draw = chance.random()
        if draw < 0.06 and found:
            found.append(chance.choice(found))
        elif draw < 0.12:
            found.append(chance.choice(BROKEN))
        else:
            late = chance.choice([0] * 12 + [1, 30, 400])
            at = START + timedelta(hours=number // 4 - late)
            if chance.random() < 0.04:
                # Another version takes over later: nothing that is refused may put it there before.
                at = datetime(2031, 1, 1, tzinfo=UTC)
            found.append(_line(chance, f"e{number}", at, _data(chance, names, at, number)))
    return found


def _data(chance: random.Random, names: list[str], at: datetime, number: int) -> str:
    name = chance.choice(names)
    metric = FOREIGN[name].metric if name in FOREIGN else "f1"
    parts = [f'"beeId":"{name}"', f'"modelVersion":"{_version(chance, at, number)}"']
    parts.append(f'"evaluatedAt":"{_zoned(chance, at)}"')
    value, base = chance.choice(VALUES[metric]), chance.choice(BASELINES[metric])
    told = chance.random()
    if told < 0.9:
        parts.append(f'"metrics":{{"magic":1,"{metric}":{value}}}')
        parts += [f'"baseline":{{"{metric}":{base},"other":0.5}}'] if base else []
    if told > 0.7:
        severity = chance.choice(["none", "low", "medium", "high", "high", "critical", "HIGH"])
        parts.append(f'"drift":{{"detected":{chance.choice(["true", "true", "false"])},"severity":"{severity}"}}')
    if chance.random() < 0.8:
        samples, positives = chance.choice([9, 10, 49, 50, 400]), chance.choice(["null", 0, 19, 20, 90])
        parts.append(f'"window":{{"id":"w{number}","sampleCount":{samples},"positiveCount":{positives}}}')
    if chance.random() < 0.1:
        parts.append('"unknownField":{"kept":[1,2.50,null]}')
    chance.shuffle(parts)
    return "{" + ",".join(parts) + "}"


def _version(chance: random.Random, at: datetime, number: int) -> str:
    if at > WALL:
        return chance.choice(["1", "2", "3", "77"])
    return chance.choice(["1" if number < EVENTS / 2 else "2"] * 14 + ["1", "3", "9"])


def _zoned(chance: random.Random, at: datetime) -> str:
    """Spell a time in one of the ways that RFC 3339 has."""
    if chance.random() < 0.2:
        return (at + timedelta(hours=2)).replace(tzinfo=None).isoformat() + "+02:00"
    return at.isoformat().replace("+00:00", "Z")


def _line(chance: random.Random, id_: str, at: datetime, data: str) -> bytes:
    form = chance.choice(
        ["structured", "structured", "pushed binary", "pushed structured", "plain", "nested", "pulled"]
    )
    head = f'"specversion":"1.0","id":"{id_}","source":"//monitor","type":"model.evaluated"'
    if form == "plain":
        # Without an id of its own: the same content is the same evaluation.
        return f'{{"type":"model.evaluated",{data[1:]}'.encode()
    if form == "nested":
        return f'{{"type":"model.evaluated","eventId":"{id_}","data":{data}}}'.encode()
    structured = f'{{{head},"data":{data}}}'
    if form == "structured":
        return structured.encode()
    binary = {"ce-specversion": "1.0", "ce-id": id_, "ce-source": "//monitor", "ce-type": "model.evaluated"}
    body, attributes = (
        (data, binary)
        if form != "pushed structured"
        else (structured, {"content-type": "application/cloudevents+json"})
    )
    message = {
        "data": base64.b64encode(body.encode()).decode(),
        "attributes": attributes,
        "messageId": f"bus-{id_}",
        "publishTime": at.isoformat(),
    }
    outer = {"ackId": "a", "message": message} if form == "pulled" else {"message": message, "subscription": "s"}
    return json.dumps(outer).encode()


@pytest.fixture(name="said")
def _said(here: Here, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that replays lines and gives what is said of each of them, dead letters among them."""

    def said(lines: list[bytes], *options: str) -> list[dict[str, Any]]:
        path = tmp_path / "recording.jsonl"
        path.write_bytes(b"\n".join(lines) + b"\n")
        code, output, _ = here("replay", str(path), "--json", *options)
        assert code == 0
        return [json.loads(line) for line in output.splitlines()]

    return said


def _check(expected: list[str], found: list[dict[str, Any]], first: str) -> None:
    """Compare word by word: the first bad one of an episode does what `first` says, later ones join it or try again."""
    wanted = [word for word in expected if word != "dead letter"]
    assert len(wanted) == len(found)
    for place, (word, one) in enumerate(zip(wanted, found, strict=True)):
        fired = any(rule["outcome"] == "fired" for rule in one["rules"])
        if word in {"first", "bad"}:
            assert fired, (place, word, one)
            allowed = {first} if word == "first" else {"attached", "trigger", "held"}
        else:
            assert not fired or word == "duplicate", (place, word, one)
            allowed = {word}
        assert one["action"] in allowed, (place, word, one)
    assert {"first", "bad", "none", "stale", "refused", "duplicate"} <= set(wanted)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_foreign_recording(said: Callable[..., list[dict[str, Any]]], seed: int) -> None:
    """With `--trust-versions`, whatever form and order the events come in."""
    lines = _recording(seed, [*FOREIGN])

    found = said(lines, "--dry-run", "--trust-versions", "--now", "2006-01-01")

    _check(Oracle(FOREIGN, WALL, trusting=True).say(lines), found, "trigger")


def _configured(tmp_path: Path, policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configure the three bees, with two versions of each that were in production one after the other."""
    config, home = tmp_path / "config", tmp_path / "home"
    (config / "bees").mkdir(parents=True)
    home.mkdir()
    (config / "policy.yaml").write_text(policy)
    monkeypatch.setenv("COLONY_CONFIG", str(config))
    ledger = new_ledger(home)
    for name, bee in BEES.items():
        task = "regression" if bee.metric == "rmse" else "binary"
        evidence = f"evidence: {{minSamples: {bee.samples}, minPositives: {bee.positives}}}"
        spec = f"bee: {name}\ntask: {task}\nentity: content\nlabel: label\nfeatures: [spam_probability]\n"
        (config / "bees" / f"{name}.yaml").write_text(f"{spec}metric: {bee.metric}\n{evidence}\n")
        _deployed(ledger, name, bee)
    ledger.close()


def _deployed(ledger: Any, name: str, bee: Bee) -> None:
    with ledger.begin() as transaction:
        for number, value in bee.versions.items():
            metrics: Mapping[str, float] = {} if value is None else {bee.metric: float(value)}
            transaction.models.add(version(number, name, metrics=metrics))
        for epoch, number in enumerate(bee.deployed, 1):
            transaction.models.deploy(Deployment(name, epoch, number, None, START, "set up", None))


def test_known_bees_and_versions_without_acting(
    said: Callable[..., list[dict[str, Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dry run follows the ledger's versions as the recording names them, and falls back on what they recorded."""
    _configured(tmp_path, "maxDrop: 0.2\n", monkeypatch)
    lines = _recording(4, [*BEES, "nobody"])

    found = said(lines, "--dry-run", "--now", "2006-01-01")

    _check(Oracle(BEES, WALL).say(lines), found, "trigger")


def test_known_bees_and_versions_for_real(
    said: Callable[..., list[dict[str, Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replay that acts says the same: here a person is to approve each run, so that none is executed."""
    _configured(tmp_path, "approval: {runs: always, expires: 400d}\n", monkeypatch)
    lines = _recording(5, [*BEES, "nobody"])

    found = said(lines)

    _check(Oracle(BEES, wall_clock(), live=True).say(lines), found, "held")
