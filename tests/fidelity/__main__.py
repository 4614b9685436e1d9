"""`python -m tests.fidelity`: replay recordings against the sandbox and print what differs.

Exit codes: 0 replayed, 2 no recordings there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .report import replay_all

DEFAULT = Path(__file__).parents[3] / "shared" / "fidelity" / "recordings"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fidelity", description=__doc__)
    parser.add_argument("--recordings", type=Path, default=DEFAULT, metavar="FOLDER", help="default: %(default)s")
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="only the files whose name contains it")
    parser.add_argument("--verbose", action="store_true", help="every difference, and every exchange that has one")
    parser.add_argument("--markdown", action="store_true", help="only the numbers, as docs/fidelity.md has them")
    given = parser.parse_args(arguments)
    if not given.recordings.is_dir():
        print(f"no recordings: {given.recordings} is not a folder; name one with --recordings", file=sys.stderr)
    report = replay_all(given.recordings, given.only)
    if given.recordings.is_dir() and not report.judged:
        print(f"no recordings: {given.recordings} has no file *{given.only}*.json that can be replayed", file=sys.stderr)
    shown = report.lines(verbose=given.verbose)
    print("\n".join([*report.table(), *shown[-1:]] if given.markdown else shown))
    return 0 if report.judged else 2


if __name__ == "__main__":
    sys.exit(main())
