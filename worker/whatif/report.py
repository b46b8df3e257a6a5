"""A what-if as one JSON object, and as one HTML page with its plots; the same input gives the same bytes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from worker.clock import to_text
from worker.whatif.plot import plot
from worker.whatif.run import Case, WhatIf
from worker.whatif.sums import BeeSums, as_json, hours

#: So many bees are drawn in one page, those with the most runs and the most time bad before others.
MAX_DRAWN = 60

_STYLE = """body{font:14px/1.5 system-ui,sans-serif;color:#22262b;max-width:1200px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;font-size:13px}
th,td{padding:3px 10px;text-align:right;border-bottom:1px solid #e6e8eb;white-space:nowrap}
th:first-child,td:first-child{text-align:left}td.said,th.said{text-align:left;white-space:normal;min-width:4rem}
tr.sum td{font-weight:600;border-top:2px solid #7a7f87}div.wide{overflow-x:auto}li{margin:.2rem 0}
svg{max-width:100%;height:auto;margin:.5rem 0;border:1px solid #e6e8eb}"""


@dataclass(frozen=True)
class Table:
    """A table as the terminal and the page show it."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    title: str = ""


def document(whatif: WhatIf, assumed: Iterable[str], found: Mapping[str, str]) -> Mapping[str, Any]:
    """Return everything as JSON values; `found` are the bees that the recording told of, with their metrics."""
    cases = [_case(case) for case in whatif.cases]
    differences = whatif.differences
    compared = differences and {
        "total": differences.total,
        "counts": [
            {"against": old, "action": new, "evaluations": count}
            for (old, new), count in sorted(differences.counts.items())
        ],
        "sums": difference_of(whatif.cases[0].sums.all(), whatif.cases[1].sums.all()),
        "evaluations": [one.as_json() for one in differences.kept],
    }
    return {
        "messages": whatif.messages,
        "from": to_text(whatif.begin) if whatif.begin else None,
        "to": to_text(whatif.end) if whatif.end else None,
        "assumed": list(assumed),
        "defaultBees": dict(found),
        "policies": cases,
        "difference": compared,
    }


def difference_of(new: BeeSums, old: BeeSums) -> Mapping[str, Any]:
    """Return by how much the new sums are more than the old ones; what is equal is left out."""
    one, two = as_json(new), as_json(old)
    found: dict[str, Any] = {}
    for name, value in one.items():
        other = two[name]
        if isinstance(value, dict) and isinstance(other, dict):
            changed = {key: value.get(key, 0) - other.get(key, 0) for key in sorted({*value, *other})}
            if any(changed.values()):
                found[name] = {key: number for key, number in changed.items() if number}
        elif isinstance(value, int | float) and isinstance(other, int | float) and value != other:
            found[name] = round(value - other, 6)
    return found


def page(whatif: WhatIf, title: str, assumed: Iterable[str], tables: Sequence[Table]) -> str:
    """Return the page: what is assumed, the tables, and a plot of each bee under the first policy."""
    said = "".join(f"<li>{escape(sentence)}</li>" for sentence in assumed)
    case = whatif.cases[0]
    names = most_telling(case)
    drawn = [f"<h2>{escape(case.name)}: metric, thresholds, decisions</h2>"] if case.drawing else []
    drawn += [picture(case, name) for name in names[:MAX_DRAWN]] if case.drawing else []
    if case.drawing and len(names) > MAX_DRAWN:
        drawn.append(f"<p>{len(names) - MAX_DRAWN:,} more bees; --plot DIR draws each.</p>")
    # The pictures stand before the last table, which may be a long list of single evaluations.
    shown = [_html(table) for table in tables]
    body = "\n".join([*shown[:-1], *drawn, *shown[-1:]])
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width,initial-scale=1"><title>{escape(title)}</title><style>{_STYLE}</style></head>\n'
        f"<body><h1>{escape(title)}</h1>\n<p>{escape(scope(whatif))}</p><p>Nothing was done. Assumed:</p>"
        f"<ul>{said}</ul>\n{body}\n</body></html>\n"
    )


def picture(case: Case, bee: str) -> str:
    """Return the plot of one bee."""
    drawing = case.drawing
    if drawing is None or bee not in drawing.bees:
        return ""
    sums = case.sums.of(bee)
    words = f"{case.name}: {sums.runs} runs, {hours(sums.periods.total):,.0f} h bad in {sums.periods.count} periods"
    return plot(bee, words, drawing.bees[bee], sums.periods.kept)


def most_telling(case: Case) -> list[str]:
    """Return the bees, those with the most runs and the most time bad first."""
    bees = case.sums.bees
    return sorted(bees, key=lambda name: (-bees[name].runs, -bees[name].periods.total, name))


def scope(whatif: WhatIf) -> str:
    """Return in words what was read, and how often the first policy concluded what."""
    sums = whatif.cases[0].sums
    counts = sums.all().actions
    counts["dead letter"] += sums.dead_letters
    said = ", ".join(f"{count} {action}" for action, count in sorted(counts.items()) if count)
    span = (
        f"; {len(sums.bees)} bees, {to_text(whatif.begin)} to {to_text(whatif.end)}"
        if whatif.begin and whatif.end
        else ""
    )
    return f"{whatif.messages} messages: {said or 'nothing'}{span}"


def dumped(value: Mapping[str, Any]) -> str:
    """Return the text of a JSON file."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _case(case: Case) -> Mapping[str, Any]:
    sums = case.sums
    return {
        "policy": case.name,
        "policyVersion": case.policy.version,
        "sum": {
            **as_json(sums.all()),
            "deadLetters": sums.dead_letters,
            "runsInFlightAtTheEnd": sums.in_flight,
        },
        "bees": [{"beeId": bee, **as_json(one), "periods": _periods(one)} for bee, one in sorted(sums.bees.items())],
    }


def _periods(sums: BeeSums) -> list[Mapping[str, Any]]:
    return [
        {
            "modelVersion": one.version,
            "begin": to_text(one.begin),
            "end": to_text(one.end) if one.end else None,
            "hours": hours(one.lasted),
            "evaluations": one.evaluations,
            "runs": one.runs,
            "firstRunAt": to_text(one.first_run) if one.first_run else None,
        }
        for one in sums.periods.kept
    ]


def _html(table: Table) -> str:
    if not table.rows:
        return ""
    first = table.rows[0]
    head = "".join(f"<th{_class(cell)}>{escape(name)}</th>" for name, cell in zip(table.columns, first, strict=True))
    rows = "\n".join(
        f"<tr{' class=sum' if row[0] == 'sum' else ''}>"
        + "".join(f"<td{_class(cell)}>{escape(str(cell))}</td>" for cell in row)
        + "</tr>"
        for row in table.rows
    )
    title = f"<h2>{escape(table.title)}</h2>" if table.title else ""
    return f'{title}<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>'


def _class(cell: object) -> str:
    return " class=said" if isinstance(cell, str) and len(cell) > 24 else ""
