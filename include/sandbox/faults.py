"""Faults as rules: data that says which requests go wrong, and how.

A rule is a JSON object:

    name         any text; a new rule of the same name replaces the old one
    match        what must hold for the request; every key is optional, texts are shell patterns without regard to case:
                   method     "PUT"
                   type       "Microsoft.Compute/galleries/images/versions"
                   name       the resource's name
                   group      the resource group's name
                   region     the resource's location (the target region for the effect `replication`)
                   action     "deallocate", "generalize", "runCommand", …
                   size       hardwareProfile.vmSize of a virtual machine
    skip         let so many matching requests pass first (default 0)
    count        fire so many times (default: for ever)
    probability  of firing at each match (default 1)
    effect       exactly one of:
                   error        {"status", "code", "message", "target"?, "details"?}   refused before it takes effect
                   throttle     {"retry_after": seconds}                               429 with Azure's body
                   drop         "before" | "after"                                     the connection breaks before or after the
                                     request took effect
                   latency      seconds (divided by the sandbox's speed) before the answer goes out
                   operation    {"code", "message", "details"?, "keep"?} | "never"     the long-running operation fails, or never ends;
                                     with "keep" the
                                                                                      failed version keeps failing until it is deleted
                   replication  {"message"?, "until"?: "put" | "readd", "seconds"?}   a gallery version's replication to `region`
                                     fails, heals at the next PUT
                                                                                      or only after removing and re-adding the region; with
                                                                                      "seconds" it takes that long and then completes
                   late         seconds: a version's operation succeeds that long before `region` is usable
                   guest        {"exit_code"?, "stdout"?, "stderr"?, "sleep"?, "silent"?, "stuck"?}   what a run command does on the
                                     machine instead; silent: the
                                                                                      agent never answers; stuck: sysprep stays
                                     IMAGE_STATE_UNDEPLOYABLE
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import TYPE_CHECKING, Any

from .wire import Json

if TYPE_CHECKING:
    from .call import Call

MATCHES = frozenset({"method", "type", "name", "group", "region", "action", "size"})
EFFECTS = frozenset({"error", "throttle", "drop", "latency", "operation", "replication", "late", "guest"})


@dataclass(slots=True)
class Rule:
    """One rule; see the module's text. `seen` and `fired` count."""

    name: str
    effect: Json
    match: dict[str, str] = field(default_factory=dict)
    skip: int = 0
    count: int | None = None
    probability: float = 1.0
    seen: int = 0
    fired: int = 0

    def __post_init__(self) -> None:
        unknown = set(self.match) - MATCHES
        if unknown:
            raise ValueError(f"fault {self.name!r}: match has unknown keys {sorted(unknown)}; known are {sorted(MATCHES)}")
        if len(self.effect) != 1 or not set(self.effect) <= EFFECTS:
            raise ValueError(f"fault {self.name!r}: effect must be exactly one of {sorted(EFFECTS)}, not {sorted(self.effect)}")
        if self.probability < 0 or self.probability > 1:
            raise ValueError(f"fault {self.name!r}: probability must lie between 0 and 1, not {self.probability}")


class Faults:
    """The rules in force, in the order in which they were added."""

    def __init__(self, seed: int = 0) -> None:
        self.rules: list[Rule] = []
        self._chance = Random(f"faults {seed}")

    def add(self, rule: Json | None = None, /, **fields: Any) -> Rule:
        """Add a rule, from a JSON object or keywords. Raises ValueError or TypeError on a malformed rule."""
        given = {**(rule or {}), **fields}
        given.setdefault("name", f"fault-{len(self.rules) + 1}")
        for part in ("match", "effect"):
            if not isinstance(given.get(part, {}), dict):
                raise ValueError(f"fault {given['name']!r}: {part} must be an object, not {given[part]!r}")
        if "effect" not in given:
            raise ValueError(f"fault {given['name']!r}: effect is missing; one of {sorted(EFFECTS)}")
        try:
            made = Rule(**given)
        except TypeError as problem:
            raise ValueError(f"fault {given['name']!r}: {problem}") from None
        self.rules = [other for other in self.rules if other.name != made.name] + [made]
        return made

    def clear(self, name: str | None = None) -> int:
        """Remove the rule of that name, or all. Returns how many went."""
        before = len(self.rules)
        self.rules = [rule for rule in self.rules if name is not None and rule.name != name]
        return before - len(self.rules)

    def take(self, effects: str | Iterable[str], call: Call, **overrides: str) -> Json | None:
        """The effect of the first rule that has one of `effects` and fires for this request; counts it. `overrides` replace what the
        request says."""
        if not self.rules:
            return None
        wanted = {effects} if isinstance(effects, str) else set(effects)
        for rule in self.rules:
            if wanted.isdisjoint(rule.effect) or not self._matches(rule, call, overrides):
                continue
            rule.seen += 1
            if rule.seen <= rule.skip or (rule.count is not None and rule.fired >= rule.count):
                continue
            if rule.probability < 1 and self._chance.random() >= rule.probability:
                continue
            rule.fired += 1
            return rule.effect
        return None

    def dump(self) -> list[Json]:
        return [asdict(rule) for rule in self.rules]

    def load(self, rules: list[Json]) -> None:
        self.rules = [Rule(**rule) for rule in rules]

    @staticmethod
    def _matches(rule: Rule, call: Call, overrides: dict[str, str]) -> bool:
        for key, pattern in rule.match.items():
            value = overrides.get(key)
            if value is None:
                value = call.trait(key)
            if key == "region":
                pattern = pattern.replace(" ", "")
            if not fnmatchcase(value.lower(), str(pattern).lower()):
                return False
        return True
