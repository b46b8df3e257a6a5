"""What of Google's the colony stands on beside its ports: names, rights and limits, asked by real calls.

Each check says what is missing with the command that mends it. Nothing here writes but what `live_checks` names.
"""

import importlib
from collections.abc import Mapping
from typing import cast

from worker.adapters.google_checks.place import Place, place_of
from worker.checkup import Check, Doubt

__all__ = ["Place", "checks", "live_checks", "place_of"]

#: part → (the port that needs it, module, function); each is loaded when it is asked.
CHECKS: Mapping[str, tuple[str, str, str]] = {
    "deliveries": ("bus", "bus", "deliveries"),
    "bus rights": ("bus", "bus", "rights"),
    "dead letter rights": ("bus", "bus", "dead_letter_rights"),
    "ends of jobs": ("engine", "bus", "ends_of_jobs"),
    "bucket": ("engine", "bucket", "rights"),
    "project rights": ("", "project", "rights"),
    "steps account": ("engine", "project", "steps_account"),
    "dataset": ("features", "dataset", "there"),
    "online store": ("online", "vertex", "online_store"),
    "endpoints": ("serving", "vertex", "endpoints"),
    "metrics": ("metrics", "metrics", "descriptors"),
}
#: The same for what writes, and takes away again what it wrote.
LIVE: Mapping[str, tuple[str, str, str]] = {
    "live: message": ("bus", "bus", "round_trip"),
    "live: object": ("engine", "bucket", "round_trip"),
    "live: query": ("features", "dataset", "dry_run"),
    "live: pipeline jobs": ("engine", "vertex", "one_job"),
    "live: metric point": ("metrics", "metrics", "one_point"),
}


def checks(place: Place) -> Mapping[str, Check]:
    """Return the checks that read only."""
    return _needed(CHECKS, place)


def live_checks(place: Place) -> Mapping[str, Check]:
    """Return the checks that write, or cost a fraction of a cent."""
    return _needed(LIVE, place)


def _needed(table: Mapping[str, tuple[str, str, str]], place: Place) -> Mapping[str, Check]:
    return {
        part: _loaded(module, function, place)
        for part, (port, module, function) in table.items()
        if (port in place.used if port else place.used)
    }


def _loaded(module: str, function: str, place: Place) -> Check:
    def check() -> str | Doubt | None:
        made = getattr(importlib.import_module(f"{__name__}.{module}"), function)
        return cast("str | Doubt | None", made(place))

    return check
