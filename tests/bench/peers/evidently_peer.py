"""Evidently's own figures for the work of our monitor; run by the interpreter of `.venv-bench`, prints one JSON object.

    evidently_peer.py drift ROWS FEATURES    seconds and peak memory of PSI, Jensen–Shannon and KS of each column
    evidently_peer.py values DIRECTORY       what it says of DIRECTORY/reference.csv and DIRECTORY/window.csv

In `values` the columns are numbers; those whose name ends in `_kind` are categories.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ["DO_NOT_TRACK"] = "1"  # before the import: it would call home

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import ValueDrift
from monitor_data import column

METHODS = ("psi", "jensenshannon", "ks")


def main() -> None:
    """Do what the arguments ask."""
    work, *given = sys.argv[1:]
    print(json.dumps(WORK[work](*given)), flush=True)


def drift(rows: str, features: str) -> dict[str, float]:
    """Return seconds for all features, making the columns not counted, and the peak of this process in megabytes."""
    took = busy = 0.0
    for number in range(-1, int(features)):
        # The first is not counted: it loads what is needed. A report on the whole frame takes longer for each column.
        sides = [
            pd.DataFrame({"f": column(max(number, 0), int(rows) if number >= 0 else 200, side)}) for side in (0, 1)
        ]
        start, worked = time.perf_counter(), time.process_time()
        _run(*sides, {"f": METHODS})
        if number >= 0:
            took, busy = took + time.perf_counter() - start, busy + time.process_time() - worked
    (peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line[:6] == "VmHWM:")
    return {"seconds": took, "cpu_s": busy, "peak_mb": int(peak) / 1024}


def values(directory: str) -> dict[str, dict[str, float]]:
    """Return method → column → its value (a p-value for the tests)."""
    sides = [pd.read_csv(Path(directory) / f"{name}.csv") for name in ("reference", "window")]
    wanted = {name: ("chisquare", "psi") if name.endswith("_kind") else METHODS for name in sides[0].columns}
    found: dict[str, dict[str, float]] = {}
    for one in _run(*sides, wanted):
        config = one["config"]
        found.setdefault(config["method"], {})[config["column"]] = float(one["value"])
    return found


def _run(reference: pd.DataFrame, window: pd.DataFrame, wanted: dict[str, tuple[str, ...]]) -> list[Any]:
    kinds = [name for name in wanted if name.endswith("_kind")]
    numbers = [name for name in wanted if name not in kinds]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=kinds)
    report = Report([ValueDrift(column=name, method=method) for name, methods in wanted.items() for method in methods])
    sides = (Dataset.from_pandas(side[list(wanted)], data_definition=definition) for side in (window, reference))
    snapshot = report.run(*sides)
    return [one for one in snapshot.dict()["metrics"] if one["config"].get("method")]


WORK = {"drift": drift, "values": values}

if __name__ == "__main__":
    main()
