"""How long Azure takes, as data: seconds as (median, sigma of the logarithm, least, most), or a constant.

Medians are those of recorded live traffic (azure-mgmt-compute's and azure-cli's test recordings, server start to end), except where a
line says otherwise.
"""

from __future__ import annotations

import math
from random import Random

Latency = float | tuple[float, float, float, float]

LATENCIES: dict[str, Latency] = {
    "virtualMachines.create": (88, 0.6, 4, 600),
    "virtualMachines.update": (12, 0.5, 3, 90),
    "virtualMachines.delete": (31, 0.6, 0.4, 448),
    "virtualMachines.start": (8, 0.5, 3, 36),
    "virtualMachines.powerOff": (10, 0.5, 0.2, 23),
    "virtualMachines.deallocate": (41, 0.3, 21, 131),
    "virtualMachines.restart": (30, 0.4, 8, 120),
    "virtualMachines.redeploy": (60, 0.4, 21, 112),
    "virtualMachines.reapply": (10, 0.4, 3, 40),
    "virtualMachines.reimage": (60, 0.4, 21, 180),
    "virtualMachines.capture": (0.2, 0.4, 0.1, 2),
    "virtualMachines.convert": (60, 0.4, 21, 180),
    "virtualMachines.runCommand": (30.5, 0.2, 30.3, 101),
    "virtualMachines.osProvisioningTimeout": 1200,
    "runCommands.agent": (6, 0.4, 2, 30),
    "runCommands.script": (20, 0.6, 2, 180),
    "runCommands.delete": (8, 0.4, 2, 30),
    "extensions.enable": (30, 0.5, 5, 120),
    "extensions.delete": (30, 0.4, 5, 90),
    "guest.boot": (25, 0.3, 10, 90),
    "guest.deprovision": (6, 0.3, 3, 20),
    "guest.sysprep": (150, 0.3, 60, 600),
    "guest.shutdown": (12, 0.3, 4, 40),
    "virtualMachineScaleSets.create": (60, 0.6, 10, 612),
    "virtualMachineScaleSets.update": (10, 0.8, 1, 274),
    "virtualMachineScaleSets.delete": (31, 0.4, 5, 56),
    "images.create": 5.1,
    "images.update": 5.1,
    "images.delete": 5.1,
    "snapshots.create": (0.8, 0.5, 0.4, 23),
    "snapshots.update": (0.7, 0.4, 0.2, 2),
    "snapshots.copyStart": (600, 0.5, 120, 7200),  # documented: minutes to hours, by size and distance
    "snapshots.delete": (0.3, 0.3, 0.1, 1),
    "restorePoints.create": (35, 0.4, 10, 120),
    "restorePoints.copy": (30, 0.4, 10, 120),  # the operation; the replication takes as long as a snapshot's
    "restorePoints.delete": (10, 0.4, 3, 60),  # no figure is published
    "storageAccounts.create": (20, 0.3, 10, 40),  # no figure is published
    "vaults.create": (20, 0.4, 5, 60),  # no figure is published
    "diskEncryptionSets.rotate": (1800, 0.4, 300, 3600),  # documented: within an hour
    "disks.create": (0.2, 0.5, 0.1, 0.9),
    "disks.update": (0.2, 0.5, 0.1, 0.9),
    "disks.delete": (0.3, 0.3, 0.1, 1),
    "beginGetAccess": (0.3, 0.2, 0.2, 0.4),
    "endGetAccess": (0.3, 0.2, 0.2, 0.4),
    "galleries.create": 0.5,
    "galleries.update": 0.3,
    "galleries.delete": (0.4, 0.3, 0.2, 0.7),
    "galleries.share": (0.3, 1.2, 0.1, 45),
    # no figure is published of applications' versions: small blobs, whose replicas are copied as those of images are
    "galleries/applications/versions.home": (60, 0.4, 20, 240),
    "galleries/applications/versions.region": (120, 0.4, 30, 600),
    "galleries/applications/versions.update": (30, 0.2, 15, 60),
    "galleries/applications/versions.delete": (30, 0.3, 10, 90),
    "galleries/images.create": 0.2,
    "galleries/images.update": 0.2,
    "galleries/images.delete": (0.4, 0.3, 0.2, 0.7),
    "galleries/images/versions.home": (420, 0.35, 150, 1500),
    "galleries/images/versions.home.large": (720, 0.25, 451, 2400),  # sources of 127 GB and more
    "galleries/images/versions.shallow": (60, 0.4, 20, 240),  # no figure is published
    "galleries/images/versions.region": (900, 0.4, 200, 7200),  # reported: 12 to 20 minutes, at times an hour
    "galleries/images/versions.update": (150, 0.2, 90, 240),
    "galleries/images/versions.delete": 90.2,
    "network.create": (3, 0.3, 1, 11),
    "network.update": (1, 0.3, 0.5, 11),
    "network.delete": (10, 0.2, 4, 20),
    "resourceGroups.delete": (180, 0.5, 15, 1800),
    "resourceGroups.delete.empty": (15, 0.2, 10, 30),
    "deployments.delete": (5, 0.3, 2, 15),  # no figure is published
    "blobs.copy": (8, 0.4, 2, 60),
}


def sample(name: str, chance: Random) -> float:
    """Seconds that `name` takes this time. Raises KeyError for an unknown name."""
    latency = LATENCIES[name]
    if isinstance(latency, tuple):
        median, sigma, least, most = latency
        return min(most, max(least, median * math.exp(sigma * chance.gauss(0.0, 1.0))))
    return latency
