"""What may be wrong with a feature, by kind: what events tell and what a policy goes by; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

#: drifted: its values are distributed otherwise than in the period before, or have new categories.
#: missing: another share of the entities seen has no value. volume: far more or fewer values came in.
#: range: values lie outside what is declared. stale: the newest is older than is expected.
#: skewed: what was served is not what the store says was true then.
#: unlikeTraining: the rows in the window are unlike those that a model in production was trained on.
Kind = Literal["drifted", "missing", "volume", "range", "stale", "skewed", "unlikeTraining"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a feature.

    Attributes:
        words: what a person reads, `its values have moved: PSI 0.31`.
        bee, version: whose model it was compared for; empty where it holds for everybody.
    """

    kind: Kind
    words: str
    bee: str = ""
    version: str = ""


@dataclass(frozen=True)
class FeatureFindings:
    """What the newest window said of a feature.

    Attributes:
        since: the end of the first of the windows in a row that had a finding; of the newest where it has none.
        feeds: the computed features that are made of it.
    """

    feature: str
    start: datetime
    end: datetime
    found: Sequence[Finding] = ()
    since: datetime | None = None
    feeds: Sequence[str] = ()

    def of(self, bee: str, reads: Iterable[str]) -> tuple[Finding, ...]:
        """Return the findings that concern a bee which reads these features."""
        if not {self.feature, *self.feeds}.intersection(reads):
            return ()
        return tuple(one for one in self.found if one.bee in {"", bee})


@dataclass(frozen=True)
class OpenFinding:
    """A finding of a feature that a bee's rows depend on, as a guard sees it."""

    feature: str
    kind: str
    words: str
    since: datetime | None = None
