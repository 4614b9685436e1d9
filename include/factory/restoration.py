"""Bringing back versions that were deleted softly."""

from __future__ import annotations

from include.factory.definition import AskedOfDefinition

# Task id -> step.
STEPS = {"restore_version": "restoration.restore", "report_versions": "retirement.report"}


class Restoration(AskedOfDefinition):
    """What is asked."""

    versions: str
    """Soft-deleted versions, as ``version_selection`` reads them."""
    pin: bool = False
    """Keep them from being retired again."""
