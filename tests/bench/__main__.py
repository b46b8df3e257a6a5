"""`make bench`: each figure as a ratio to a peer that does the least possible for the same work, in the same run."""

import sys
import tempfile
from pathlib import Path

from tests.bench import engine, intake, join, rule, serving
from tests.bench.measure import Figure

BENCHES = {
    "rule": rule.bench,
    "intake": intake.bench,
    "join": join.bench,
    "engine": engine.bench,
    "serving": serving.bench,
}


def main(names: list[str]) -> None:
    """Run the named benches (all without a name) and print one table."""
    figures: list[Figure] = []
    for name in names or BENCHES:
        print(f"… {name}", file=sys.stderr)
        with tempfile.TemporaryDirectory() as directory:
            figures += BENCHES[name](Path(directory))
    print(f"{'work':<58}{'ours':>14}{'peer':>14}{'ratio':>8}  peer is")
    for figure in figures:
        ours, peer = f"{figure.ours:,.2f} {figure.unit}", f"{figure.peer:,.2f} {figure.unit}"
        print(f"{figure.work:<58}{ours:>14}{peer:>14}{figure.ours / figure.peer:>8.2f}  {figure.peer_is}")


if __name__ == "__main__":
    main(sys.argv[1:])
