"""How features are watched: `monitor:` in a file of `config/features`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Self

from pydantic import model_validator

from worker.bee import DriftSpec, Duration, Value
from worker.features.port import Definition
from worker.serving.served import is_log

Reference = Literal["previous", "training"]


class FeatureMonitorSpec(Value):
    """How a group of features is looked at.

    Attributes:
        every: look by itself so often, at whole multiples since 1970 in UTC; None: only when asked.
        window: so long; None: as long as `every`, or a day. As long a period before is what is usual.
        delay: a window is looked at so long after its end: what comes later does not count.
        expect: how old the newest value of a feature without a ttl may be; None: any age.
        reference: what the values are compared with: the period before (`previous`), and the rows that the models in
            production were trained on (`training`).
        features: their names, or `all` that come in; none: those that the file defines.
        keep: how long the profiles of past windows are kept.
    """

    every: Duration | None = None
    window: Duration | None = None
    delay: Duration = timedelta(0)
    expect: Duration | None = None
    reference: tuple[Reference, ...] = ("previous", "training")
    features: tuple[str, ...] | Literal["all"] = ()
    keep: Duration = timedelta(days=400)
    drift: DriftSpec = DriftSpec()

    @model_validator(mode="after")
    def _check(self) -> Self:
        times = {"every": self.every, "window": self.window, "expect": self.expect, "keep": self.keep}
        for name, time in times.items():
            if time is not None and time <= timedelta(0):
                raise ValueError(f"{name} must be longer than nothing")
        if self.delay < timedelta(0):
            raise ValueError("delay must not be negative")
        if self.keep < 2 * self.length:
            raise ValueError("keep must be two windows or more: one is what the next is compared with")
        return self

    @property
    def length(self) -> timedelta:
        """How long a window is."""
        return self.window or self.every or timedelta(days=1)


@dataclass(frozen=True)
class FeatureGroup:
    """Features that are looked at together: their tests are corrected together.

    Attributes:
        name: of the file that asks for it.
        features: their names; None: all that come in, those of prediction logs aside.
    """

    name: str
    spec: FeatureMonitorSpec
    features: tuple[str, ...] | None = None

    def of(self, definitions: Mapping[str, Definition]) -> list[Definition]:
        """Return the definitions of those that come in, by name; what is computed or not defined is left out."""
        every = [name for name, item in definitions.items() if not is_log(item)]
        names = every if self.features is None else self.features
        found = [definitions[name] for name in names if name in definitions]
        return sorted((item for item in found if item.source == "ingested"), key=lambda item: item.name)
