"""What the recipe's values are made of: the frozen base class, and the types of its words, durations and ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from include.factory.problem import refusal


class Value(BaseModel):
    """A frozen value that knows all its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def spelled(*words: str) -> BeforeValidator:
    """Accept a word of Azure's in any case, and keep Azure's spelling."""
    spelling = {word.casefold(): word for word in words}
    return BeforeValidator(lambda written: spelling.get(written.casefold(), written) if isinstance(written, str) else written)


OsType = Annotated[Literal["Linux", "Windows"], spelled("Linux", "Windows")]
OsState = Annotated[Literal["Generalized", "Specialized"], spelled("Generalized", "Specialized")]
Generation = Annotated[Literal["V1", "V2"], spelled("V1", "V2")]
Architecture = Annotated[Literal["x64", "Arm64"], spelled("x64", "Arm64")]
MachineSecurity = Annotated[Literal["Standard", "TrustedLaunch", "ConfidentialVM"], spelled("Standard", "TrustedLaunch", "ConfidentialVM")]
ImageSecurity = Annotated[
    Literal["Standard", "TrustedLaunchSupported", "TrustedLaunch", "ConfidentialVM"],
    spelled("Standard", "TrustedLaunchSupported", "TrustedLaunch", "ConfidentialVM"),
]
DiskType = Annotated[
    Literal["Standard_LRS", "StandardSSD_LRS", "StandardSSD_ZRS", "Premium_LRS", "Premium_ZRS", "PremiumV2_LRS"],
    spelled("Standard_LRS", "StandardSSD_LRS", "StandardSSD_ZRS", "Premium_LRS", "Premium_ZRS", "PremiumV2_LRS"),
]
ReplicaType = Annotated[Literal["Standard_LRS", "Standard_ZRS", "Premium_LRS"], spelled("Standard_LRS", "Standard_ZRS", "Premium_LRS")]

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.IGNORECASE)


def _seconds(written: Any) -> Any:
    cure = "Write 90s, 30m, 2h, 1h30m, 14d or a number of seconds."
    if isinstance(written, bool):
        raise refusal(f"{written} is not a duration", cure)
    if not isinstance(written, str):
        return written
    match = _DURATION.fullmatch(written.strip())
    if not match or not any(match.groups()):
        raise refusal(f"{written!r} is not a duration", cure)
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _spoken(seconds: int) -> str:
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s")]
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


@dataclass(frozen=True)
class Duration:
    """Marks an int as seconds between `least` and `most`, written as seconds or as ``1h30m``."""

    least: int
    most: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        within = core_schema.no_info_after_validator_function(self._within, handler(source))
        return core_schema.no_info_before_validator_function(_seconds, within)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        text = {"type": "string", "pattern": r"^(?=\d)(\d+d)?(\d+h)?(\d+m)?(\d+s)?$"}
        return {"anyOf": [{"type": "integer", "minimum": self.least, "maximum": self.most}, text]}

    def _within(self, seconds: int) -> int:
        if not self.least <= seconds <= self.most:
            raise refusal(f"{_spoken(seconds)} is out of bounds", f"Choose between {_spoken(self.least)} and {_spoken(self.most)}.")
        return seconds


@dataclass(frozen=True)
class Pattern:
    """Marks a string that matches `expression` whole; `what` and `cure` are for the reader whose string does not."""

    expression: str
    what: str
    cure: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        matches = re.compile(self.expression).fullmatch

        def matching(written: str) -> str:
            if not matches(written):
                raise refusal(f"{written!r} is not {self.what}", self.cure)
            return written

        return core_schema.no_info_after_validator_function(matching, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^(?:{self.expression})$"}


def resource_id(kind: str) -> Pattern:
    """Marks an ARM id of a kind such as ``Microsoft.Compute/images``; nested types are written ``virtualNetworks/subnets``."""
    namespace, *types = kind.split("/")
    path = "".join(f"/{segment}/[^/]+" for segment in types)
    expression = rf"/subscriptions/[^/]+/resource[gG]roups/[^/]+/providers/{namespace.replace('.', '[.]')}{path}"
    cure = f"An id is /subscriptions/…/resourceGroups/…/providers/{namespace}/{'/…/'.join(types)}/…; `az resource list` prints them."
    return Pattern(expression, f"the id of a {kind}", cure)


# What YAML 1.1 took for truth values.
WORDS = ("yes", "no", "on", "off")


@dataclass(frozen=True)
class Shorthand:
    """Marks a value that has a short form: what is written as a `kind` is expanded before it is validated."""

    kind: type
    expand: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def expanded(written: Any) -> Any:
            if self.kind is bool and isinstance(written, str) and written.lower() in WORDS:
                raise refusal(f"{written!r} is a word here", "Write true or false.")
            return self.expand(written) if isinstance(written, self.kind) else written

        return core_schema.no_info_before_validator_function(expanded, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        short = {str: {"type": "string"}, bool: {"type": "boolean"}, list: {"type": "array"}}[self.kind]
        return {"anyOf": [short, handler(schema)]}


Slug = Annotated[
    str, Pattern(r"[a-z0-9]+(?:-[a-z0-9]+)*", "a lower-case name with hyphens", "Use a-z, 0-9 and single hyphens, as in ubuntu-2404-base.")
]
# Azure's own limits: the naming rules of Microsoft.Compute and the resource group's own.
ResourceGroupName = Annotated[
    str, Pattern(r"[\w\-.()]{0,89}[\w\-()]", "a resource group name", "At most 90 letters, digits, - _ . ( ), not ending in a dot.")
]
GalleryName = Annotated[
    str,
    Pattern(
        r"[A-Za-z0-9](?:[A-Za-z0-9_.]{0,78}[A-Za-z0-9])?",
        "a gallery name",
        "Galleries take letters, digits, _ and . but no hyphen, at most 80.",
    ),
]
DefinitionName = Annotated[
    str,
    Pattern(
        r"[A-Za-z0-9](?:[\w.\-]{0,78}[A-Za-z0-9])?",
        "a definition name",
        "At most 80 letters, digits, - _ . and a letter or digit at both ends.",
    ),
]
IdentifierWord = Annotated[
    str, Pattern(r"[\w.\-]{0,63}[A-Za-z0-9]", "a publisher, offer or SKU", "At most 64 letters, digits, - _ . and no mark at the end.")
]


def repeated(values: Sequence[Any]) -> list[tuple[int, int]]:
    """Pairs (index, first index) of the values that were there before."""
    first: dict[Any, int] = {}
    return [(index, first[value]) for index, value in enumerate(values) if first.setdefault(value, index) != index]
