"""The tags by which the factory knows what is its own, and what it came from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from include.factory.facts import Facts
from include.factory.names import tag_value
from include.factory.recipe import Recipe
from include.factory.run import Run

OWNER = "image-factory-owner"
RECIPE = "image-factory-recipe"
RUN = "image-factory-run"
DIGEST = "image-factory-digest"
BASE = "image-factory-base"
EXPIRES = "image-factory-expires"
REASON = "image-factory-reason"
CAPTURE = "image-factory-capture"
"""On versions captured of a machine that the factory did not build: the name that its captures share."""

# What a run makes and nobody removed may be swept after this: more than the slowest build with the longest replication.
LIFETIME = timedelta(hours=48)


def shared_tags(recipe: Recipe) -> dict[str, str]:
    """Tags of what outlives the run and belongs to no run: resource group of the gallery, gallery, definition."""
    return {**recipe.tags, OWNER: tag_value(recipe.owner)}


def version_tags(recipe: Recipe, run: Run, facts: Facts, digest: str) -> dict[str, str]:
    """Tags of the image version."""
    reason = {REASON: tag_value(run.reason)} if run.reason else {}
    return {**shared_tags(recipe), RECIPE: recipe.name, RUN: tag_value(run.id), DIGEST: digest, BASE: tag_value(facts.base.id), **reason}


def build_tags(recipe: Recipe, run: Run, facts: Facts, digest: str) -> dict[str, str]:
    """Tags of what the run makes for itself and removes again."""
    return {**version_tags(recipe, run, facts, digest), EXPIRES: iso(run.began + LIFETIME)}


def iso(moment: datetime) -> str:
    """``2026-11-23T02:00:00Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
