from typing import Any

import pytest

from tests.chat_server import ChatServer, Reply
from worker.app.chat_check import check_chat, models_of
from worker.bee import BeeSpec
from worker.errors import Rejected, TryLater


def _bee(**trainer: Any) -> BeeSpec:
    return BeeSpec.model_validate(
        {
            "bee": "ti-guy-chat",
            "task": "generation",
            "metric": "similarity",
            "trainer": {"type": "generation", "settings": {"model": "small", "prompt": "Answer."}, **trainer},
            "prompts": [{"prompt": "What is a tuque?", "reference": "A hat."}],
        }
    )


def _environment(server: ChatServer) -> dict[str, str]:
    return {"COLONY_CHAT_URL": server.url, "COLONY_CHAT_KEY": "hush"}


def test_every_model_is_asked_for_one_token(chat_server: ChatServer) -> None:
    """The models of settings, search and judge are asked once each, for one token, with the key."""
    bee = _bee(space={"model": ["small", "large"]}, judge={"model": "judge"})

    said = check_chat(bee, _environment(chat_server))

    assert said == f"small, large, judge at {chat_server.url}"
    assert [(asked["model"], asked["max_tokens"]) for asked in chat_server.requests] == [
        (model, 1) for model in models_of(bee)
    ]
    assert set(chat_server.keys) == {"Bearer hush"}


def test_a_refused_model_is_named(chat_server: ChatServer) -> None:
    """What the server refuses is told with the model, the setting and the mend, and is not tried again."""
    chat_server.answer = lambda asked: (
        Reply() if asked["model"] == "small" else Reply(status=404, body=b"no such model")
    )

    with pytest.raises(Rejected, match=r"model large: .*404: no such model\. Look at the model's name") as refused:
        check_chat(_bee(judge={"model": "large"}), _environment(chat_server))

    assert refused.value.field == "COLONY_CHAT_URL"
    assert len(chat_server.requests) == 2


def test_a_server_that_does_not_answer(chat_server: ChatServer) -> None:
    """One that drips its answer, one that is not there, and one that is busy are away; the mend says where to look."""
    chat_server.answer = lambda _: Reply("slow", chunks=40, pause_s=0.2)
    with pytest.raises(TryLater, match=r"within 0\.3 s; look whether the server of COLONY_CHAT_URL runs"):
        check_chat(_bee(), _environment(chat_server), timeout_s=0.3)
    chat_server.answer = lambda _: Reply(status=503, body=b"loading")
    with pytest.raises(TryLater, match="503: loading; look whether"):
        check_chat(_bee(), _environment(chat_server))
    with pytest.raises(TryLater, match="cannot be reached"):
        check_chat(_bee(), {"COLONY_CHAT_URL": "http://127.0.0.1:1/v1"})


def test_no_endpoint() -> None:
    """Without an endpoint the setting is named."""
    with pytest.raises(Rejected, match="no chat endpoint is configured") as refused:
        check_chat(_bee(), {})

    assert refused.value.field == "COLONY_CHAT_URL"
