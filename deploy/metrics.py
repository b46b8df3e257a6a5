"""Prints terraform/metrics.json: the declared metrics, as Cloud Monitoring's descriptors need them."""

import json

from worker.telemetry import METRICS, Kind


def descriptors() -> str:
    """Return the file's content."""
    found = {
        name.removeprefix("colony_"): {
            "kind": "CUMULATIVE" if metric.kind is Kind.COUNTER else "GAUGE",
            "help": metric.help,
            "labels": list(metric.labels),
        }
        for name, metric in METRICS.items()
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(descriptors(), end="")
