"""A backtest as tables: each period, then each policy in sum."""

import click

from worker.backtest.report import Arm, Kind, Report, best
from worker.cli.common import money, print_table

_MOST = 60


def print_report(report: Report) -> None:
    """Print both tables."""
    first = report.first
    click.echo(f"{click.style(report.bee, bold=True)}: {report.metric}, {report.periods[0].start:%Y-%m-%d} to "
               f"{report.periods[-1].end:%Y-%m-%d}, {sum(rows for rows, _ in report.counts):,} rows; begun with "
               f"version {first.version}")  # fmt: skip
    columns = ("period from", "rows", *(name for arm in report.arms for name in (arm.policy.value, "so far", "served")))
    hidden = max(0, len(report.periods) - _MOST)
    if hidden:
        click.echo(f"… {hidden} periods before are in --json")
    print_table(columns, [_row(report, place) for place in range(hidden, len(report.periods))], empty="")
    click.echo()
    top = best(report.arms, lower_is_better=report.lower_is_better)
    head = ("policy", f"{report.metric} of all rows", "retrains", "deployed", "refused", "rolled back", "failed",
            "escalated", "cost", "CPU s")  # fmt: skip
    print_table(head, [_sum(arm, top) for arm in report.arms], empty="")


def _row(report: Report, place: int) -> list[str]:
    rows, positives = report.counts[place]
    shown = f"{rows:,}" if positives is None else f"{rows:,} ({positives:,} positive)"
    cells = [f"{report.periods[place].start:%Y-%m-%d %H:%M}".removesuffix(" 00:00"), shown]
    for arm in report.arms:
        point = arm.points[place]
        cells += [_number(point.value), _number(point.cumulative), point.served.replace("T00:00", "")]
    return cells


def _sum(arm: Arm, top: float | None) -> list[str]:
    counts = arm.counts
    kinds = (Kind.RETRAINED, Kind.DEPLOYED, Kind.REFUSED, Kind.ROLLED_BACK, Kind.FAILED, Kind.ESCALATED)
    mark = " *" if arm.metric is not None and arm.metric == top else ""
    numbers = [str(counts[kind]) for kind in kinds]
    return [arm.policy.value, f"{_number(arm.metric)}{mark}", *numbers, money(arm.cost) or "?", f"{arm.cpu_s:.1f}"]


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"
