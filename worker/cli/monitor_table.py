"""A judgement as a person reads it: metrics with interval and baseline, then the columns, drifted ones first."""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from worker.bee import duration_text
from worker.cli.common import print_table
from worker.metric import lower_is_better
from worker.monitor.drift import ColumnDrift, Drift

if TYPE_CHECKING:
    from worker.monitor.judge import Judgement


def print_judgement(judgement: "Judgement") -> None:
    """Print all of it."""
    asked, found = judgement.asked, judgement.results
    head = f"{asked.bee.bee} version {asked.version.version}, {asked.window.id}"
    positives = "" if found.positives is None else f", {found.positives} of them positive"
    served = f", {judgement.logged:,} of them by what was served" if judgement.logged else ""
    if judgement.complete:
        click.echo(f"{click.style(head, bold=True)}: {found.rows} labelled rows{positives}{served}{_share(judgement)}")
        _print_metrics(judgement)
    else:
        click.echo(f"{click.style(head, bold=True)}: not judged yet, its labels are awaited{_share(judgement)}")
    if judgement.drift is None:
        click.echo("drift: too few rows to tell")
    else:
        _print_drift(judgement, judgement.drift)


def _share(judgement: "Judgement") -> str:
    if judgement.labelled is None:
        return ""
    usual = "" if judgement.usual is None else f", {judgement.usual:.0%} usually have"
    return f" ({judgement.labelled:.0%} of what was seen has a label{usual})"


def _print_metrics(judgement: "Judgement") -> None:
    found, bee = judgement.results, judgement.asked.bee
    rows = [
        (
            name,
            "undefined" if one.value is None else _number(one.value),
            "" if one.value is None else f"{_number(one.lower)} to {_number(one.upper)}",
            _number(judgement.baseline.get(name)),
            _change(one.value, judgement.baseline, name, bee.metric_direction if name == bee.metric else None),
            one.rows,
        )
        for name, one in found.metrics.items()
    ]
    confidence = f"{bee.monitor.confidence:.0%} interval"
    print_table(("metric", "value", confidence, "baseline", "against it", "n"), rows, empty="")


def _change(value: float | None, baseline: Mapping[str, float | None], name: str, direction: str | None) -> str:
    """Return by how much a metric is worse or better than its baseline, in shares of that."""
    normal = baseline.get(name)
    if value is None or not normal:
        return ""
    worse = (normal - value) / abs(normal) * (-1 if lower_is_better(name, direction) else 1)
    return f"{abs(worse):.1%} {'worse' if worse > 0 else 'better'}"


def _print_drift(judgement: "Judgement", drift: Drift) -> None:
    reference = judgement.asked.reference
    since = {"previous": "the 30 days before", "training": "the rows it was trained on"}
    against = f"the {duration_text(reference)} before" if isinstance(reference, timedelta) else since[reference]
    click.echo(
        f"drift {click.style(drift.severity, bold=True)} (score {drift.score:.2f}) against {against}, "
        f"{judgement.reference_rows} rows"
    )
    columns = [*([drift.predictions] if drift.predictions else []), *drift.features]
    ranked = sorted(columns, key=lambda one: not one.findings)
    rows = [
        (one.name, _number(one.psi), _number(one.jensen_shannon), *_test(one), _missing(one), "; ".join(one.findings))
        for one in ranked
    ]
    columns_told = ("column", "PSI", "JS", "test", "p, corrected", "missing", "n", "finding")
    told = [
        (*row[:6], f"{one.reference_rows}, {one.window_rows}", row[6]) for one, row in zip(ranked, rows, strict=True)
    ]
    print_table(columns_told, told, empty="")


def _test(one: ColumnDrift) -> tuple[str, str]:
    if math.isnan(one.p_value):
        return "", "too few rows"
    name = "KS" if one.test == "kolmogorov-smirnov" else "χ²"
    return f"{name} {one.statistic:.3g}", f"{one.p_value:.2g}"


def _missing(one: ColumnDrift) -> str:
    before, now = one.missing
    return "" if math.isnan(before) or math.isnan(now) else f"{before:.1%} → {now:.1%}"


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.3f}"
