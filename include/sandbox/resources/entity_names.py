"""The names that Compute takes for its resources."""

from __future__ import annotations

import re

from ..registry import invalid

RULE = r"^[^_\W][\w-._]{0,79}(?<![-.])$"  # as Azure prints it, in .NET's dialect
_PATTERN = re.compile(r"^[^_\W][\w\-.]{0,79}(?<![-.])$")


def check_name(name: str, parameter: str) -> None:
    """Raises ArmError 400 InvalidParameter for a name that breaks the rule. `parameter`: vmName, diskName, imageName, …"""
    if not _PATTERN.match(name):
        raise invalid(f"The entity name '{parameter}' is invalid according to its validation rule: {RULE}.", parameter)
