"""Faults as rules: data that says which requests go wrong, and how.

A rule is a JSON object:

    name         any text; a new rule of the same name replaces the old one
    use          the name or id of a ready rule (catalogue/) that this one takes over; `match` adds to the ready one's
    about        a sentence for whoever reads the list
    match        what must hold for the request; every key is optional, texts are shell patterns without regard to case:
                   method     "PUT"
                   type       "Microsoft.Compute/galleries/images/versions"; a status URL's is "Microsoft.Compute/locations/operations",
                              that of disks' bytes and of blobs "blobs"
                   name       the resource's name
                   group      the resource group's name
                   subscription  the subscription's id
                   region     the resource's location (the target region for the effects `replication` and `late`)
                   action     "deallocate", "generalize", "runCommand", …
                   size       hardwareProfile.vmSize of a virtual machine
                   priority   "Spot" or "Regular"
                   script     what a run command is to run
    skip         let so many matching requests pass first (default 0)
    count        fire so many times (default: for ever)
    probability  of firing at each match (default 1), drawn from the sandbox's seed
    effect       exactly one of the following. Seconds are divided by the sandbox's speed. In messages {name}, {id}, {group}, {region},
                 {size}, {type}, {action}, {parent} and {subscription} stand for what the request says.

      at the request
        error        {"status", "code", "message", "target"?, "details"?, "retry_after"?, "gateway"?, "after"?}   refused before it takes
                     effect, or, with "after", answered so although it took effect
        throttle     {"retry_after": seconds, "bucket"?}   Compute's 429
        drop         "before" | "after"   the connection breaks before or after the request took effect
        latency      seconds before the answer goes out
        stale        seconds for which reads answer as before this write (PUT, PATCH or DELETE) took effect
        token        "expired"   the caller's token has expired
        skew         seconds that the answering host's clock is ahead (or behind, if negative) when it judges tokens and SAS
        policy       {"assignment", "definition", "message"?}   403 RequestDisallowedByPolicy
        lock         "CanNotDelete" | "ReadOnly"   a lock on the resource group, where it forbids the request
        quota        cores of the region that the subscription may use, at a machine's creation
        restricted   true   the machine's size is not to be had in the region
        terms        true   the terms of the resource's purchase plan count as not accepted

      afterwards
        operation    {"code", "message", "details"?, "keep"?, "seconds"?} | {"seconds"} | "never"   the long-running operation fails,
                     takes that long, or never ends; with "keep" the failed version keeps failing until it is deleted
        replication  {"message"?, "until"?: "put" | "readd", "seconds"?}   a gallery version's replication to `region` fails, heals at the
                     next PUT or only after removing and re-adding the region; with "seconds" (a number, or [least, most]) it takes
                     that long and then completes
        late         seconds: a version's operation succeeds that long before `region` is usable
        guest        {"exit_code"?, "stdout"?, "stderr"?, "sleep"?, "silent"?, "stuck"?, "slower"?}   what a run command does on the
                     machine instead; silent: the agent never answers; stuck: sysprep stays IMAGE_STATE_UNDEPLOYABLE; slower: the script
                     takes so many times as long
        evict        seconds after which a machine is evicted
        meddle       {"act": "delete" | "drop region", "what": "resource" | "parent" | "group", "seconds"}   somebody else deletes it, or
                     takes the last target region from it, that much later
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import TYPE_CHECKING, Any

from . import catalogue
from .wire import Json

if TYPE_CHECKING:
    from .call import Call

MATCHES = frozenset({"method", "type", "name", "group", "subscription", "region", "action", "size", "priority", "script"})
AT_REQUEST = ("error", "throttle", "drop", "latency", "stale", "token", "skew", "policy", "lock", "quota", "restricted", "terms")
AFTERWARDS = ("operation", "replication", "late", "guest", "evict", "meddle")
EFFECTS = frozenset((*AT_REQUEST, *AFTERWARDS))


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
    about: str = ""

    def __post_init__(self) -> None:
        unknown = set(self.match) - MATCHES
        if unknown:
            raise ValueError(f"fault {self.name!r}: match has unknown keys {sorted(unknown)}; known are {sorted(MATCHES)}")
        if len(self.effect) != 1 or not set(self.effect) <= EFFECTS:
            raise ValueError(f"fault {self.name!r}: effect must be exactly one of {sorted(EFFECTS)}, not {sorted(self.effect)}")
        problem = _unfit(self.effect)
        if problem:
            raise ValueError(f"fault {self.name!r}: {problem}")
        counts: dict[str, Any] = {"skip": self.skip, "count": self.count or 0}
        for name, value in counts.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(f"fault {self.name!r}: {name} must be a whole number, not {value!r}")
        if not _is_number(self.probability):
            raise ValueError(f"fault {self.name!r}: probability must be a number, not {self.probability!r}")
        if self.probability < 0 or self.probability > 1:
            raise ValueError(f"fault {self.name!r}: probability must lie between 0 and 1, not {self.probability}")


def _unfit(effect: Json) -> str:
    """What is wrong with the value of an effect; empty where it can happen."""
    ((name, value),) = effect.items()
    if name in _SECONDS:
        return "" if _is_number(value) else f"{name} must be a number, not {value!r}"
    if name in _WORDS:
        return "" if value in _WORDS[name] else f"{name} must be one of {_WORDS[name]}, not {value!r}"
    if name == "operation" and value == "never":
        return ""
    if not isinstance(value, dict):
        return f"{name} must be an object, not {value!r}"
    known, needed = _PARTS[name]
    if unknown := set(value) - known - needed:
        return f"{name} has unknown keys {sorted(unknown)}; known are {sorted(known | needed)}"
    if missing := needed - set(value):
        return f"{name} lacks {sorted(missing)}"
    for part in _NUMBERS & set(value):
        given = value[part]
        if not (_is_number(given) or (part == "seconds" and isinstance(given, list) and len(given) == 2 and all(map(_is_number, given)))):
            return f"{name}: {part} must be a number, not {given!r}"
    if name == "meddle" and (value["act"] not in ("delete", "drop region") or value["what"] not in ("resource", "parent", "group")):
        return "meddle: act is delete or drop region, what is resource, parent or group"
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_SECONDS = frozenset({"latency", "stale", "skew", "late", "evict", "quota"})
_WORDS: dict[str, tuple[Any, ...]] = {
    "drop": ("before", "after"),
    "token": ("expired",),
    "lock": ("CanNotDelete", "ReadOnly"),
    "restricted": (True,),
    "terms": (True,),
}
_NUMBERS = frozenset({"status", "retry_after", "seconds", "exit_code", "sleep", "slower"})
_PARTS: dict[str, tuple[frozenset[str], frozenset[str]]] = {  # keys that may be there, keys that must
    "error": (frozenset({"status", "code", "message", "target", "details", "retry_after", "gateway", "after"}), frozenset()),
    "throttle": (frozenset({"retry_after", "bucket"}), frozenset()),
    "policy": (frozenset({"message"}), frozenset({"assignment", "definition"})),
    "operation": (frozenset({"code", "message", "details", "keep", "seconds"}), frozenset()),
    "replication": (frozenset({"message", "until", "seconds"}), frozenset()),
    "guest": (frozenset({"exit_code", "stdout", "stderr", "sleep", "silent", "stuck", "slower"}), frozenset()),
    "meddle": (frozenset({"seconds"}), frozenset({"act", "what"})),
}


class Faults:
    """The rules in force, in the order in which they were added."""

    def __init__(self, seed: int = 0) -> None:
        self.rules: list[Rule] = []
        self.changed = False  # since they were last kept
        self._chance = Random(f"faults {seed}")

    def add(self, rule: Json | str | None = None, /, **fields: Any) -> Rule:
        """Add a rule, from a JSON object or keywords, or a ready one by its name: `add("P03", count=2)`. Raises ValueError on a malformed
        rule."""
        if not isinstance(rule, dict | str | None):
            raise ValueError(f"a fault is an object or the name of a ready one, not {rule!r}")
        given = {**({"use": rule} if isinstance(rule, str) else rule or {}), **fields}
        if "use" in given:
            ready = catalogue.ready(str(given.pop("use")))
            if isinstance(given.get("match", {}), dict):
                given["match"] = {**ready.get("match", {}), **given.get("match", {})}
            given = {**ready, **given}
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
        self.changed = True
        return made

    def clear(self, name: str | None = None) -> int:
        """Remove the rule of that name, or all. Returns how many went."""
        before = len(self.rules)
        self.rules = [rule for rule in self.rules if name is not None and rule.name != name]
        self.changed = True
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
            self.changed = True
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
