"""Whether a bee's chat endpoint answers: one token of each model that the bee may use."""

from collections.abc import Mapping

from worker.bee import BeeSpec
from worker.errors import Rejected, TryLater
from worker.generation import GenerationSettings

TIMEOUT_S = 10.0


def check_chat(bee: BeeSpec, environment: Mapping[str, str], *, timeout_s: float = TIMEOUT_S) -> str:
    """Ask each model for one token, and say which answered.

    Args:
        bee: one that generates text.
        environment: names the endpoint and its key.
        timeout_s: for each answer in all.

    Raises:
        Rejected: no endpoint is configured, or it refuses a model or the key.
        TryLater: it is away, too busy, or too slow.
    """
    # Everything that speaks HTTP is loaded by those who have such a bee.
    from worker.steps.trainers.chat import Question, ask_all, endpoint_from

    endpoint = endpoint_from(environment)
    models = models_of(bee)
    once = bee.trainer.model_copy(update={"attempts": 1, "timeout_seconds": timeout_s})
    for model in models:
        question = Question(GenerationSettings(model=model, max_tokens=1), "ping")
        try:
            ask_all(endpoint, [question], once)
        except TryLater as error:
            mend = "look whether the server of COLONY_CHAT_URL runs and has its models loaded"
            raise TryLater(f"model {model}: {error}; {mend}") from error
        except Rejected as error:
            raise Rejected(f"model {model}: {error.reason}", field=error.field, mend=error.mend) from error
    return f"{', '.join(models)} at {endpoint.url}"


def models_of(bee: BeeSpec) -> list[str]:
    """Return every model that the bee's settings, search or judge name."""
    trainer = bee.trainer
    space = trainer.space.get("model", ())
    named = [
        trainer.settings.model if trainer.settings else "",
        *(space if isinstance(space, tuple) else ()),
        trainer.judge.model if trainer.judge else "",
    ]
    return [str(model) for model in dict.fromkeys(named) if model]
