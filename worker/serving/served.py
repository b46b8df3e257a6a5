"""One served prediction, and its form as ordinary feature values: the names, their definitions, what is written.

Four features of the bee's own entity, with the time of serving as event time and as known-at (so that what is written
twice is stored once): `…_version`, which answered; `…_prediction`, what it said; `…_score`, the positive class's
probability; `…_served`, everything as one JSON text: the answers of all versions that were asked, shadows among them,
and the features as they were read. Several versions at one time are one value, and never overwrite each other.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from worker.bee import BeeSpec
from worker.features.definition import MAX_STRING_BYTES
from worker.features.port import Definition, Value, Write
from worker.models.port import Scored

GROUP = "predictions"
#: How the features say that they are a log: who looks at features by themselves may leave them out.
TAG = "prediction-log"


class Names(NamedTuple):
    """What the features of a bee's log are called."""

    version: str
    prediction: str
    score: str
    served: str


class Answer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one version said."""

    prediction: Any
    score: float | None = None

    def scored(self) -> Scored:
        """Return it as a model's own answer."""
        return Scored(self.prediction, self.score)


class Served(msgspec.Struct, omit_defaults=True, gc=False):
    """The JSON of one served prediction; entity and time are those of the value.

    Attributes:
        version: which answered.
        answers: version -> what it said; shadows are added before it is written.
        features: as they were read, None where there was no value; None if they were too long to be kept.
        given: whether the caller gave the features; else they were read online.
        instead_of: the version whose share this was, if that could not be loaded.
        latency_ms: from the request to the answer, in this process.
    """

    version: str
    answers: dict[str, Answer]
    features: Mapping[str, Value] | None = None
    given: bool = False
    instead_of: str | None = None
    latency_ms: float | None = None


def names_of(bee: str) -> Names:
    """Return the names for a bee: its own with `_` for `-`, and `n` before a digit that it begins with."""
    stem = bee.replace("-", "_")
    stem = stem if stem[0].isalpha() else f"n{stem}"
    return Names(*(f"{stem}_{part}" for part in Names._fields))


def definitions_of(bee: BeeSpec, ttl: timedelta | None) -> list[Definition]:
    """Return the features of a bee's log; `ttl` is how long a logged prediction counts, None for ever."""
    names = names_of(bee.bee)
    number = "number" if bee.task == "regression" else "string"
    kinds = {
        names.version: ("string", f"The version of {bee.bee}'s model that answered."),
        names.prediction: (number, f"What {bee.bee}'s model said."),
        names.score: ("number", f"How sure {bee.bee}'s model was of the positive class."),
        names.served: ("string", f"A prediction of {bee.bee} as JSON: every version's answer, the features as read."),
    }
    return [
        Definition(name, bee.entity, type_, group=GROUP, description=text, ttl=ttl, owner=bee.bee, tags=(TAG,))
        for name, (type_, text) in kinds.items()
    ]


def is_log(definition: Definition) -> bool:
    """Tell whether a feature is part of a prediction log."""
    return TAG in definition.tags


def writes_of(bee: BeeSpec, entity: str, time: datetime, served: Served) -> list[Write]:
    """Return what is stored of one prediction.

    Raises:
        TypeError, ValueError: an answer that JSON cannot say.
    """
    names, answer = names_of(bee.bee), served.answers[served.version]
    values: dict[str, Value] = {names.version: served.version, names.served: _text(served)}
    said = _number(answer.prediction) if bee.task == "regression" else class_text(answer.prediction)
    if said is not None:
        values[names.prediction] = said
    if answer.score is not None and math.isfinite(answer.score):
        values[names.score] = answer.score
    return [Write(entity, name, value, time, time) for name, value in values.items()]


def class_text(value: Any) -> str | None:
    """Return a class as text: whole numbers without a point, booleans as JSON writes them."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _number(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _text(served: Served) -> str:
    encoded = msgspec.json.encode(served)
    if len(encoded) > MAX_STRING_BYTES:
        encoded = msgspec.json.encode(msgspec.structs.replace(served, features=None))
    return encoded.decode()


class Said(msgspec.Struct):
    """The part of a logged text that says who answered what: the rest of it is not even decoded."""

    version: str
    answers: dict[str, Answer]
    given: bool = False


def decoder(kind: type[Any]) -> Any:
    """Return what reads the JSON of a logged prediction, wholly (`Served`) or in part (`Said`)."""
    return msgspec.json.Decoder(kind).decode


def answers_in(texts: Sequence[Value], version: str) -> list[Answer | None]:
    """Return what one version said in each logged text, None where it was not asked."""
    read = decoder(Said)
    return [read(str(text)).answers.get(version) for text in texts]
