"""JSON as Resource Manager reads it, which is more than RFC 8259 has.

Templates may hold comments and strings over several lines (Azure's documentation of the template's syntax), and `az` puts a template's text
into a body under a name without quotes. Names without quotes and strings in single quotes are what the reader behind it, Json.NET, takes.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<comment>//[^\r\n]*|/\*.*?\*/)
      | (?P<name>[A-Za-z_$][\w$]*(?=\s*:))""",
    re.DOTALL | re.VERBOSE,
)
_CONTROL = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def strict(text: str) -> str:
    """The same value in strict JSON. What is no JSON either way stays so."""
    return _TOKEN.sub(_strict, text)


def _strict(token: re.Match[str]) -> str:
    if token["comment"] is not None:
        return " "
    if token["name"] is not None:
        return f'"{token["name"]}"'
    inner = token["string"][1:-1]
    if token["string"][0] == "'":
        inner = inner.replace("\\'", "'")
        inner = re.sub(r'\\.|"', lambda found: '\\"' if found[0] == '"' else found[0], inner, flags=re.DOTALL)
    return '"' + re.sub(r"[\n\r\t]", lambda found: _CONTROL[found[0]], inner) + '"'
