"""The tables of a what-if: per bee and in sum, the difference between two policies, a sweep."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from worker.cli.whatif_sweep import Candidate
from worker.whatif.comparison import Differences
from worker.whatif.report import Table, most_telling
from worker.whatif.run import Case, WhatIf
from worker.whatif.sums import BeeSums

MAX_BEES = 50
MAX_PERIODS = 30
MAX_DIFFERENCES = 20
_SUMS = ("runs", "held", "joined", "incidents", "escalated", "cost", "bad periods", "bad time", "longest")
_COLUMNS = ("bee", "evaluations", "triggers", *_SUMS, "stale", "refused", "duplicates")


def tables_of(whatif: WhatIf, candidates: Sequence[Candidate]) -> list[Table]:
    """Return the tables that answer what was asked."""
    if candidates:
        return [_sweep(whatif, candidates)]
    found = [_case(case) for case in whatif.cases]
    if whatif.differences is not None:
        found += [_difference(whatif.cases), _kinds(whatif.differences), _events(whatif.differences)]
    else:
        found += [_held(whatif.cases[0]), _periods(whatif.cases[0])]
    return [table for table in found if table.rows]


def _case(case: Case) -> Table:
    names, bees = most_telling(case), case.sums.bees
    shown = sorted(names[:MAX_BEES])
    rows = [_row(name, bees[name]) for name in shown]
    rest = len(names) - len(shown)
    if rest:
        rows.append([f"… {rest:,} more", *[""] * (len(_COLUMNS) - 1)])
    return Table(_COLUMNS, [*rows, _row("sum", case.sums.all())], f"{case.name} (policy {case.policy.version})")


def _row(name: str, sums: BeeSums) -> list[Any]:
    actions = sums.actions
    few = [f"{actions[action]:,}" for action in ("stale", "refused", "duplicate")]
    return [name, f"{sums.events:,}", f"{actions['trigger']:,}", *_cells(sums), *few]


def _cells(sums: BeeSums) -> list[str]:
    return [
        f"{sums.runs:,}",
        f"{sums.actions['held']:,}",
        f"{sums.actions['attached']:,}",
        f"{sums.incidents:,}",
        f"{sums.escalated:,}",
        f"{sums.cost:,.2f}",
        f"{sums.periods.count:,}",
        lasting(sums.periods.total),
        lasting(sums.periods.longest),
    ]


def _held(case: Case) -> Table:
    held = case.sums.all().held_by
    rows = [[name, f"{count:,}"] for name, count in sorted(held.items(), key=lambda pair: (-pair[1], pair[0]))]
    return Table(("held back by", "evaluations"), rows)


def _periods(case: Case) -> Table:
    found = [(name, one) for name, sums in sorted(case.sums.bees.items()) for one in sums.periods.kept]
    longest = sorted(found, key=lambda pair: (-pair[1].lasted, pair[0], pair[1].begin))[:MAX_PERIODS]
    rows = [
        [
            name,
            one.version,
            f"{one.begin:%Y-%m-%d %H:%M}",
            f"{one.end:%Y-%m-%d %H:%M}" if one.end else "not over",
            lasting(one.lasted),
            f"{one.evaluations:,}",
            f"{one.runs:,}",
            lasting(one.first_run - one.begin) if one.first_run else "never",
        ]
        for name, one in longest
    ]
    columns = ("bee", "version", "bad from", "until", "lasted", "bad evaluations", "runs", "first run after")
    return Table(columns, rows, f"Bad periods{', the longest' if len(found) > len(rows) else ''}")


def _difference(cases: Sequence[Case]) -> Table:
    new, old = cases[0].sums.all(), cases[1].sums.all()
    rows = [
        [name, before, after]
        for name, before, after in zip(
            ("triggers", *_SUMS),
            [f"{old.actions['trigger']:,}", *_cells(old)],
            [f"{new.actions['trigger']:,}", *_cells(new)],
            strict=True,
        )
    ]
    return Table(("in sum", cases[1].name, cases[0].name), rows, "Difference")


def _kinds(differences: Differences) -> Table:
    rows = [[old, new, f"{count:,}"] for (old, new), count in sorted(differences.counts.items())]
    return Table(("was", "becomes", "evaluations"), rows, f"{differences.total:,} evaluations are decided differently")


def _events(differences: Differences) -> Table:
    shown = differences.kept[:MAX_DIFFERENCES]
    rows = [[one.at, one.bee, one.event_id, one.was.value, one.action.value, one.reason] for one in shown]
    title = "Decided differently" + (f", the first {len(shown)}" if differences.total > len(shown) else "")
    return Table(("evaluated at", "bee", "event", "was", "becomes", "because"), rows, title)


def _sweep(whatif: WhatIf, candidates: Sequence[Candidate]) -> Table:
    names = tuple(candidates[0].values)
    rows = []
    for candidate, case in zip(candidates, whatif.cases, strict=True):
        sums = case.sums.all()
        values = [str(value) for value in candidate.values.values()]
        rows.append([*values, f"{sums.actions['trigger']:,}", *_cells(sums)])
    return Table((*names, "triggers", *_SUMS), rows, "Sweep")


def lasting(duration: timedelta) -> str:
    """Return a duration as a person compares it: in minutes, hours or days."""
    seconds = duration.total_seconds()
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86400 else f"{seconds / 86400:.1f} d"
