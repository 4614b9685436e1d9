"""The text that a run command executes: the script of the plan, checked, with its environment and parameters in front."""

from __future__ import annotations

import hashlib
import re
import shlex
from pathlib import Path
from typing import Any

from include.steps.errors import StepError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# PowerShell takes the typographic quotes for the plain one (about_Quoting_Rules).
_POWERSHELL_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")


def read_script(script: dict[str, Any]) -> str:
    """The text of ``{"inline": text}``, or of ``{"path", "sha256"}``: a file that must be what was planned.

    :param script: ``path`` is absolute, or relative to the recipes' folder or its ``scripts``; ``sha256`` with or without ``sha256:`` in
        front.
    :raises StepError: ``ScriptMissing``, ``ScriptChanged``.
    """
    if "inline" in script:
        return str(script["inline"])
    from include.factory.folder import catalogue_folder

    folder = catalogue_folder()
    candidates: list[Path] = [folder / script["path"], folder / "scripts" / script["path"]]
    path = next((one for one in candidates if one.is_file()), None)
    if path is None:
        raise StepError(
            "permanent",
            "ScriptMissing",
            f"The script {script['path']} is not on this machine",
            "Deploy the recipes' folder to every triggerer and worker; then clear this task.",
        )
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()
    if digest != str(script["sha256"]).removeprefix("sha256:"):
        raise StepError(
            "permanent",
            "ScriptChanged",
            f"The script {script['path']} is not the one that was planned (sha256 {digest})",
            "It was changed, or deployed to some machines only: clear the run from the task plan.",
        )
    return body.decode("utf-8-sig").replace("\r\n", "\n")


def with_environment(text: str, os_type: str, environment: dict[str, str], parameters: dict[str, str]) -> str:
    """Put the environment in front of a script, where its language allows it.

    Bash: behind the ``#!`` line; parameters are positional there, in order, and environment variables as well, which is what Azure makes
    of named ones (run-command-handler-linux). PowerShell: behind ``param(...)``, which must come first; Azure passes the parameters by
    name.

    :raises StepError: ``BadVariableName``.
    """
    for name in (*environment, *parameters):
        if not _NAME.fullmatch(name):
            raise StepError(
                "permanent",
                "BadVariableName",
                f"{name!r} is no name for a variable",
                "Use letters, digits and underscores, not beginning with a digit.",
            )
    if os_type == "Windows":
        lines = [f"$env:{name} = {_powershell_quoted(value)}" for name, value in environment.items()]
        head, body = _split_behind_param_block(text)
    else:
        lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
        if parameters:
            lines.append("set -- " + " ".join(shlex.quote(value) for value in parameters.values()))
        head, body = _split_behind_shebang(text)
    if not lines:
        return text
    return head + "\n".join(lines) + "\n" + body


def _powershell_quoted(value: str) -> str:
    return "'" + _POWERSHELL_QUOTES.sub(lambda quote: quote.group() * 2, value) + "'"


def _split_behind_shebang(text: str) -> tuple[str, str]:
    if not text.startswith("#!"):
        return "", text
    first, _, rest = text.partition("\n")
    return first + "\n", rest


# What may stand before a param block: blanks, comments, #requires, using, attributes such as [CmdletBinding()].
_BEFORE_PARAM = re.compile(r"(?:\s+|<#.*?#>|#[^\n]*|using\s[^\n]*|\[[^\]]*\])*", re.DOTALL | re.IGNORECASE)
_PARAM = re.compile(r"param\s*\(", re.IGNORECASE)
_TOKEN = re.compile(r"<#.*?#>|#[^\n]*|'(?:''|[^'])*'|\"(?:`.|\"\"|[^\"`])*\"|[()]", re.DOTALL)


def _split_behind_param_block(text: str) -> tuple[str, str]:
    before = _BEFORE_PARAM.match(text)
    start = before.end() if before else 0
    param = _PARAM.match(text, start)
    if param is None:
        head = "".join(line for line in text[:start].splitlines(keepends=True) if line.lower().startswith(("using ", "#requires")))
        return (head, text[len(head) :]) if text.startswith(head) else ("", text)
    depth, position = 1, param.end()
    while depth:
        token = _TOKEN.search(text, position)
        if token is None:
            return "", text
        position = token.end()
        depth += {"(": 1, ")": -1}.get(token.group(), 0)
    return text[:position] + "\n", text[position:]
