"""Draw curves.svg anew: the demo's whole history, managed, never retrained and retrained each week (some minutes)."""

from pathlib import Path

import story

ROOT = Path(".colony/curves")
#: The shipped bee, but judged each day by itself.
DAILY = "monitor: {every: 1d}\n"


def main() -> None:
    """Live through it in a data directory of its own, which stays for whoever wants to look."""
    story.prepare(ROOT, ROOT, DAILY)
    story.features()
    picture = Path(__file__).with_name("curves.svg")
    story.colony("backtest", "--bee", story.BEE, "--from", "2002-08-01", "--svg", str(picture))


if __name__ == "__main__":
    main()
