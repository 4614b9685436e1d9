"""Availability zones: whether what is asked for is in one that the region has."""

from __future__ import annotations

from ..regions import WITHOUT_ZONES
from ..registry import field
from ..wire import ArmError, Json

ZONES = ("1", "2", "3")


def check_zones(body: Json, location: str, type: str, name: str) -> None:
    """Raises ArmError 400 for a zone that the region does not have."""
    supported = () if location in WITHOUT_ZONES else ZONES
    wrong = [str(zone) for zone in field(body, "zones", list, []) if str(zone) not in supported]
    if wrong:
        raise ArmError(
            400,
            "InvalidAvailabilityZone",
            f"The zone(s) '{','.join(wrong)}' for resource '{type}/{name}' is not supported. The supported zones for location '{location}' "
            f"are '{','.join(supported)}'",
            gateway=True,
        )
