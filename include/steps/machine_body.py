"""The body of a PUT that makes a virtual machine."""

from __future__ import annotations

import asyncio
import functools
import secrets
import string
import threading
from typing import Any

# Nobody ever signs in with it: scripts come by the machine's agent. The account goes with deprovisioning.
ADMIN = "factory"


async def virtual_machine_body(
    *,
    name: str,
    nic: str,
    location: str,
    size: str,
    storage: dict[str, Any],
    os_type: str,
    specialized: bool,
    security_type: str,
    subnet_id: str,
    identities: list[str],
    spot: bool,
    computer_name: str,
    tags: dict[str, str],
    zone: str | None,
    plan: dict[str, str] | None,
    public_key: str | None,
) -> dict[str, Any]:
    """One machine with one network interface of its own, no public address, and nothing that outlives it.

    The account is made up here and forgotten: an RSA key whose private half is thrown away, or a random password; unless ``public_key``
    is somebody's who is to sign in (Linux). A machine from a specialized image takes no ``osProfile`` at all
    (troubleshooting-shared-images: "Parameter 'osProfile' is not allowed").
    """
    properties: dict[str, Any] = {
        "hardwareProfile": {"vmSize": size},
        "storageProfile": storage,
        "networkProfile": {"networkApiVersion": "2022-11-01", "networkInterfaceConfigurations": [_interface(nic, subnet_id)]},
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
    }
    if not specialized:
        properties["osProfile"] = await _os_profile(os_type, computer_name, public_key)
    if security_type in ("TrustedLaunch", "ConfidentialVM"):
        properties["securityProfile"] = {"securityType": security_type, "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True}}
    if spot:
        properties |= {"priority": "Spot", "evictionPolicy": "Deallocate", "billingProfile": {"maxPrice": -1}}
    body: dict[str, Any] = {"location": location, "tags": tags, "properties": properties}
    if identities:
        body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity: {} for identity in identities}}
    if zone:
        body["zones"] = [zone]
    if plan:
        body["plan"] = plan
    return body


def _interface(nic: str, subnet_id: str) -> dict[str, Any]:
    configuration = {"name": "build", "properties": {"primary": True, "subnet": {"id": subnet_id}}}
    return {"name": nic, "properties": {"primary": True, "deleteOption": "Delete", "ipConfigurations": [configuration]}}


async def _os_profile(os_type: str, computer_name: str, public_key: str | None) -> dict[str, Any]:
    profile: dict[str, Any] = {"computerName": computer_name, "adminUsername": ADMIN, "allowExtensionOperations": True}
    if os_type == "Windows":
        profile["adminPassword"] = _password()
        # Windows Update must not restart a machine in the middle of a build.
        profile["windowsConfiguration"] = {"provisionVMAgent": True, "enableAutomaticUpdates": False}
        return profile
    key_data = public_key or await asyncio.to_thread(_public_key)
    key = {"path": f"/home/{ADMIN}/.ssh/authorized_keys", "keyData": key_data}
    linux = {"disablePasswordAuthentication": True, "provisionVMAgent": True, "ssh": {"publicKeys": [key]}}
    return {**profile, "linuxConfiguration": linux}


_one_at_a_time = threading.Lock()


def _public_key() -> str:
    """A public key whose private half nobody has. One serves all machines of this process: making it takes a tenth of a second."""
    with _one_at_a_time:
        return _made_public_key()


@functools.cache
def _made_public_key() -> str:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _password() -> str:
    """32 characters with one of each class that Windows asks for."""
    classes = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "-_.!")
    characters = [secrets.choice(one) for one in classes] + [secrets.choice("".join(classes)) for _ in range(28)]
    secrets.SystemRandom().shuffle(characters)
    return "".join(characters)


def image_storage(
    *, image_reference: dict[str, str], os_disk: dict[str, Any], data_disks: list[dict[str, Any]], security_type: str
) -> dict[str, Any]:
    """``storageProfile`` of a machine from an image; a data disk that is ``from_image`` is only given its storage type and caching."""
    disk: dict[str, Any] = {
        "createOption": "FromImage",
        "caching": "ReadWrite",
        "deleteOption": "Delete",
        "managedDisk": _managed(os_disk["storage_account_type"], security_type),
    }
    if os_disk.get("size_gb"):
        disk["diskSizeGB"] = os_disk["size_gb"]
    return {"imageReference": image_reference, "osDisk": disk, "dataDisks": [_data_disk(one) for one in data_disks]}


def _data_disk(disk: dict[str, Any]) -> dict[str, Any]:
    from_image = bool(disk.get("from_image"))
    item: dict[str, Any] = {
        "lun": int(disk["lun"]),
        "createOption": "FromImage" if from_image else "Empty",
        "caching": disk.get("caching") or "None",
        "deleteOption": "Delete",
        "managedDisk": {"storageAccountType": disk["storage_account_type"]},
    }
    if disk.get("size_gb"):
        item["diskSizeGB"] = int(disk["size_gb"])
    return item


def attached_storage(
    *, os_type: str, os_disk: str, from_snapshots: dict[int, str], data_disks: list[dict[str, Any]], security_type: str
) -> dict[str, Any]:
    """``storageProfile`` of a machine from disks that exist: the OS disk's ARM id, the data disks' by LUN; the other data disks are made
    empty."""
    caching = {int(disk["lun"]): disk.get("caching") or "None" for disk in data_disks}
    attached = [
        {"lun": lun, "createOption": "Attach", "caching": caching.get(lun, "None"), "deleteOption": "Delete", "managedDisk": {"id": disk}}
        for lun, disk in sorted(from_snapshots.items())
    ]
    empty = [_data_disk({**disk, "from_image": False}) for disk in data_disks if int(disk["lun"]) not in from_snapshots]
    system = {"osType": os_type, "createOption": "Attach", "caching": "ReadWrite", "deleteOption": "Delete", "managedDisk": {"id": os_disk}}
    return {"osDisk": system, "dataDisks": attached + empty}


def _managed(storage_account_type: str, security_type: str) -> dict[str, Any]:
    managed: dict[str, Any] = {"storageAccountType": storage_account_type}
    if security_type == "ConfidentialVM":
        managed["securityProfile"] = {"securityEncryptionType": "VMGuestStateOnly"}
    return managed
