"""The command line: `colony …`, or `python -m worker …`."""

import sys


def main() -> None:
    """Run one command and exit with its code."""
    from worker.cli.root import run

    sys.exit(run())


if __name__ == "__main__":
    main()
