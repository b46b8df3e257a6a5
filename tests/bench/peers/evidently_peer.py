"""Evidently's own figures for the work of our monitor; run by the interpreter of `.venv-bench`, prints one JSON object.

    evidently_peer.py drift ROWS FEATURES    seconds and peak memory of PSI, Jensen–Shannon and KS of all columns
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
    names = [f"f{number}" for number in range(int(features))]
    sides = [
        pd.DataFrame({name: column(number, int(rows), side) for number, name in enumerate(names)}) for side in (0, 1)
    ]
    _run(*(side.head(200) for side in sides), dict.fromkeys(names[:1], METHODS))
    start = time.perf_counter()
    _run(*sides, dict.fromkeys(names, METHODS))
    took = time.perf_counter() - start
    (peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line[:6] == "VmHWM:")
    return {"seconds": took, "peak_mb": int(peak) / 1024}


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
