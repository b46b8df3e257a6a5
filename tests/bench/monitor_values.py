"""What we say of the demo's drifted week, beside what Evidently says of the same rows: values, no times.

They differ where the cells do. Evidently cuts both samples together into cells of equal width (Sturges' rule: most of a
skewed feature is in the first) and gives an empty one a share of 0.0001; ours are the reference's deciles, a value that
many rows share alone, with half a row added to each. On Evidently's own cells our PSI is its PSI, empty cells aside.
Its Jensen–Shannon distance is to base e, ours to base 2: √ln 2 = 0.83 as large. Its chi-square asks whether the window
fits the reference's shares as if these were known for sure, ours whether both come from one population. KS is the same
statistic; of up to 10,000 rows it takes the exact distribution, ours is that of one sample of the effective size.
p-values are told as −log10.
"""

import csv
import gzip
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from tests.bench import evidently
from tests.bench.measure import Figure
from worker.clock import parse_time
from worker.features.columns import Column
from worker.monitor.cells import counted
from worker.monitor.column import Summary, summed_up
from worker.monitor.distance import chi_square, jensen_shannon, kolmogorov_smirnov, psi

DEMO = Path(__file__).parents[2] / "deploy" / "demo" / "messages.csv.gz"
WINDOW = parse_time("2002-09-24T00:00:00Z"), parse_time("2002-10-01T00:00:00Z")
BEFORE = timedelta(days=30)
KIND = "label_kind"
_NO_FEATURE = {"content_id", "user_id", "event_timestamp", "label", "rss_feed"}
Columns = dict[str, list[float]]


def bench(directory: Path) -> list[Figure]:
    """Return each feature's distances and p-values by both; where Evidently is not installed ours alone."""
    before, now = _period(WINDOW[0] - BEFORE, WINDOW[0]), _period(*WINDOW)
    for name, columns in (("reference", before), ("window", now)):
        _write(directory / f"{name}.csv", columns)
    theirs = evidently.run("values", str(directory))
    return [
        Figure(f"{measure} of {name}", ours, theirs and _told(method, theirs[method][name]), "", note)
        for measure, method, name, ours, note in _ours(before, now)
    ]


def _told(method: str, value: float) -> float:
    return -math.log10(value) if method in {"ks", "chisquare"} else value


def _ours(before: Columns, now: Columns) -> Iterator[tuple[str, str, str, float, str]]:
    for name in before:
        if name == KIND:
            continue
        sides = [np.array(side[name]) for side in (before, now)]
        sums = [summed_up(Column("number", side, np.ones(len(side), dtype=np.bool_))) for side in sides]
        cells = counted(*sums)
        yield "PSI", "psi", name, psi(*cells), f"{evidently.NAME}: cells of equal width over both"
        yield "PSI, on its cells,", "psi", name, psi(*_their_cells(*sides)), "the same; it fills empty cells otherwise"
        yield "Jensen–Shannon", "jensenshannon", name, jensen_shannon(*cells), "its cells, and to base e: 0.83 of ours"
        on_theirs = jensen_shannon(*_their_cells(*sides)) * math.sqrt(math.log(2))
        yield "Jensen–Shannon, on its cells to base e,", "jensenshannon", name, on_theirs, "the same"
        ordered = [one.numbers for one in sums if one.numbers is not None]
        p_value = kolmogorov_smirnov(*ordered).p_value
        yield "KS, −log10 p,", "ks", name, -math.log10(p_value), "the exact distribution, ours is the limit"
    kinds = [_kinds(side[KIND]) for side in (before, now)]
    cells = counted(*kinds)
    tested = -math.log10(chi_square(*cells).p_value)
    yield "chi-square, −log10 p,", "chisquare", KIND, tested, "its test takes the reference for certain"
    yield "PSI", "psi", KIND, psi(*cells), "the same cells"


def _their_cells(before: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(np.unique(before)) <= 20:
        values = np.union1d(before, now)
        return tuple(np.array([np.sum(side == value) for value in values]) for side in (before, now))  # type: ignore[return-value]
    edges = np.histogram_bin_edges(np.concatenate([before, now]), bins="sturges")
    return np.histogram(before, edges)[0], np.histogram(now, edges)[0]


def _kinds(values: list[float]) -> Summary:
    texts, counts = np.unique(np.array([str(value) for value in values]), return_counts=True)
    return Summary(len(values), categories=dict(zip(texts.tolist(), counts.tolist(), strict=True)))


def _period(start: datetime, end: datetime) -> Columns:
    found: Columns = {}
    with gzip.open(DEMO, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if start <= parse_time(row["event_timestamp"]) < end:
                for name, text in row.items():
                    if name not in _NO_FEATURE:
                        found.setdefault(name, []).append(float(text))
                found.setdefault(KIND, []).append(float(row["label"]))
    return found


def _write(path: Path, columns: Columns) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
