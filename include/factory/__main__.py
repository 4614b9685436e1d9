"""``python -m include.factory``: look at recipes without Airflow.

``check [folder]``   print every problem of recipes and backups as a compiler does, ``file:line: field: message. cure``; the exit code is 1
                     if there is one
``schema``           write the JSON Schema of a recipe (docs/recipe.schema.json) and the tables of docs/recipe.md
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from include.factory.backup import load_backups
from include.factory.catalogue import load_catalogue
from include.factory.folder import catalogue_folder
from include.factory.reference import with_tables
from include.factory.schema import recipe_schema

DOCUMENTS = Path(__file__).resolve().parents[2] / "docs"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m include.factory", description="Look at recipes without Airflow.")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="print every problem of the recipes; exit with 1 if there is one")
    check.add_argument("folder", type=Path, nargs="?", default=catalogue_folder())
    schema = commands.add_parser("schema", help="write the JSON Schema of a recipe and the tables of its page")
    schema.add_argument("folder", type=Path, nargs="?", default=DOCUMENTS)
    chosen = parser.parse_args(arguments)
    if chosen.command == "schema":
        page = chosen.folder / "recipe.md"
        page.write_text(with_tables(page.read_text("utf-8")), encoding="utf-8")
        (chosen.folder / "recipe.schema.json").write_text(recipe_schema(), encoding="utf-8")
        return 0
    try:
        catalogue = load_catalogue(chosen.folder)
    except NotADirectoryError as error:
        print(error, file=sys.stderr)
        return 2
    backups = load_backups(chosen.folder, catalogue)
    problems = [*catalogue.problems, *backups.problems]
    for problem in problems:
        print(problem)
    also = f", {len(backups.backups)} good backups" if backups.backups else ""
    print(f"{len(catalogue.recipes)} good recipes{also}, {len(problems)} problems", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
