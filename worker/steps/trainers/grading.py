"""How good one answer is, from 0 to 1: likeness to a reference, a pattern, a schema, limits, or a judge's grade."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema
import referencing
from jsonschema.validators import validator_for

from worker.errors import Rejected
from worker.generation import Case, Limits
from worker.steps.trainers.chat import Answer

_WORDS = re.compile(r"\w+")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_MAX_WORDS = 1000
_TOP_GRADE = 10.0


def check_schemas(cases: Sequence[Case]) -> None:
    """Check that every case's schema is one. Raises Rejected with the case's id."""
    for case in cases:
        if case.schema_ is not None:
            try:
                validator_for(case.schema_).check_schema(case.schema_)
            except jsonschema.SchemaError as error:
                field = f"prompts.{case.key}.schema"
                raise Rejected(f"is not a JSON schema: {error.message}", field=field, mend="correct it") from error


def grade(metric: str, case: Case, text: str) -> float:
    """Return an answer's score; a judge's grade and limits are not known here (1.0 for them)."""
    if metric == "similarity":
        return similarity(case.reference or "", text)
    if metric == "exact_match":
        return float(text.strip() == (case.reference or "").strip())
    if metric == "pattern_match":
        return float(re.search(case.pattern or "", text) is not None)
    return float(_valid(case.schema_ or {}, text)) if metric == "schema_valid" else 1.0


def similarity(reference: str, text: str) -> float:
    """Return ROUGE-L: the F1 of the longest common subsequence of words, without case and punctuation."""
    ours, theirs = (_WORDS.findall(item.casefold())[:_MAX_WORDS] for item in (text, reference))
    if not ours or not theirs:
        return float(ours == theirs)
    common = _common(ours, theirs)
    return 2 * common / (len(ours) + len(theirs))


def _common(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """Return the length of the longest common subsequence."""
    row = [0] * (len(theirs) + 1)
    for word in ours:
        before = 0
        for place, other in enumerate(theirs, start=1):
            above = row[place]
            row[place] = before + 1 if word == other else max(above, row[place - 1])
            before = above
    return row[-1]


def _valid(schema: Mapping[str, Any], text: str) -> bool:
    try:
        value = json.loads(text)
    except ValueError:
        return False
    # An empty registry: a reference in a schema must not make this fetch anything.
    validator = validator_for(schema)(schema, registry=referencing.Registry())
    try:
        return bool(validator.is_valid(value))
    except referencing.exceptions.Unresolvable as error:
        mend = "write the schema out in one piece"
        raise Rejected(f"the schema refers elsewhere: {error}", field="prompts.schema", mend=mend) from error


def within(limits: Limits, answer: Answer, cost_usd: float | None) -> bool:
    """Whether an answer keeps every limit; what is not known keeps none that is set."""
    bounds: list[tuple[float | None, float | None]] = [
        (limits.max_characters, len(answer.text)),
        (limits.max_tokens, answer.output_tokens),
        (limits.max_cost_usd, cost_usd),
        (limits.max_seconds, answer.seconds),
    ]
    return all(bound is None or (value is not None and value <= bound) for bound, value in bounds)


def judging(case: Case, text: str) -> str:
    """Return what the judge is asked about an answer; the answer is data in it, and no instruction."""
    told = {"question": case.prompt, "reference": case.reference, "answer": text}
    return json.dumps({name: value for name, value in told.items() if value is not None}, ensure_ascii=False)


def graded(text: str) -> float:
    """Return a judge's grade from 0 to 1. Raises Rejected if it gave none."""
    found = _NUMBER.search(text)
    if found is None or not 0 <= float(found[0]) <= _TOP_GRADE:
        mend = "take a judge that follows trainer.judge.instruction, or write another instruction"
        raise Rejected(f"the judge gave no grade from 0 to 10: {text[:80]!r}", field="trainer.judge", mend=mend)
    return float(found[0]) / _TOP_GRADE
