import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.worker.intake.echo import Echo
from tests.worker.world import NOW, data, handlers, memory_ledger, message, now_for, plain, put_into_production
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import Conflict, Rejected, TryLater
from worker.intake.port import Message
from worker.intake.receive import Verdict, readable, receive

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["spam-guard", "1", "high"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("beeId", "modelVersion", "evaluatedAt", "window", "metrics", "baseline", "drift", "type", "id", "data")
NUMBERS = st.builds(lambda digits, exponent: Decimal(digits).scaleb(exponent), st.integers(), st.integers(-330, 280))
BODIES = st.dictionaries(st.sampled_from([*FIELDS, "specversion", "source", "time", "data_base64"]), JSON)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["ce-id", "ce-type", "ce-source", "ce-specversion", "ce-time", "type", "content-type", "x"]),
    st.text(max_size=20) | st.sampled_from(["1.0", "model.evaluated", "application/cloudevents+json"]),
)


def _outbox(ledger: SqlLedger) -> int:
    with ledger.begin(write=False) as transaction:
        return len(transaction.outbox.list())


def _dead(ledger: SqlLedger) -> list[Any]:
    with ledger.begin(write=False) as transaction:
        return list(transaction.inbox.dead_letters())


def test_once_per_source_and_id(ledger: SqlLedger) -> None:
    """The key is (source, id): the same id of another source is another event, the delivery's id does not matter."""
    echo = Echo()
    sent = [message("a"), message("a"), message("a", source="//other"), message("b")]

    received = [receive([one], ledger, {"model.evaluated": echo}, now_for)[0] for one in sent]

    assert [item.reason for item in received] == ["", "duplicate", "", ""]
    assert {item.verdict for item in received} == {Verdict.ACK}
    assert echo.applied == ["a", "a", "b"]
    with ledger.begin(write=False) as transaction:
        assert transaction.inbox.deliveries("//monitor", "a") == 2


def test_once_within_a_batch(ledger: SqlLedger) -> None:
    """The same event fifty times in one batch is handled once."""
    echo = Echo()

    received = receive([message("a")] * 50, ledger, {"model.evaluated": echo}, now_for)

    assert echo.applied == ["a"]
    assert [item.result["action"] for item in received if item.result].count("duplicate") == 49


def test_a_batch_of_500_with_poison_among_them(ledger: SqlLedger) -> None:
    """Each message of a batch has its own verdict; what is good is committed, whatever else came along."""
    errors = {f"e{number}": ValueError("boom") for number in range(0, 450, 50)}
    echo = Echo(errors, {"e7": KeyError("inside parse")})
    sent = [message(f"e{number}") for number in range(450)]
    sent += [plain(b"{" * 50, f"bad{number}") for number in range(50)]

    received = receive(sent, ledger, {"model.evaluated": echo}, now_for)

    verdicts = [item.verdict for item in received]
    assert [item.message for item in received] == sent
    assert (verdicts.count(Verdict.ACK), verdicts.count(Verdict.RETRY)) == (440, 10)
    assert verdicts.count(Verdict.DEAD_LETTER) == 50
    assert _outbox(ledger) == 440


@pytest.mark.parametrize(
    ("error", "verdict", "reason"),
    [
        (ValueError("boom"), Verdict.RETRY, "ValueError: boom"),
        (Conflict("taken"), Verdict.RETRY, "taken"),
        (Rejected("no", field="f", mend="do"), Verdict.DEAD_LETTER, "f: no. Do"),
    ],
)
@pytest.mark.parametrize("where", ["errors", "parse_errors"])
def test_the_type_of_an_error_is_the_verdict(
    ledger: SqlLedger, where: str, error: Exception, verdict: Verdict, reason: str
) -> None:
    """What is rejected is kept at once, all else is tried again; nothing of either is left, and the next goes on."""
    echo = Echo(**{where: {"bad": error}})

    received = receive([message("bad"), message("good")], ledger, {"model.evaluated": echo}, now_for)

    assert [(item.verdict, item.reason) for item in received] == [(verdict, reason), (Verdict.ACK, "")]
    assert _outbox(ledger) == 1
    assert [letter.event_id for letter in _dead(ledger)] == (["bad"] if verdict is Verdict.DEAD_LETTER else [])
    with ledger.begin(write=False) as transaction:
        assert transaction.inbox.deliveries("//monitor", "bad") == 0


@pytest.mark.parametrize("where", ["errors", "parse_errors"])
def test_try_later_undoes_everything(ledger: SqlLedger, where: str) -> None:
    """When the ledger is away nothing of the batch is committed, the good ones included."""
    echo = Echo(**{where: {"b": TryLater("away")}})

    with pytest.raises(TryLater):
        receive([message("a"), message("b")], ledger, {"model.evaluated": echo}, now_for)

    assert _outbox(ledger) == 0


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (
            message("x", {"beeId": "nobody", "modelVersion": "1", "metrics": {}}),
            ("data.beeId", "config/bees/nobody.yaml"),
        ),
        (message("x", {"beeId": "No Bee!", "modelVersion": "1", "metrics": {}}), ("data.beeId", "a-z0-9")),
        (message("x", {"beeId": "spam-guard", "metrics": {}}), ("data.modelVersion",)),
        (message("x", data(modelVersion="9" * 200)), ("data.modelVersion",)),
        (message("x", data(modelVersion=True)), ("data.modelVersion",)),
        (message("x", {"beeId": "spam-guard", "modelVersion": "1"}), ("neither `drift` nor `metrics`",)),
        (message("x", data(metrics=[1])), ("data.metrics",)),
        (message("x", data(metrics={"f1": "high"})), ("data.metrics.f1",)),
        (message("x", data(metrics={"f1": True})), ("data.metrics.f1",)),
        (message("x", data(metrics={"f1": 10**400})), ("data.metrics.f1",)),
        (message("x", data(metrics={str(n): n for n in range(201)})), ("data.metrics", "201")),
        (message("x", data(baseline=7)), ("data.baseline",)),
        (message("x", data(window="september")), ("data.window",)),
        (message("x", data(window={"sampleCount": -1})), ("data.window.sampleCount",)),
        (message("x", data(window={"sampleCount": 1.5})), ("data.window.sampleCount",)),
        (message("x", data(window={"id": 7})), ("data.window.id",)),
        (message("x", data(drift=True)), ("data.drift",)),
        (message("x", data(drift={"detected": "yes"})), ("data.drift.detected",)),
        (message("x", data(drift={"severity": "high\u0000"})), ("data.drift.severity",)),
        (message("x", data(drift={"features": [1]})), ("data.drift.features",)),
        (message("x", data(drift={"score": "big"})), ("data.drift.score",)),
        (message("x", data(evaluatedAt="soon")), ("data.evaluatedAt",)),
        (message("x", data(evaluatedAt="0001-01-01T00:00:00+23:59")), ("data.evaluatedAt",)),
        (message("x", data(evaluatedAt=7)), ("data.evaluatedAt",)),
        (plain({**data(), "type": "model.vanished"}), ("type", "model.evaluated")),
        (message("x", b'{"beeId": NaN}'), ("data", "not JSON")),
        (message("x", b"\xff\xfe"), ("data", "not JSON")),
    ],
)
def test_wrong_events_go_to_the_dead_letters_with_field_and_mend(
    ledger: SqlLedger, sent: Message, words: tuple[str, ...]
) -> None:
    """A wrong evaluation is turned away with the field and the mend, and kept whole in the ledger."""
    (received,) = receive([sent], ledger, handlers(ledger), now_for)

    assert received.verdict is Verdict.DEAD_LETTER
    assert all(word in received.reason for word in words)
    (letter,) = _dead(ledger)
    assert (letter.reason, letter.body, letter.deliveries) == (received.reason, sent.body, 1)
    assert letter.attributes == sent.attributes


def test_a_large_body_is_kept_whole(ledger: SqlLedger) -> None:
    """Ten megabytes are refused by their size, and kept to the last byte."""
    body = bytes(range(256)) * 40_960

    (received,) = receive([plain(body)], ledger, handlers(ledger), now_for)

    assert "10,485,760 bytes" in received.reason
    assert _dead(ledger)[0].body == body


def test_the_same_dead_letter_again_counts(ledger: SqlLedger) -> None:
    """A message that is turned away twice is one dead letter that came twice."""
    for _ in range(2):
        receive([plain(b"{")], ledger, handlers(ledger), now_for)

    assert [letter.deliveries for letter in _dead(ledger)] == [2]


def test_reasons_are_readable(ledger: SqlLedger) -> None:
    """A field's name with control characters cannot write to a terminal or break a database's text."""
    receive(
        [plain({**data(metrics={"a\u0000\u001b[2J": "x"}), "type": "model.evaluated"})],
        ledger,
        handlers(ledger),
        now_for,
    )

    (letter,) = _dead(ledger)
    assert letter.reason.isprintable()
    assert "a\\x00\\x1b[2J" in letter.reason


def test_readable_bounds_a_text() -> None:
    """A text is cut with its length told."""
    assert readable("x" * 5000) == "x" * 2000 + "… (5,000 characters)"


def test_a_bus_id_with_control_characters_is_kept_readable(ledger: SqlLedger) -> None:
    """Not even the bus's own id or attributes can make a dead letter that cannot be stored."""
    sent = Message(b"{", {"k\u0000": "v\ud800"}, message_id="m\u0000")

    receive([sent], ledger, handlers(ledger), now_for)

    (letter,) = _dead(ledger)
    assert (letter.event_id, letter.attributes) == ("m\\x00", {"k\\x00": "v\\ud800"})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=st.binary(max_size=100) | BODIES.map(lambda one: json.dumps(one).encode()), attributes=ATTRIBUTES)
def test_nothing_whatsoever_makes_it_raise(body: bytes, attributes: dict[str, str]) -> None:
    """Whatever a message holds, it gets a verdict, and a reason where it is turned away."""
    ledger = _shared()

    (received,) = receive([Message(body, attributes, "m")], ledger, handlers(ledger), now_for)

    assert received.verdict in {Verdict.ACK, Verdict.DEAD_LETTER}
    assert (received.verdict is Verdict.ACK) == (received.result is not None)
    assert received.reason.isprintable()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(FIELDS[2:]), JSON), st.text(min_size=1))
def test_no_evaluation_makes_it_raise(changes: dict[str, Any], id_: str) -> None:
    """Whatever an evaluation of a live version says, it is decided or turned away, never retried."""
    ledger = _shared()
    body = json.dumps(data(**changes)).encode()

    (received,) = receive([message(id_, body)], ledger, handlers(ledger), now_for)

    assert received.verdict in {Verdict.ACK, Verdict.DEAD_LETTER}


@settings(max_examples=100, deadline=None)
@given(NUMBERS, NUMBERS)
def test_no_numbers_make_it_raise(value: Decimal, baseline: Decimal) -> None:
    """Any two numbers are decided, even where their ratio is beyond every float."""
    ledger = _shared()
    text = json.dumps(data()).replace("0.45", f"{value:e}").replace("0.9}", f"{baseline:e}}}")

    (received,) = receive([message(text, text.encode())], ledger, handlers(ledger), now_for)

    assert received.verdict is Verdict.ACK


_SHARED: list[SqlLedger] = []


def _shared() -> SqlLedger:
    """Return one ledger in memory for every example: its making would be most of the time."""
    if not _SHARED:
        _SHARED.append(memory_ledger())
        put_into_production(_SHARED[0])
    return _SHARED[0]


def test_an_event_without_time_happens_now(ledger: SqlLedger) -> None:
    """Without any time in event, envelope or bus an evaluation is of now."""
    put_into_production(ledger)
    body = {key: value for key, value in data().items() if key != "evaluatedAt"}

    (received,) = receive([plain({**body, "type": "model.evaluated"})], ledger, handlers(ledger), now_for)

    assert received.result is not None
    assert received.result["evaluatedAt"] == NOW.isoformat().replace("+00:00", "Z")
