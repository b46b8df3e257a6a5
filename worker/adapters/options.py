"""What a backend's `build(options)` gets: the settings as plain values, so that adapters know no configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worker.clock import Clock
from worker.engine.port import Journal


@dataclass(frozen=True)
class Options:
    """Everything that any backend is built from.

    Attributes:
        values: every setting by name (`project`, `region`, `max_steps`, …).
        owner: names this process in leases.
        journal: the local engine's durable storage.
        source: where a local subscription reads from: a path, `-`, or None for nowhere.
        environment: variables that step processes get.
    """

    home: Path
    clock: Clock
    owner: str
    values: Mapping[str, Any]
    journal: Journal | None = None
    source: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
