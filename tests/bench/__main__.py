"""``make bench``: the numbers of docs/performance.md, each beside what it is compared with, measured in one run."""

from __future__ import annotations

import argparse

from tests.bench import builds, parsing, sandbox


def main() -> None:
    commands = argparse.ArgumentParser(prog="make bench", description=__doc__)
    commands.add_argument("which", nargs="*", choices=["parsing", "sandbox", "builds", []], help="default: all")
    commands.add_argument("--recipes", type=int, default=1000, help="of `parsing` (default: %(default)s)")
    commands.add_argument("--builds", type=int, default=100, help="at once, of `builds` (default: %(default)s)")
    commands.add_argument("--versions", type=int, default=10_000, help="of `sandbox` (default: %(default)s)")
    chosen = commands.parse_args()
    if not chosen.which or "parsing" in chosen.which:
        parsing.run(chosen.recipes)
    if not chosen.which or "sandbox" in chosen.which:
        sandbox.run(chosen.versions)
    if not chosen.which or "builds" in chosen.which:
        builds.run(chosen.builds)


if __name__ == "__main__":
    main()
