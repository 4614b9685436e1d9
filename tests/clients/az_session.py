"""Runs az's commands one after another; run by the Python that az is installed for.

Each line of the standard input is a command as one types it at a shell: `az …`, or `name=$(az …)` to keep its output for `$name`. Each line
of the standard output is what it gave: {"out", "errors", "code"}.

az takes two seconds to start. So all commands run in this process, by the call that the program `az` itself makes; with `--apart`, each is
a program of its own.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import re
import shlex
import subprocess
import sys

ASSIGNMENT = re.compile(r"(\w+)=\$\((.*)\)")
errors = io.StringIO()


def within(words: list[str]) -> tuple[str, int]:
    """What a command prints, and its exit code."""
    core = importlib.import_module("azure.cli.core")  # of az's environment, not of the project's
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            code = core.get_default_cli().invoke(words, out_file=out)
        except SystemExit as end:
            code = end.code
    return out.getvalue(), int(code or 0)


def apart(words: list[str]) -> tuple[str, int]:
    done = subprocess.run([sys.executable, "-m", "azure.cli", *words], capture_output=True, text=True, check=False)
    errors.write(done.stderr)
    return done.stdout, done.returncode


def main() -> None:
    answers = sys.stdout
    sys.stderr = errors
    run = apart if "--apart" in sys.argv else within
    for line in sys.stdin:
        command, name = line.strip(), None
        if (assignment := ASSIGNMENT.fullmatch(command)) is not None:
            name, command = assignment.groups()
        words = shlex.split(os.path.expandvars(command))
        assert words[0] == "az", f"not a command of az: {command}"
        errors.seek(0)
        errors.truncate()
        out, code = run(words[1:])
        if name is not None:
            os.environ[name], out = out.strip(), ""
        print(json.dumps({"out": out, "errors": errors.getvalue(), "code": code}), file=answers, flush=True)


if __name__ == "__main__":
    main()
