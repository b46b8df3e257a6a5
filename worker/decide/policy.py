"""The policy's values: the thresholds of the rule."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

SEVERITIES = ("none", "low", "medium", "high", "critical")


@dataclass(frozen=True)
class Policy:
    """What makes an evaluation a reason to retrain.

    Attributes:
        max_drop: the relative drop of the bee's metric that is still tolerated; only more than it triggers.
        drift_severity: the severity that triggers.
        drift_at_least: whether higher severities than that trigger, too.
        max_ahead: how far ahead of the clock an event time may be.
        version: the hash of the file, recorded with each decision.
    """

    max_drop: Decimal = Decimal("0.20")
    drift_severity: str = "high"
    drift_at_least: bool = False
    max_ahead: timedelta = timedelta(minutes=5)
    version: str = "default"

    def severe(self, severity: str | None) -> bool:
        """Tell whether a severity is one that triggers; one that the order does not know never is."""
        if not self.drift_at_least:
            return severity == self.drift_severity
        if severity not in SEVERITIES:
            return False
        return SEVERITIES.index(severity) >= SEVERITIES.index(self.drift_severity)
