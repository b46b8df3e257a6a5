"""The feature store for programs elsewhere: `FeatureClient`, and `AsyncFeatureClient` for asyncio, over HTTP.

    with FeatureClient("https://colony.example.org", token="colony_…") as features:
        features.store(StoreValue("c-1017", "spam_probability", 0.93, timestamp=datetime.now(tz=UTC)))
        features.get_feature("c-1017", "spam_probability").value

Importing this takes a few milliseconds; httpx and tenacity are loaded with the first client.
"""

from worker.features.client.aio import AsyncFeatureClient
from worker.features.client.blocking import FeatureClient
from worker.features.client.calls import Answered, Unreachable
from worker.features.wire import (
    DefineRequest,
    DefinitionDetail,
    DefinitionPage,
    DefinitionShown,
    FeatureUsage,
    FeatureValue,
    SpineRow,
    StoreValue,
    TrainingAnswer,
    TrainingRow,
    ValueShown,
)

__all__ = [
    "Answered",
    "AsyncFeatureClient",
    "DefineRequest",
    "DefinitionDetail",
    "DefinitionPage",
    "DefinitionShown",
    "FeatureClient",
    "FeatureUsage",
    "FeatureValue",
    "SpineRow",
    "StoreValue",
    "TrainingAnswer",
    "TrainingRow",
    "Unreachable",
    "ValueShown",
]
