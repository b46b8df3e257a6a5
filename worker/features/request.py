"""What a training request asks for: its checks against the definitions, and its form for keeping it; pure."""

from collections.abc import Mapping
from typing import Any

from worker.errors import Rejected
from worker.features.computed.inputs import closure
from worker.features.definition import time_us, unknown_feature
from worker.features.port import Definition, LabelWindow, TrainingRequest


def needed(request: TrainingRequest) -> list[str]:
    """Return every feature name that a request reads, once each: features, keys of further entities, label."""
    label = [request.label.label] if request.label else []
    return list(dict.fromkeys([*request.features, *request.entities.values(), *label]))


def check_request(request: TrainingRequest, definitions: Mapping[str, Definition]) -> None:
    """Refuse a request that cannot be answered.

    Raises:
        Rejected: an unknown feature, one of an entity that the request does not reach, a wrong key, no rows asked for.
    """
    for name in needed(request):
        if name not in definitions:
            raise Rejected(str(unknown_feature(name, list(definitions))), field="features")
    if (request.spine is None) == (request.label is None):
        raise Rejected("a training read takes either a spine or a label window", field="spine")
    if not request.features and request.label is None:
        raise Rejected("no feature is asked for", field="features")
    if request.label is not None:
        _check_label(request, request.label, definitions)
    for entity, key in request.entities.items():
        _check_key(request, entity, definitions[key])
    for name in request.features:
        _check_reach(request, definitions[name])


def _check_label(request: TrainingRequest, label: LabelWindow, definitions: Mapping[str, Definition]) -> None:
    if label.label in request.features:
        raise Rejected(f"the label {label.label!r} is among the features", field="features", mend="take it out")
    if definitions[label.label].source == "computed":
        reason = f"{label.label!r} is computed; rows are made by observations that were stored"
        raise Rejected(reason, field="label", mend="store the label as a feature of its own")
    _check_leaks(request, label, definitions)
    if definitions[label.label].entity != request.entity:
        entity = definitions[label.label].entity
        raise Rejected(f"{label.label!r} is a feature of {entity!r}, not of {request.entity!r}", field="label")
    if time_us(label.start, "label.start") > time_us(label.end, "label.end"):
        raise Rejected("the label window ends before it starts", field="label")


def _check_leaks(request: TrainingRequest, label: LabelWindow, definitions: Mapping[str, Definition]) -> None:
    """Refuse a feature that is computed from the label: at the row's own time it would hold what is to be learnt."""
    for name in request.features:
        if label.label in closure([name], definitions):
            reason = f"{name!r} is computed from the label {label.label!r}"
            raise Rejected(reason, field="features", mend="take it out: the row's own label would be in it")


def _check_key(request: TrainingRequest, entity: str, key: Definition) -> None:
    field = f"entities.{entity}"
    if entity == request.entity:
        raise Rejected(f"{entity!r} is the entity of the rows themselves", field=field, mend="take it out")
    if key.entity != request.entity:
        raise Rejected(f"{key.name!r} is a feature of {key.entity!r}, not of {request.entity!r}", field=field)
    if key.type != "string":
        raise Rejected(f"{key.name!r} is a {key.type}; an entity id is a string", field=field)


def _check_reach(request: TrainingRequest, definition: Definition) -> None:
    if definition.entity not in {request.entity, *request.entities}:
        reason = f"{definition.name!r} is a feature of {definition.entity!r}, and the rows are of {request.entity!r}"
        mend = f"name the feature of {request.entity!r} that holds the id: entities: {{{definition.entity}: …}}"
        raise Rejected(reason, field="features", mend=mend)


def request_body(request: TrainingRequest) -> dict[str, Any]:
    """Return a request without its spine as plain values, times in microseconds: what a snapshot keeps and names."""
    label = request.label
    window = None if label is None else [label.label, time_us(label.start, "start"), time_us(label.end, "end")]
    return {
        "entity": request.entity,
        "features": list(request.features),
        "entities": dict(sorted(request.entities.items())),
        "label": window,
        "respectKnownAt": request.respect_known_at,
    }
