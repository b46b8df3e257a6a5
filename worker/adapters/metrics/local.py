"""Counters and gauges of this process, held in memory and rendered as Prometheus text."""

import threading
from dataclasses import dataclass
from functools import lru_cache

from worker.adapters.options import Options
from worker.telemetry import METRICS, Kind, check


@dataclass(frozen=True)
class Series:
    """One metric with one set of label values, in the order of the declaration."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()


class LocalMetrics:
    """Keeps the points in memory; nothing leaves the process except through `render`."""

    def __init__(self) -> None:
        """Start with no series."""
        self._lock = threading.Lock()
        self._values: dict[Series, float] = {}

    def count(self, name: str, value: float = 1, **labels: str) -> None:
        """Add to a counter."""
        if value < 0:
            msg = f"counter {name!r} cannot fall (by {value})"
            raise ValueError(msg)
        series = _series(name, Kind.COUNTER, labels)
        with self._lock:
            self._values[series] = self._values.get(series, 0.0) + value

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        series = _series(name, Kind.GAUGE, labels)
        with self._lock:
            self._values[series] = float(value)

    def snapshot(self) -> dict[Series, float]:
        """Return a copy of all values, in the order of the declaration and then of the labels."""
        order = {name: place for place, name in enumerate(METRICS)}
        with self._lock:
            items = list(self._values.items())
        return dict(sorted(items, key=lambda item: (order[item[0].name], item[0].labels)))

    def render(self) -> str:
        """Return Prometheus text: HELP and TYPE once per metric, then its series."""
        lines: list[str] = []
        last = ""
        for series, value in self.snapshot().items():
            if series.name != last:
                metric = METRICS[series.name]
                lines += [f"# HELP {series.name} {metric.help}", f"# TYPE {series.name} {metric.kind}"]
                last = series.name
            lines.append(f"{series.name}{_label_text(series)} {_number(value)}")
        return "".join(f"{line}\n" for line in lines)

    def flush(self) -> None:
        """Nothing is owed: `/metrics` is read, not written."""

    def close(self) -> None:
        """Nothing is held."""


def from_options(_options: Options) -> LocalMetrics:
    """Return the counters of this process."""
    return LocalMetrics()


def _series(name: str, kind: Kind, labels: dict[str, str]) -> Series:
    return _checked(name, kind, tuple(labels.items()))


# Every message counts twice, mostly with the same labels.
@lru_cache(maxsize=4096)
def _checked(name: str, kind: Kind, items: tuple[tuple[str, str], ...]) -> Series:
    labels = dict(items)
    check(name, kind, labels)
    return Series(name, tuple((label, str(labels[label])) for label in METRICS[name].labels))


def _label_text(series: Series) -> str:
    if not series.labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in series.labels) + "}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
