"""What a bee that generates text declares: its settings, its evaluation prompts, its prices and its limits."""

import json
import re
from hashlib import sha256
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from worker.value import Value

#: Metrics of a single answer between 0 and 1 → what a prompt must have so that its answers can be scored.
METRICS: dict[str, str | None] = {
    "similarity": "reference",
    "exact_match": "reference",
    "pattern_match": "pattern",
    "schema_valid": "schema",
    "within_limits": None,
    "judge_score": None,
}
_JUDGE = (
    "You grade answers. Read the question, the reference if there is one, and the answer. "
    "Reply with one number from 0 (useless) to 10 (perfect) and nothing else."
)


class GenerationSettings(Value):
    """What is sent with each request; `prompt` is the system prompt, None leaves a setting to the server."""

    model: Annotated[str, Field(min_length=1)]
    prompt: str = ""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()


class Price(Value):
    """US dollars for a million tokens."""

    input: float = Field(default=0.0, ge=0)
    output: float = Field(default=0.0, ge=0)


class Limits(Value):
    """What an answer may take; one beyond a limit scores 0, whatever it says."""

    max_characters: int | None = Field(default=None, ge=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_cost_usd: float | None = Field(default=None, gt=0)
    max_seconds: float | None = Field(default=None, gt=0)


class Judge(Value):
    """The model that grades answers for `judge_score`; its cost is told apart from the variants'."""

    model: Annotated[str, Field(min_length=1)]
    instruction: str = _JUDGE


class Case(Value):
    """One evaluation prompt and what a good answer is; `tags` are its slices."""

    prompt: Annotated[str, Field(min_length=1)]
    id: str = ""
    reference: str | None = None
    pattern: str | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    tags: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"pattern {self.pattern!r} is not a regular expression: {error}") from error
        return self

    @property
    def key(self) -> str:
        """The prompt's own id, or the hash of its content."""
        return self.id or sha256(self.text().encode()).hexdigest()[:12]

    def text(self) -> str:
        """Return the case as canonical JSON, as rows carry it."""
        return json.dumps(self.model_dump(by_alias=True), ensure_ascii=False, sort_keys=True)


class GenerationSpec(Value):
    """How a generation bee's settings are made and scored; every field has a default, so that other bees have none.

    Attributes:
        settings: what is in force before anything was learned; `model` at least.
        prices: model -> its price; without one, tokens are counted and the price is not known.
        concurrency: how many requests of one variant are in flight.
        timeout_seconds: of one request in all, however slowly its answer drips.
        attempts: of one request, at 429, 5xx and time-outs.
        backoff_seconds: how long to wait before the second attempt, doubled each time after.
        trials: how many settings `auto-retrain` tries where a `space` is declared.
    """

    settings: GenerationSettings | None = None
    prices: dict[str, Price] = Field(default_factory=dict)
    limits: Limits = Limits()
    judge: Judge | None = None
    concurrency: int = Field(default=4, ge=1, le=64)
    timeout_seconds: float = Field(default=60.0, gt=0, le=3600)
    attempts: int = Field(default=4, ge=1, le=10)
    backoff_seconds: float = Field(default=0.5, ge=0, le=60)
    trials: int = Field(default=8, ge=1, le=200)


def faults(metric: str, spec: GenerationSpec, cases: tuple[Case, ...]) -> list[str]:
    """Return what a generation bee lacks, in words."""
    if metric not in METRICS:
        return [f"metric {metric!r} does not score answers; use {', '.join(METRICS)}"]
    found = []
    if spec.settings is None:
        found.append("trainer.settings is missing: name at least a model")
    if not cases:
        found.append("prompts is empty: list the evaluation prompts")
    if metric == "judge_score" and spec.judge is None:
        found.append("metric judge_score needs trainer.judge")
    needed = METRICS[metric]
    field = "schema_" if needed == "schema" else needed
    without = [case.key for case in cases if field and getattr(case, field) is None]
    if without:
        found.append(f"metric {metric} needs a {needed} in each prompt; {', '.join(without[:5])} has none")
    keys = [case.key for case in cases]
    if len(set(keys)) != len(keys):
        found.append("prompts lists an id twice")
    return found
