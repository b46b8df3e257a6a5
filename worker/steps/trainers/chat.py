"""Asks an OpenAI-compatible chat endpoint: many requests at once, bounded, each with a deadline and retried."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from worker.errors import Rejected, TryLater
from worker.generation import GenerationSettings, GenerationSpec
from worker.steps.trainers.secret import read_secret

URL, KEY, KEY_SECRET = "COLONY_CHAT_URL", "COLONY_CHAT_KEY", "COLONY_CHAT_KEY_SECRET"
_MAX_BYTES = 4 * 2**20
_MAX_WAIT_S = 30.0
_BUSY = frozenset({408, 409, 425, 429})
_SENT = {"temperature": "temperature", "max_tokens": "max_tokens", "top_p": "top_p", "seed": "seed"}


@dataclass(frozen=True)
class Endpoint:
    """Where chat completions are asked for: the base URL, as in `http://localhost:8000/v1`, and a key if it has one."""

    url: str
    key: str = field(default="", repr=False)


@dataclass(frozen=True)
class Question:
    """One request."""

    settings: GenerationSettings
    text: str


@dataclass(frozen=True)
class Answer:
    """What came back; tokens are None where the server does not tell, `seconds` are those of the last attempt."""

    text: str
    input_tokens: int | None
    output_tokens: int | None
    seconds: float
    attempts: int

    def cost_usd(self, model: str, spec: GenerationSpec) -> float | None:
        """Return its price, None if the model's price or the tokens are not known."""
        price = spec.prices.get(model)
        if price is None or self.input_tokens is None or self.output_tokens is None:
            return None
        return (self.input_tokens * price.input + self.output_tokens * price.output) / 1e6


def endpoint_from(environment: Mapping[str, str]) -> Endpoint:
    """Return the endpoint that the environment names, with its key: given, or the name of a secret that has it.

    Raises:
        Rejected: it names none, or a secret that cannot be read.
        TryLater: the secret's server is away.
    """
    url = environment.get(URL, "").strip().rstrip("/")
    if not url:
        mend = "set it to the base URL of an OpenAI-compatible server, for example http://localhost:8000/v1"
        raise Rejected("no chat endpoint is configured", field=URL, mend=mend)
    if not url.startswith(("http://", "https://")):
        raise Rejected("is not an http or https URL", field=URL, mend="write it as http://localhost:8000/v1")
    key, secret = environment.get(KEY, ""), environment.get(KEY_SECRET, "")
    return Endpoint(url, read_secret(secret, environment, field=KEY_SECRET) if secret and not key else key)


def ask_all(endpoint: Endpoint, questions: Sequence[Question], spec: GenerationSpec) -> list[Answer]:
    """Return the answers in the order of the questions.

    Raises:
        Rejected: the server refuses a request, or answers in another form.
        TryLater: it is away or too busy, also after the last attempt.
    """
    return asyncio.run(_ask_all(endpoint, questions, spec))


async def _ask_all(endpoint: Endpoint, questions: Sequence[Question], spec: GenerationSpec) -> list[Answer]:
    headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
    bound = asyncio.Semaphore(spec.concurrency)
    limits = httpx.Limits(max_connections=spec.concurrency)
    async with httpx.AsyncClient(headers=headers, timeout=spec.timeout_seconds, limits=limits) as client:

        async def one(question: Question) -> Answer:
            async with bound:
                return await _ask(client, endpoint, question, spec)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(question)) for question in questions]
        except BaseExceptionGroup as errors:
            # The first one's reason; the others were cancelled with it, or say the same.
            raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def _ask(client: httpx.AsyncClient, endpoint: Endpoint, question: Question, spec: GenerationSpec) -> Answer:
    retrying = AsyncRetrying(
        stop=stop_after_attempt(spec.attempts),
        retry=retry_if_exception_type(TryLater),
        wait=lambda state: _pause(state, spec.backoff_seconds),
        reraise=True,
    )
    attempts = 0
    async for attempt in retrying:
        with attempt:
            attempts += 1
            started = time.monotonic()
            body = await _post(client, f"{endpoint.url}/chat/completions", _request(question), spec.timeout_seconds)
            return _answer(body, time.monotonic() - started, attempts)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _request(question: Question) -> dict[str, Any]:
    settings = question.settings
    system = [{"role": "system", "content": settings.prompt}] if settings.prompt else []
    request = {"model": settings.model, "messages": [*system, {"role": "user", "content": question.text}]}
    given = {name: getattr(settings, field_) for field_, name in _SENT.items()}
    request |= {name: value for name, value in given.items() if value is not None}
    return request | ({"stop": list(settings.stop)} if settings.stop else {})


async def _post(client: httpx.AsyncClient, url: str, request: Mapping[str, Any], timeout_s: float) -> Any:
    """Return the response's JSON; the deadline holds for the whole of it, however slowly it comes."""
    try:
        async with asyncio.timeout(timeout_s), client.stream("POST", url, json=request) as response:
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > _MAX_BYTES:
                    raise Rejected(f"the answer is larger than {_MAX_BYTES} bytes", field=URL, mend="set maxTokens")
    except TimeoutError as error:
        raise TryLater(f"the chat endpoint did not answer within {timeout_s:g} s") from error
    except httpx.InvalidURL as error:
        raise Rejected(str(error), field=URL, mend="write it as http://localhost:8000/v1") from error
    except httpx.HTTPError as error:
        raise TryLater(f"the chat endpoint cannot be reached: {type(error).__name__}: {error}") from error
    return _read(response, bytes(content))


def _read(response: httpx.Response, content: bytes) -> Any:
    code = response.status_code
    said = content[:200].decode("utf-8", "replace").strip()
    if code in _BUSY or code >= 500:
        raise _Busy(f"the chat endpoint answered {code}: {said}", response.headers.get("retry-after"))
    if code != 200:
        mend = "look at the model's name, the settings and the key"
        raise Rejected(f"the chat endpoint refused the request with {code}: {said}", field=URL, mend=mend)
    try:
        return json.loads(content)
    except ValueError as error:
        raise TryLater(f"the chat endpoint's answer is not JSON: {said!r}") from error


class _Busy(TryLater):
    """A refusal that names when to come again, or does not."""

    def __init__(self, words: str, after: str | None) -> None:
        super().__init__(words)
        self.after = after


def _pause(state: RetryCallState, first_s: float) -> float:
    """Return how long to wait: what the server asks for, else twice as long each time."""
    error = state.outcome.exception() if state.outcome else None
    after = error.after if isinstance(error, _Busy) else None
    wanted = first_s * 2 ** (state.attempt_number - 1)
    if after is not None and after.isascii() and after.isdigit():
        wanted = max(wanted, float(after))
    return float(min(wanted, _MAX_WAIT_S))


def _answer(body: Any, seconds: float, attempts: int) -> Answer:
    try:
        content = body["choices"][0]["message"].get("content") or ""
        if not isinstance(content, str):
            content = "".join(str(part.get("text", "")) for part in content)
        usage = body.get("usage") or {}
        tokens = [_count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens")]
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        mend = "name a server that speaks OpenAI's chat protocol"
        raise Rejected(f"the answer is no chat completion: {str(body)[:200]}", field=URL, mend=mend) from error
    return Answer(content, tokens[0], tokens[1], seconds, attempts)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
