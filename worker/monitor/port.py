"""What the feature monitor asks of the ledger, inside one transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from worker.monitor.finding import FeatureFindings
from worker.monitor.profile import Profile


class FeatureLedger(Protocol):
    """Profiles of features, one for each period, and what the newest window said of each feature."""

    def keep(self, profile: Profile) -> None:
        """Keep a profile; one of the same feature and period is replaced."""
        ...

    def profile(self, feature: str, period: str) -> Profile | None:
        """Return one; None if there is none, or it cannot be read any more."""
        ...

    def history(self, feature: str, *, limit: int) -> Sequence[Profile]:
        """Return the newest profiles of a feature's windows, oldest first."""
        ...

    def forget(self, features: Sequence[str], before: datetime) -> int:
        """Forget the profiles of periods that ended before a time; return how many there were."""
        ...

    def found(self, findings: FeatureFindings) -> None:
        """Note what a window said of a feature; an older window than the newest changes nothing."""
        ...

    def open_findings(self) -> Sequence[FeatureFindings]:
        """Return the features whose newest window had a finding, by name."""
        ...
