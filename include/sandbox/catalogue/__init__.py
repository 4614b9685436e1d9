"""Ready fault rules: one for each entry of the failure catalogue that concerns Azure, under the entry's id and a few words.

One file per stage of a build. A rule is as faults.py describes it; `source` says where the failure was reported, and `inferred` what of it
is not in that report.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ..wire import Json


@cache
def rules() -> dict[str, Json]:
    """Every ready rule by its name, such as `P03-allocation-failed`."""
    import yaml

    found: dict[str, Json] = {}
    for file in sorted(Path(__file__).parent.glob("*.yaml")):
        for rule in yaml.safe_load(file.read_text(encoding="utf-8")):
            found[rule["name"]] = rule
    return found


def ready(name: str) -> Json:
    """The rule of that name or id, without regard to case. Raises ValueError for an unknown one."""
    for known, rule in rules().items():
        if name.lower() in (known.lower(), known.split("-", 1)[0].lower()):
            return {key: value for key, value in rule.items() if key not in ("source", "inferred")}
    raise ValueError(f"no ready fault is called {name!r}; there are {', '.join(rules())}")
