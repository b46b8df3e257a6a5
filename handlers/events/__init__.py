"""Events the worker takes: type → handler. Adding one is a module here and its line in this table."""

from collections.abc import Callable, Mapping

from handlers.events.context import EventContext
from handlers.events.feature_found import FeatureFound
from handlers.events.model_evaluated import ModelEvaluated
from handlers.events.run_state_changed import RESOURCE, RunStateChanged
from worker.intake.receive import EventHandler

EVENTS: Mapping[str, Callable[[EventContext], EventHandler]] = {
    "feature.found": FeatureFound,
    "model.evaluated": ModelEvaluated,
    RESOURCE: RunStateChanged,
}


def event_handlers(context: EventContext) -> Mapping[str, EventHandler]:
    """Return the handlers, each with what it needs."""
    return {type_: handler(context) for type_, handler in EVENTS.items()}
