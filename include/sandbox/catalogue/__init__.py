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


def read(text: str) -> list[Json]:
    """The rules that a YAML (or JSON) text holds: one or a list, each an object or the name of a ready one. Raises ValueError."""
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as problem:
        raise ValueError(f"the rules are no YAML: {problem}") from None
    rules = [{"use": one} if isinstance(one, str) else one for one in (found if isinstance(found, list) else [found])]
    for rule in rules:
        if not isinstance(rule, dict):
            raise ValueError(f"a fault is an object or the name of a ready one, not {rule!r}")
    return rules
