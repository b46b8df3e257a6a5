"""Logged predictions, written as the log itself writes them."""

from collections.abc import Mapping
from datetime import datetime

from worker.bee import BeeSpec
from worker.features.port import FeatureStore, Value
from worker.serving.log import define
from worker.serving.served import Answer, Served, writes_of


def log(
    store: FeatureStore,
    bee: BeeSpec,
    entity: str,
    time: datetime,
    *,
    answers: Mapping[str, Answer] | None = None,
    features: Mapping[str, Value] | None = None,
    given: bool = False,
) -> None:
    """Store one served prediction; the first of `answers` was the answer (default: version 1 said 1.0)."""
    define(store, bee, None)
    said = dict(answers or {"1": Answer(1.0, 0.75)})
    served = Served(next(iter(said)), said, features, given=given)
    store.write(writes_of(bee, entity, time, served))
