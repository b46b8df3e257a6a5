"""A bee that generates text, and a server whose answers are the better the cooler the settings."""

import random
from typing import Any

import pytest

from tests.chat_server import ChatServer, Reply
from worker.bee import BeeSpec

REFERENCES = {
    f"What is number {number}?": f"The answer to number {number} is word{number} and nothing but word{number}"
    for number in range(20)
}


def ti_guy_chat(**changes: Any) -> BeeSpec:
    """Return the bee; `changes` go over its file's content, `trainer` over its trainer."""
    trainer = {
        "type": "generation",
        "settings": {"model": "small", "temperature": 0.7, "maxTokens": 50, "prompt": "Answer."},
        "prices": {"small": {"input": 0.1, "output": 0.4}, "large": {"input": 1.0, "output": 4.0}},
        "backoffSeconds": 0.01,
        **changes.pop("trainer", {}),
    }
    content = {
        "bee": "ti-guy-chat",
        "task": "generation",
        "metric": "similarity",
        "trainer": trainer,
        "gate": {"holdout": 0.5, "minRows": 10, "minSliceRows": 5},
        "prompts": [
            {"prompt": prompt, "reference": reference, "tags": {"half": "first" if place < 10 else "second"}}
            for place, (prompt, reference) in enumerate(REFERENCES.items())
        ],
    }
    return BeeSpec.model_validate(content | changes)


def answer(request: dict[str, Any]) -> Reply:
    """Answer with the reference, each word lost as often as the settings are hot; there is no model `none`."""
    if request["model"] == "none":
        return Reply(status=404, body=b'{"error": {"message": "no model none"}}')
    prompt = request["messages"][-1]["content"]
    chance = random.Random(prompt)
    words = [word for word in REFERENCES[prompt].split() if chance.random() > request.get("temperature", 0) * 0.7]
    return Reply(" ".join(words), pause_s=0.002)


@pytest.fixture(name="chat")
def _chat(chat_server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> ChatServer:
    """The server, as the steps' environment names it."""
    chat_server.answer = answer
    monkeypatch.setenv("COLONY_CHAT_URL", chat_server.url)
    monkeypatch.setenv("COLONY_CHAT_KEY", "hush")
    return chat_server
