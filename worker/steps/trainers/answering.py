"""Answers a bee's cases with some settings, scores the answers, and adds up what they took."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.generation import Case, GenerationSettings, GenerationSpec
from worker.steps.trainers.chat import Answer, Endpoint, Question, ask_all, endpoint_from
from worker.steps.trainers.grading import check_schemas, grade, graded, judging, within

_SHOWN = 2000


@dataclass(frozen=True)
class Answering:
    """The settings to answer with, and what the answers are measured by."""

    settings: GenerationSettings
    metric: str
    spec: GenerationSpec


@dataclass(frozen=True)
class Graded:
    """One case's answer with its score and its price."""

    case: Case
    answer: Answer
    score: float
    usd: float | None

    def told(self) -> dict[str, Any]:
        """Return it for people to read, the answer cut where it is long."""
        answer = self.answer
        return {
            "id": self.case.key,
            "prompt": self.case.prompt[:_SHOWN],
            "answer": answer.text[:_SHOWN],
            "score": self.score,
            "inputTokens": answer.input_tokens,
            "outputTokens": answer.output_tokens,
            "usd": self.usd,
            "seconds": round(answer.seconds, 3),
            "attempts": answer.attempts,
        }


@dataclass(frozen=True)
class Done:
    """All answers, and in `spent` their sums; a sum is None where a part of it is not known."""

    items: Sequence[Graded]
    spent: dict[str, float | None]


def answered(cases: Sequence[Case], how: Answering, environment: Mapping[str, str]) -> Done:
    """Answer every case.

    Raises:
        Rejected: no endpoint, a refusal by it, a schema that is none, a judge that does not grade.
        TryLater: the endpoint is away or too busy.
    """
    endpoint = endpoint_from(environment)
    check_schemas(cases)
    settings, spec = how.settings, how.spec
    answers = ask_all(endpoint, [Question(settings, case.prompt) for case in cases], spec)
    scores = [grade(how.metric, case, answer.text) for case, answer in zip(cases, answers, strict=True)]
    judged: dict[str, float | None] = {}
    if how.metric == "judge_score":
        scores, judged = _judged(endpoint, cases, answers, spec)
    prices = [answer.cost_usd(settings.model, spec) for answer in answers]
    items = []
    for case, answer, score, usd in zip(cases, answers, scores, prices, strict=True):
        items.append(Graded(case, answer, score if within(spec.limits, answer, usd) else 0.0, usd))
    spent = {
        "usd": _sum(prices),
        "inputTokens": _sum(answer.input_tokens for answer in answers),
        "outputTokens": _sum(answer.output_tokens for answer in answers),
        "requests": float(sum(answer.attempts for answer in answers)),
        "answerSeconds": round(sum(answer.seconds for answer in answers), 3),
    }
    return Done(items, spent | judged)


def _judged(
    endpoint: Endpoint, cases: Sequence[Case], answers: Sequence[Answer], spec: GenerationSpec
) -> tuple[list[float], dict[str, float | None]]:
    """Return the judge's grades, and what the judge took."""
    if spec.judge is None:
        raise AssertionError("a bee whose metric is judge_score has a judge")
    settings = GenerationSettings(model=spec.judge.model, prompt=spec.judge.instruction, temperature=0.0)
    asked = [judging(case, answer.text) for case, answer in zip(cases, answers, strict=True)]
    said = ask_all(endpoint, [Question(settings, text) for text in asked], spec)
    price = _sum(answer.cost_usd(settings.model, spec) for answer in said)
    return [graded(answer.text) for answer in said], {"judgeUsd": price}


def _sum(values: Iterable[float | None]) -> float | None:
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return total
