"""Azure's regions as data: short name, display name, and whether it has availability zones."""

from __future__ import annotations

REGIONS: dict[str, str] = {
    "eastus": "East US",
    "eastus2": "East US 2",
    "westus": "West US",
    "westus2": "West US 2",
    "westus3": "West US 3",
    "centralus": "Central US",
    "northcentralus": "North Central US",
    "southcentralus": "South Central US",
    "westcentralus": "West Central US",
    "canadacentral": "Canada Central",
    "canadaeast": "Canada East",
    "brazilsouth": "Brazil South",
    "mexicocentral": "Mexico Central",
    "northeurope": "North Europe",
    "westeurope": "West Europe",
    "uksouth": "UK South",
    "ukwest": "UK West",
    "francecentral": "France Central",
    "germanywestcentral": "Germany West Central",
    "switzerlandnorth": "Switzerland North",
    "swedencentral": "Sweden Central",
    "norwayeast": "Norway East",
    "polandcentral": "Poland Central",
    "italynorth": "Italy North",
    "spaincentral": "Spain Central",
    "uaenorth": "UAE North",
    "qatarcentral": "Qatar Central",
    "israelcentral": "Israel Central",
    "southafricanorth": "South Africa North",
    "centralindia": "Central India",
    "southindia": "South India",
    "southeastasia": "Southeast Asia",
    "eastasia": "East Asia",
    "japaneast": "Japan East",
    "japanwest": "Japan West",
    "koreacentral": "Korea Central",
    "australiaeast": "Australia East",
    "australiasoutheast": "Australia Southeast",
    "newzealandnorth": "New Zealand North",
    "centraluseuap": "Central US EUAP",
    "eastus2euap": "East US 2 EUAP",
}

WITHOUT_ZONES = frozenset(
    {"westus", "northcentralus", "westcentralus", "canadaeast", "ukwest", "southindia", "japanwest", "australiasoutheast", "centraluseuap"}
)


def short(name: str) -> str:
    """`West Europe` or `westeurope` -> `westeurope`. Unknown names are returned normalised; see `is_known`."""
    return name.replace(" ", "").lower()


def display(name: str) -> str:
    """`westeurope` -> `West Europe`, as gallery target regions come back."""
    return REGIONS.get(short(name), name)


def is_known(name: str) -> bool:
    return short(name) in REGIONS
