"""Azure's regions: one spelling for each, and a clear answer for a name that is none.

Source: ``GET /subscriptions/{id}/locations`` (``az account list-locations``) of the public, US Government and China clouds.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator, Field

from include.factory.problem import refusal

DISPLAY_NAMES: tuple[str, ...] = (
    # Americas
    "Brazil South", "Brazil Southeast", "Canada Central", "Canada East", "Central US", "Central US EUAP", "Chile Central", "East US",
    "East US 2", "East US 2 EUAP", "Mexico Central", "North Central US", "South Central US", "Southeast US", "West Central US", "West US",
    "West US 2", "West US 3",
    # Europe
    "Austria East", "Belgium Central", "Denmark East", "France Central", "France South", "Germany North", "Germany West Central",
    "Italy North", "North Europe", "Norway East", "Norway West", "Poland Central", "Spain Central", "Sweden Central", "Sweden South",
    "Switzerland North", "Switzerland West", "UK South", "UK West", "West Europe",
    # Middle East and Africa
    "Israel Central", "Qatar Central", "South Africa North", "South Africa West", "UAE Central", "UAE North",
    # Asia and the Pacific
    "Australia Central", "Australia Central 2", "Australia East", "Australia Southeast", "Central India", "East Asia",
    "India South Central", "Indonesia Central", "Japan East", "Japan West", "Jio India Central", "Jio India West", "Korea Central",
    "Korea South", "Malaysia West", "New Zealand North", "South India", "Southeast Asia", "West India",
    # US Government
    "USDoD Central", "USDoD East", "USGov Arizona", "USGov Texas", "USGov Virginia",
    # China (21Vianet)
    "China East", "China East 2", "China East 3", "China North", "China North 2", "China North 3",
)  # fmt: skip

NAMES: dict[str, str] = {display.replace(" ", "").lower(): display for display in DISPLAY_NAMES}


def region_name(written: str) -> str:
    """The name ARM uses, for a name or a display name in any case: ``East US 2`` and ``eastus2`` are ``eastus2``.

    Raises a refusal (a pydantic error with a cure) for a name that is no region of Azure.
    """
    name = "".join(written.split()).replace("-", "").lower()
    if name in NAMES:
        return name
    nearest = get_close_matches(name, NAMES, n=3, cutoff=0.6)
    cure = f"Did you mean {' or '.join(nearest)}?" if nearest else "Names are those of `az account list-locations`, such as eastus2."
    raise refusal(f"{written!r} is not an Azure region", cure)


def display_name(name: str) -> str:
    """``East US 2`` for ``eastus2``: how ARM spells a version's target regions in its answers."""
    return NAMES[name]


RegionName = Annotated[str, AfterValidator(region_name), Field(examples=["eastus2"])]
