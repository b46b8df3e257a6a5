import json
from itertools import count
from typing import Any

import pytest

from tests.chat_server import ChatServer, Reply
from worker.errors import Rejected, TryLater
from worker.generation import GenerationSettings, GenerationSpec, Price
from worker.steps.trainers.chat import Endpoint, Question, ask_all, endpoint_from

SPEC = GenerationSpec(attempts=3, backoff_seconds=0.01, timeout_seconds=5, concurrency=4)
SETTINGS = GenerationSettings(model="small", prompt="Be brief.", temperature=0.5, max_tokens=20, stop=("END",))
QUESTION = Question(SETTINGS, "What is poutine?")


def _ask(server: ChatServer, spec: GenerationSpec = SPEC, questions: int = 1) -> Any:
    return ask_all(Endpoint(server.url, "secret-key"), [QUESTION] * questions, spec)


def test_request_has_the_protocols_form(chat_server: ChatServer) -> None:
    """A question goes out as a chat completion with the settings' own names, and the key as a bearer token."""
    answer = _ask(chat_server)[0]

    assert chat_server.requests == [
        {
            "model": "small",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "What is poutine?"},
            ],
            "temperature": 0.5,
            "max_tokens": 20,
            "stop": ["END"],
        }
    ]
    assert chat_server.keys == ["Bearer secret-key"]
    assert (answer.text, answer.input_tokens, answer.output_tokens, answer.attempts) == ("hello", 5, 1, 1)


def test_cost_follows_from_tokens_and_price(chat_server: ChatServer) -> None:
    """An answer costs its tokens at the model's price for a million, and nothing is guessed without a price."""
    chat_server.answer = lambda _: Reply("x", usage={"prompt_tokens": 1000, "completion_tokens": 500})
    answer = _ask(chat_server)[0]
    spec = GenerationSpec(prices={"small": Price(input=2.0, output=4.0)})

    assert answer.cost_usd("small", spec) == pytest.approx(0.004)
    assert answer.cost_usd("large", spec) is None


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_busy_server_is_asked_again(chat_server: ChatServer, status: int) -> None:
    """After 429, 408 and 5xx the request is repeated until an attempt succeeds."""
    turns = count()
    chat_server.answer = lambda _: Reply(status=status) if next(turns) < 2 else Reply("at last")
    answer = _ask(chat_server)[0]

    assert (answer.text, answer.attempts) == ("at last", 3)


def test_retry_after_is_heeded(chat_server: ChatServer) -> None:
    """A server that names when to come again is not asked earlier."""
    turns = count()
    chat_server.answer = lambda _: Reply(status=429, headers={"Retry-After": "1"}) if next(turns) == 0 else Reply("ok")
    import time

    started = time.monotonic()
    _ask(chat_server)

    assert time.monotonic() - started >= 1.0


def test_busy_for_ever_is_try_later(chat_server: ChatServer) -> None:
    """When the last attempt fails, too, the error says what the server said, and that it may pass."""
    chat_server.answer = lambda _: Reply(status=503, body=b"model is loading")

    with pytest.raises(TryLater, match="503: model is loading"):
        _ask(chat_server)
    assert len(chat_server.requests) == SPEC.attempts


def test_refusal_is_not_repeated(chat_server: ChatServer) -> None:
    """A 4xx that repeating cannot mend is told at once, with the server's reason and without the key."""
    chat_server.answer = lambda _: Reply(status=404, body=b'{"error": {"message": "no such model"}}')

    with pytest.raises(Rejected, match="no such model") as raised:
        _ask(chat_server)
    assert len(chat_server.requests) == 1
    assert "secret-key" not in str(raised.value)


def test_slow_stream_meets_the_deadline(chat_server: ChatServer) -> None:
    """An answer that drips, each piece in time, is given up when the whole of it takes too long."""
    chat_server.answer = lambda _: Reply("slow", chunks=40, pause_s=0.05)
    spec = SPEC.model_copy(update={"timeout_seconds": 0.3, "attempts": 1})

    with pytest.raises(TryLater, match=r"within 0\.3 s"):
        _ask(chat_server, spec)


def test_stream_in_pieces_is_read_whole(chat_server: ChatServer) -> None:
    """An answer that comes in pieces within its time is read to its end."""
    chat_server.answer = lambda _: Reply("a long answer " * 20, chunks=8, pause_s=0.01)

    assert _ask(chat_server)[0].text == "a long answer " * 20


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b'{"choices": []}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {"content": 5}}]}',
    ],
)
def test_other_json_is_no_answer(chat_server: ChatServer, body: bytes) -> None:
    """A server that speaks another protocol is told as such."""
    chat_server.answer = lambda _: Reply(body=body)

    with pytest.raises(Rejected, match="no chat completion"):
        _ask(chat_server)


def test_broken_json_may_pass(chat_server: ChatServer) -> None:
    """A body that is no JSON, as a proxy's error page, is asked for again."""
    turns = count()
    chat_server.answer = lambda _: Reply(body=b"<html>") if next(turns) == 0 else Reply("ok")

    assert _ask(chat_server)[0].text == "ok"


def test_huge_answer_is_refused(chat_server: ChatServer) -> None:
    """An answer beyond the bound is not read into memory."""
    chat_server.answer = lambda _: Reply(body=b" " * (5 * 2**20))

    with pytest.raises(Rejected, match="larger than"):
        _ask(chat_server)


def test_missing_usage_and_empty_content(chat_server: ChatServer) -> None:
    """A server that tells no tokens gives None for them; no content is an empty answer."""
    body = json.dumps({"choices": [{"message": {"role": "assistant", "content": None}}]}).encode()
    chat_server.answer = lambda _: Reply(body=body)
    answer = _ask(chat_server)[0]

    assert (answer.text, answer.input_tokens, answer.output_tokens) == ("", None, None)


def test_requests_overlap_within_the_bound(chat_server: ChatServer) -> None:
    """Twelve questions are asked four at a time, never more, and answered in order."""
    chat_server.answer = lambda request: Reply(request["messages"][-1]["content"])
    chat_server.answer_once = 4
    questions = [Question(SETTINGS, f"question {number}") for number in range(12)]
    answers = ask_all(Endpoint(chat_server.url), questions, SPEC)

    assert [answer.text for answer in answers] == [question.text for question in questions]
    assert chat_server.most_at_once == 4


def test_unreachable_server_is_try_later(chat_server: ChatServer) -> None:
    """A port where nobody listens is a fault that may pass."""
    spec = SPEC.model_copy(update={"attempts": 1})

    with pytest.raises(TryLater, match="cannot be reached"):
        ask_all(Endpoint("http://127.0.0.1:9"), [QUESTION], spec)


@pytest.mark.parametrize("url", ["", "  ", "localhost:8000", "file:///etc/passwd"])
def test_endpoint_must_be_configured(url: str) -> None:
    """Without a usable URL the error names the variable and an example."""
    with pytest.raises(Rejected, match="COLONY_CHAT_URL"):
        endpoint_from({"COLONY_CHAT_URL": url})


def test_endpoints_key_is_never_shown() -> None:
    """An endpoint's text does not hold its key."""
    endpoint = endpoint_from({"COLONY_CHAT_URL": "http://localhost:8000/v1/", "COLONY_CHAT_KEY": "hush"})

    assert endpoint.url == "http://localhost:8000/v1"
    assert "hush" not in repr(endpoint)
