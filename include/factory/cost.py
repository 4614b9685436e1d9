"""Roughly what replicas cost, so that nobody replicates 200 versions without a thought.

Azure bills a replica as a snapshot of what is *occupied* on the disks, and the way of the first replica of each region as data transfer
(azure-compute-gallery, "Billing"). What is occupied is not known beforehand: the sizes here are as provisioned, so the figures are upper
bounds. List prices in US dollars of common regions, without reservations or agreements.
"""

from __future__ import annotations

# Per GB and month: managed disk snapshots (https://azure.microsoft.com/pricing/details/managed-disks).
STORAGE = {"Standard_LRS": 0.05, "Standard_ZRS": 0.05, "Premium_LRS": 0.12}
# Per GB, between regions of one continent (https://azure.microsoft.com/pricing/details/bandwidth); between continents up to eight times.
TRANSFER = 0.02


def storage(size_gb: int, replica_count: int, storage_account_type: str) -> float:
    """US dollars a month."""
    return size_gb * replica_count * STORAGE.get(storage_account_type, max(STORAGE.values()))


def transfer(size_gb: int) -> float:
    """US dollars, once per region."""
    return size_gb * TRANSFER
