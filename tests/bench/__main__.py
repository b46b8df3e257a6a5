"""`make bench`: each figure as a ratio to a peer that does the least possible for the same work, in the same run."""

import sys
import tempfile
from pathlib import Path

from tests.bench import (
    ab,
    drain,
    engine,
    engine_queue,
    features_computed,
    features_http,
    features_offline,
    features_online,
    intake,
    intake_sweep,
    join,
    monitor,
    monitor_values,
    retrain,
    rule,
    serving,
    vertex,
    whatif,
)
from tests.bench.measure import Figure

BENCHES = {
    "ab": ab.bench,
    "rule": rule.bench,
    "intake": intake.bench,
    "intake_sweep": intake_sweep.bench,
    "drain": drain.bench,
    "join": join.bench,
    "engine": engine.bench,
    "engine_queue": engine_queue.bench,
    "monitor": monitor.bench,
    "monitor_values": monitor_values.bench,
    "retrain": retrain.bench,
    "features_online": features_online.bench,
    "features_offline": features_offline.bench,
    "features_http": features_http.bench,
    "features_computed": features_computed.bench,
    "serving": serving.bench,
    "vertex": vertex.bench,
    "whatif": whatif.bench,
}


def main(names: list[str]) -> None:
    """Run the named benches (all without a name) and print one table."""
    figures: list[Figure] = []
    for name in names or BENCHES:
        print(f"… {name}", file=sys.stderr)
        with tempfile.TemporaryDirectory() as directory:
            figures += BENCHES[name](Path(directory))
    print(f"{'work':<72}{'ours':>14}{'peer':>14}{'ratio':>8}  peer is")
    for figure in figures:
        ours = f"{figure.ours:,.2f} {figure.unit}"
        peer = "not installed" if figure.peer is None else f"{figure.peer:,.2f} {figure.unit}"
        ratio = "" if figure.peer is None else f"{figure.ours / figure.peer:.2f}"
        print(f"{figure.work:<72}{ours:>14}{peer:>14}{ratio:>8}  {figure.peer_is}")


if __name__ == "__main__":
    main(sys.argv[1:])
