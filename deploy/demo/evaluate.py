"""Scores a registered version on a window of labelled rows and gives the numbers, or the `model.evaluated` event."""

import argparse
import json
from datetime import datetime, timedelta
from typing import Any

from config.settings import read_settings
from worker.app import App
from worker.clock import parse_time, to_text, wall_clock
from worker.features.port import LabelWindow, TrainingRequest
from worker.steps.scoring import score_table


def scored(app: App, bee_name: str, version_name: str, start: datetime, end: datetime) -> dict[str, Any]:
    """Return `{metrics, sampleCount, positiveCount}` of a version on the labels of [start, end)."""
    bee = app.bees[bee_name]
    with app.ledger.begin(write=False) as transaction:
        version = transaction.models.get(bee_name, version_name)
    if version is None:
        raise SystemExit(f"there is no version {version_name} of {bee_name}")
    predictor = app.model_format.load(app.artifacts.fetch(version.artifact), version.artifact.sha256)
    request = TrainingRequest(bee.entity, bee.features, bee.entities, label=LabelWindow(bee.label, start, end))
    numbers = score_table(predictor, app.features.training_read(request), bee)
    return {**numbers, "baseline": dict(version.metrics)}


def evaluation(app: App, bee: str, version: str, start: datetime, end: datetime) -> dict[str, Any]:
    """Return the data of a `model.evaluated` event for one window; undefined metrics are null."""
    numbers = scored(app, bee, version, start, end)
    window = {
        "id": f"{to_text(start)[:10]}..{to_text(end)[:10]}",
        "start": to_text(start),
        "end": to_text(end),
        "sampleCount": numbers["sampleCount"],
        "positiveCount": numbers["positiveCount"],
    }
    return {
        "beeId": bee,
        "modelVersion": version,
        "evaluatedAt": to_text(end),
        "window": window,
        "metrics": numbers["metrics"],
        "baseline": numbers["baseline"],
    }


def main() -> None:
    """Print one evaluation's data per window that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bee", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--end", required=True, nargs="+", help="ends of the windows, RFC 3339")
    parser.add_argument("--days", type=int, default=7, help="length of a window")
    arguments = parser.parse_args()
    app = App(read_settings(local=True), wall_clock)
    try:
        for text in arguments.end:
            end = parse_time(text)
            start = end - timedelta(days=arguments.days)
            print(json.dumps(evaluation(app, arguments.bee, arguments.version, start, end)))
    finally:
        app.close()


if __name__ == "__main__":
    main()
