"""Azure's regions as data: short name, display name, whether it has availability zones, and which cloud's it is."""

from __future__ import annotations

_PUBLIC: dict[str, str] = {
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

_US_GOVERNMENT = {
    "usgovvirginia": "USGov Virginia",
    "usgovarizona": "USGov Arizona",
    "usgovtexas": "USGov Texas",
    "usdodeast": "USDoD East",
    "usdodcentral": "USDoD Central",
}
_CHINA = {
    "chinanorth": "China North",
    "chinanorth2": "China North 2",
    "chinanorth3": "China North 3",
    "chinaeast": "China East",
    "chinaeast2": "China East 2",
    "chinaeast3": "China East 3",
}

REGIONS: dict[str, dict[str, str]] = {"AzureCloud": _PUBLIC, "AzureUSGovernment": _US_GOVERNMENT, "AzureChinaCloud": _CHINA}
_ALL = {name: shown for regions in REGIONS.values() for name, shown in regions.items()}

WITHOUT_ZONES = frozenset(
    {"westus", "northcentralus", "westcentralus", "canadaeast", "ukwest", "southindia", "japanwest", "australiasoutheast", "centraluseuap"}
    | {name for name in (*_US_GOVERNMENT, *_CHINA) if name not in ("usgovvirginia", "chinanorth3")}
)


def short(name: str) -> str:
    """`West Europe` or `westeurope` -> `westeurope`. Unknown names are returned normalised; see `is_known`."""
    return name.replace(" ", "").lower()


def display(name: str) -> str:
    """`westeurope` -> `West Europe`, as gallery target regions come back."""
    return _ALL.get(short(name), name)


def is_known(name: str, cloud: str) -> bool:
    """Whether the cloud of that name has the region."""
    return short(name) in REGIONS[cloud]
