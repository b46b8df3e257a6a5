"""Whether a period's columns have drifted from a reference, and how badly; pure.

| severity | the first that holds |
|---|---|
| high | the score (the mean PSI of all features, those without a finding counted as 0) is at least `severity.high` |
| medium | it is at least `severity.medium`; or one column, the predictions among them, has alone a PSI of `high`, or
the share of what is missing in it has changed by half |
| low | there is a finding |
| none | there is none |
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from worker.bee import DriftSpec
from worker.monitor.cells import Histogram, counted, unseen
from worker.monitor.column import Summary
from worker.monitor.correction import corrected
from worker.monitor.distance import Tested, chi_square, jensen_shannon, kolmogorov_smirnov, psi
from worker.monitor.finding import Finding

Severity = Literal["none", "low", "medium", "high"]
#: What is not seen in n rows may have a share of 3/n nevertheless, with 95 %.
_RULE_OF_THREE = 3
#: A column of which so much more is missing, or there, is bad enough alone.
_HALF = 0.5
#: Texts of which more than one in five rows has one of its own name things: that they are new says nothing.
_NAMES = 0.2


@dataclass(frozen=True)
class ColumnDrift:
    """How far one column of the window is from the reference.

    Attributes:
        reference_rows, window_rows: rows with a value.
        psi, jensen_shannon, statistic, p_value: NaN where there is too little on either side.
        test: `kolmogorov-smirnov` or `chi-square`; `p_value` is corrected once all columns are known.
        missing: the share of missing values, before and now; `missing_p_value` is corrected, too.
        new_categories: with their rows, the most frequent first; what is seen too rarely to be a finding included.
        new_p_value: how likely so many rows of them are if nothing has changed; corrected, too; NaN for numbers.
        found: what is wrong; nothing: it has not drifted.
    """

    name: str
    reference_rows: int
    window_rows: int
    psi: float
    jensen_shannon: float
    test: str
    statistic: float
    p_value: float
    missing: tuple[float, float]
    missing_p_value: float
    new_categories: Mapping[str, int]
    new_p_value: float = math.nan
    found: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[str, ...]:
        """What is wrong, in words."""
        return tuple(one.words for one in self.found)

    @property
    def judged(self) -> bool:
        """Whether there was enough on both sides."""
        return not math.isnan(self.psi)


@dataclass(frozen=True)
class Drift:
    """What is said of a window.

    Attributes:
        features: the bee's features, those with findings first, then by PSI.
        predictions: what the model made of them, None if it was not asked.
        score: what the severity goes by.
    """

    severity: Severity
    score: float
    features: Sequence[ColumnDrift]
    predictions: ColumnDrift | None

    @property
    def drifted(self) -> tuple[str, ...]:
        """The features with findings, the worst first."""
        return tuple(one.name for one in self.features if one.findings)


def compare_column(name: str, reference: Summary, window: Summary, spec: DriftSpec) -> ColumnDrift:
    """Return one column's numbers, its p-values not yet corrected and nothing concluded."""
    before, now = counted(reference, window)
    numeric = reference.numbers is not None and window.numbers is not None
    distances, tested = (math.nan, math.nan), Tested(math.nan, math.nan)
    names_things = not numeric and len(reference.categories) > _NAMES * reference.known
    if min(reference.known, window.known) >= spec.min_rows and not names_things:
        distances = psi(before, now), jensen_shannon(before, now)
        tested = _test(reference, window, before, now)
    missing = Tested(math.nan, math.nan)
    if min(reference.rows, window.rows) >= spec.min_rows:
        missing = chi_square(_holes(reference), _holes(window))
    new = {} if numeric or names_things else unseen(reference, window)
    return ColumnDrift(
        name=name,
        reference_rows=reference.known,
        window_rows=window.known,
        psi=distances[0],
        jensen_shannon=distances[1],
        test="kolmogorov-smirnov" if numeric else "chi-square",
        statistic=tested.statistic,
        p_value=tested.p_value,
        missing=(_share(reference.missing, reference.rows), _share(window.missing, window.rows)),
        missing_p_value=missing.p_value,
        new_categories=new,
        new_p_value=math.nan if math.isnan(distances[0]) or numeric else _new_p(reference, window, sum(new.values())),
    )


def judge(features: Sequence[ColumnDrift], predictions: ColumnDrift | None, spec: DriftSpec) -> Drift:
    """Return what is concluded from all columns: p-values corrected together, findings, score and severity."""
    columns = [*features, *([predictions] if predictions else [])]
    p_values = corrected([p for one in columns for p in _p_values(one)], spec.correction)
    found = [
        _concluded(replace(one, p_value=p, missing_p_value=missing_p, new_p_value=new_p), spec)
        for one, p, missing_p, new_p in zip(columns, p_values[::3], p_values[1::3], p_values[2::3], strict=True)
    ]
    ours, theirs = found[: len(features)], found[len(features) :]
    moved = [one.psi for one in ours if one.findings and one.judged]
    score = math.fsum(moved) / len(ours) if ours else 0.0
    ranked = sorted(ours, key=lambda one: (not one.findings, -one.psi if one.judged else 0.0, one.name))
    return Drift(_severity(found, score, spec), score, ranked, theirs[0] if theirs else None)


def _p_values(one: ColumnDrift) -> tuple[float, float, float]:
    return one.p_value, one.missing_p_value, one.new_p_value


def _new_p(reference: Summary, window: Summary, rows: int) -> float:
    """Return how likely so many rows of unseen categories are.

    What was not seen has about the share that what was seen once has (I. J. Good, 1953), two standard errors of that
    more at the most, and 3 rows' where nothing was seen once (the rule of three; J. Hanley and A. Lippman-Hand, 1983).
    """
    if not rows:
        return 1.0
    from scipy.special import bdtrc  # type: ignore[import-untyped]

    once = sum(count == 1 for count in reference.categories.values())
    share = min(1.0, (once + 2 * math.sqrt(once) + _RULE_OF_THREE) / reference.known)
    return float(bdtrc(rows - 1, window.known, share))


def _test(reference: Summary, window: Summary, before: Histogram, now: Histogram) -> Tested:
    if reference.numbers is not None and window.numbers is not None:
        return kolmogorov_smirnov(reference.numbers, window.numbers)
    return chi_square(before, now)


def _holes(one: Summary) -> Histogram:
    return np.array([one.missing, one.known])


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def _concluded(one: ColumnDrift, spec: DriftSpec) -> ColumnDrift:
    found = []
    if one.psi >= spec.psi and one.jensen_shannon >= spec.jensen_shannon and one.p_value < spec.alpha:
        found.append(Finding("drifted", f"its values have moved: PSI {one.psi:.2f}"))
    before, now = one.missing
    if abs(now - before) >= spec.missing and one.missing_p_value < spec.alpha:
        found.append(Finding("missing", f"{now:.0%} are missing, {before:.0%} were"))
    new = sum(one.new_categories.values())
    if new >= spec.new_categories * max(one.window_rows, 1) and one.new_p_value < spec.alpha:
        names = ", ".join(list(one.new_categories)[:3])
        found.append(Finding("drifted", f"{new / one.window_rows:.0%} have a new category: {names}"))
    return replace(one, found=tuple(found))


def _severity(columns: Sequence[ColumnDrift], score: float, spec: DriftSpec) -> Severity:
    found = [one for one in columns if one.findings]
    if not found:
        return "none"
    if score >= spec.severity.high:
        return "high"
    alone = any(one.psi >= spec.severity.high or abs(one.missing[1] - one.missing[0]) >= _HALF for one in found)
    return "medium" if alone or score >= spec.severity.medium else "low"
