"""The quick way of reading an event against the exact one."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from handlers.events.context import EventContext
from handlers.events.model_evaluated import ModelEvaluated
from tests.worker.world import BEE, BEES, NOW, data, now_for
from worker.bee import BeeSpec
from worker.decide.course import Course, Situation
from worker.decide.decision import History, decide
from worker.decide.evaluation import Evaluation
from worker.decide.journal import printed, recorded
from worker.decide.memory import BeeMemory
from worker.decide.policy import DriftRule, MetricRule, Policy
from worker.decide.quick import QuickEvaluation
from worker.decide.windows import Windows
from worker.intake.port import Message
from worker.intake.quick import quick_envelope
from worker.intake.receive import EventHandler, open_exactly, open_message

HANDLERS: dict[str, EventHandler] = {"model.evaluated": ModelEvaluated(EventContext(lambda: BEES, Policy, "i"))}
LOSS = BEES["other-bee"]
POLICIES = (
    Policy(),
    Policy(
        metric=MetricRule(Decimal("0.2"), Decimal("0.1"), Decimal("0.5"), Decimal("0.6")),
        metrics={"accuracy": MetricRule(max_drop=Decimal("0.05"), direction="higher")},
        drift=DriftRule("medium", at_least=True, score=Decimal("0.3"), clear_score=Decimal("0.1")),
        vote="all",
    ),
)
USUAL = {
    "specversion": "1.0",
    "id": "e",
    "source": "//monitor",
    "type": "model.evaluated",
    "time": "2002-10-01T00:00:00Z",
    "data": data(baseline={"f1": 0.9}, drift={"detected": True, "severity": "low", "score": 0.3, "features": ["a"]}),
}

DIGITS = st.builds(lambda digits, exponent: f"{Decimal(digits).scaleb(exponent):f}", st.integers(), st.integers(-20, 3))
NUMBERS = (
    st.sampled_from(["0", "-0.0", "1e999", "1e-400", "1e-350", "2.5e307", "1" * 400, "0." + "1" * 1200, "437.0", "1e2"])
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.floats(0, 1).map(repr)
    | DIGITS
)
#: A baseline and what is exactly, or nearly, a fifth, a tenth or a twentieth worse.
PAIRS = st.builds(
    lambda base, share, more: (str(base), f"{base * (1 - share) + more:f}"),
    st.decimals("0.0001", 1000, places=4),
    st.sampled_from([Decimal(share) for share in ("0.2", "0.1", "0.05", "0", "-0.05", "0.0125", "0.00005")]),
    st.sampled_from([Decimal(0), Decimal("1e-17"), Decimal("-1e-17"), Decimal("1e-10"), Decimal("-3e-12")]),
)
ODD = st.sampled_from(
    ["null", "true", '"x"', '""', "[]", "{}", '"\\u0000"', '"\\ud800"', '"a\\u00a0b"', "7", "-1", "1.5"]
)
FIELDS = {
    "beeId": ['"nobody"', '"other-bee"'],
    "modelVersion": ["3", '"' + "9" * 200 + '"'],
    "evaluatedAt": ['"2002-09-30"', '"2002-09-30T00:00:00+02:00"', '"20020930T00Z"', '"0001-01-01T00:00:00+23:59"'],
    "window": [
        '{"id":7}',
        '{"sampleCount":437.0}',
        '{"sampleCount":-1}',
        '{"start":1}',
        '{"more":1}',
        '{"sampleCount":9}',
    ],
    "metrics": ['{"f1":null}', '{"f1":"0.5"}', '{"f1":true}', "{" + ",".join(f'"m{n}":1' for n in range(201)) + "}"],
    "baseline": ['{"f1":0}', '{"f1":1e-350}', '{"f1":1e-400}'],
    "drift": [
        '{"detected":true,"severity":"high"}',
        '{"severity":"' + "x" * 300 + '"}',
        '{"features":""}',
        '{"more":[]}',
    ],
    "unknown": ["1e999", "[" * 40 + "]" * 40, "[" * 31 + "]" * 31, '"\\ud800"'],
}


def message(envelope: dict[str, Any], fields: dict[str, str]) -> Message:
    """Return a delivery whose data hold the given fields as they are spelled."""
    usual = {name: json.dumps(value) for name, value in USUAL["data"].items()}  # type: ignore[attr-defined]
    members = ",".join(f'"{name}":{text}' for name, text in {**usual, **fields}.items())
    head = json.dumps({name: value for name, value in {**USUAL, **envelope}.items() if name != "data"})
    return Message(f'{head[:-1]},"data":{{{members}}}}}'.encode(), message_id="m")


def agree(sent: Message) -> Evaluation | None:
    """Check that both ways read the same, and decide the same of it; return what the quick one read."""
    quick, exact = open_message(sent, HANDLERS, now_for), open_exactly(sent, HANDLERS, now_for)

    assert (repr(quick.error), quick.bee, quick.now) == (repr(exact.error), exact.bee, exact.now)
    if exact.error is not None or exact.event is None or quick.event is None:
        return None
    event = (quick.event.source, quick.event.id, quick.event.type, quick.event.time, quick.event.data)
    assert event == (exact.event.source, exact.event.id, exact.event.type, exact.event.time, exact.event.data)
    for policy in POLICIES:
        for memory in (BeeMemory(), BeeMemory("1", Windows(("w",), bad=1), bad=True)):
            one, other = (_decided(item.parsed, policy, memory) for item in (quick, exact))
            assert one == other
    found: Evaluation = quick.parsed
    return found


def _decided(evaluation: Evaluation, policy: Policy, memory: BeeMemory) -> tuple[Any, ...]:
    bee: BeeSpec = BEES[evaluation.bee]
    history = History(known=True, champion=evaluation.version, recorded={"f1": Decimal("0.9")})
    found = decide(evaluation, history, Course(memory), Situation(bee, policy, NOW), "k")
    entry = recorded("s", "e", evaluation, found.decision, "p", NOW, run_id=None, incident_id=None)
    return printed(entry), entry.evaluation, found.decision.moves_watermark, found.course, found.effects


def test_the_usual_event_is_read_quickly() -> None:
    """What the README shows goes the quick way: else the other tests of this file prove nothing."""
    assert isinstance(agree(message({}, {})), QuickEvaluation)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["metrics", "baseline"]), NUMBERS.map(lambda text: f'{{"f1":{text},"loss":0.5}}'), min_size=1
    )
)
@example({"metrics": '{"f1":0.1000000000000000055511151231257827}'})
def test_any_number(fields: dict[str, str]) -> None:
    """Whatever digits a number has, both ways conclude the same and tell it in the same words."""
    agree(message({}, fields))


@settings(max_examples=400, deadline=None)
@given(PAIRS, st.sampled_from([BEE, LOSS]))
@example(("0.9", "0.72"), BEE)
@example(("0.9", "0.72000000000000000000001"), BEE)
@example(("0.9", "0.71999999999999999999999"), BEE)
def test_numbers_at_a_threshold(pair: tuple[str, str], bee: BeeSpec) -> None:
    """Exactly at a threshold, and less beside it than a float can tell, both ways conclude the same."""
    baseline, value = (f'{{"{bee.metric}":{text},"accuracy":{text}}}' for text in pair)
    agree(message({}, {"beeId": f'"{bee.bee}"', "metrics": value, "baseline": baseline}))


def test_drift_alone() -> None:
    """An event without metrics, or without a baseline of its own, is decided the same as well."""
    for metrics, baseline in (("null", "null"), ("{}", "{}"), ('{"f1":0.5}', "null"), ("null", '{"f1":0.5}')):
        agree(message({}, {"metrics": metrics, "baseline": baseline}))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(FIELDS)).flatmap(lambda name: st.tuples(st.just(name), ODD | st.sampled_from(FIELDS[name]))),
    st.dictionaries(
        st.sampled_from(["specversion", "id", "source", "type", "time", "subject", "extra"]),
        st.none() | st.text(max_size=5) | st.sampled_from(["1.0", "model.evaluated", "x" * 2000, "2002-10-01", 7, []]),
        max_size=1,
    ),
)
def test_any_odd_field(field: tuple[str, str], envelope: dict[str, Any]) -> None:
    """A field that is odd or wrong is refused in the same words, or read the same."""
    agree(message(envelope, dict([field])))


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=4), st.integers(0, 10_000), st.booleans())
def test_any_damage(bytes_: bytes, at: int, insert: bool) -> None:  # noqa: FBT001 - drawn
    """Bytes changed or put in anywhere: the same verdict."""
    whole = message({}, {}).body
    at %= len(whole)
    agree(Message(whole[:at] + bytes_ + whole[at if insert else at + len(bytes_) :], message_id="m"))


@pytest.mark.parametrize(
    "attributes",
    [
        {"content-type": "application/cloudevents+json"},
        {"ce-id": "other", "ce-type": "model.evaluated", "ce-source": "x", "ce-specversion": "1.0"},
        {"colony-truncated": "5"},
        {"type": "model.evaluated"},
        {"x": "y"},
    ],
)
def test_any_attributes(attributes: dict[str, str]) -> None:
    """The bus's attributes say the same of the envelope to both ways."""
    agree(replace(message({}, {}), attributes=attributes))


def test_two_data() -> None:
    """Of two members `data` the last counts, and the first must be sound as well."""
    body = message({}, {}).body
    for first in (b"1e999", b"{}", b'"\\ud800"'):
        agree(Message(body.replace(b'"data":', b'"data":' + first + b',"data":', 1)))
    assert quick_envelope(Message(body.replace(b'"data":', b'"data":{},"data":', 1))) is None
