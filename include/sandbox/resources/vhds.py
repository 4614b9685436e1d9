"""Virtual hard disks in page blobs: what unmanaged disks are, and what images and disks are imported from.

A VHD that the sandbox made for a machine is held under its URL with what is on it; one in a blob of the sandbox's account is known by the
disk that it was exported from. On other bytes the sandbox knows no operating system: Azure takes them, and a machine made from them never
comes up. Nothing is fetched.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from .. import guest
from ..blobs import STORAGE, exported
from ..content import Origin, disk_content
from ..registry import arm_not_found, invalid, required
from ..store import Resource
from ..wire import ArmError, Json

if TYPE_CHECKING:
    from ..sandbox import Sandbox

VHD = "blob"  # a type that no request names


def check_url(url: str, target: str) -> str:
    """Raises ArmError 400 InvalidParameter where that is no blob's URL."""
    if not url.lower().startswith(("https://", "http://")) or url.count("/") < 4:
        raise invalid(f"The value '{url}' of parameter {target} is not a valid blob URI.", target)
    return url


def check_account(arm: Sandbox, id: str, url: str, location: str) -> None:
    """Raises ArmError where the storage account that a VHD is said to be in is not there, is another one, or is in another region."""
    found = arm.resource(id, STORAGE)
    if found is None:
        raise arm_not_found(id)
    if not url.lower().startswith((f"https://{found.name}.", f"http://{found.name}.")) and f"/{found.name}/" not in url.lower():
        raise invalid(f"The source blob {url} is not in the storage account {found.name}.", "creationData.storageAccountId")
    if found.location != location:  # recorded: azure-mgmt-compute 12.1.0 test_md_from_storage_blob
        raise ArmError(400, "BadRequest", f"The source blob {url} does not belong to the same region as the disk.")


def add(arm: Sandbox, url: str, location: str, size_gb: int, content: Json | None) -> Resource:
    """Make a VHD. Raises ArmError 409 where there is one."""
    if arm.resource(url, VHD) is not None:
        raise ArmError(409, "ConflictingUserInput", f"The blob {url} already exists. Please provide a different blob URL as a target.")
    body: Json = {"name": url.rsplit("/", 1)[1], "location": location, "properties": {"diskSizeGB": size_gb}}
    return arm.store.add(Resource(url, VHD, body, {"content": content}))


def at(arm: Sandbox, url: str, location: str, os_type: str | None, generation: str) -> Resource:
    """The VHD at a URL, with an operating system of that type where one is asked for. Raises ArmError 400 where there is none."""
    found = arm.resource(url, VHD)
    if found is not None:
        return found
    known = exported(arm, url)
    if known is None:
        raise ArmError(400, "BadRequest", f"The source blob {url} was not found.")
    content, size_gb = known
    if content is None and os_type is not None:
        content = stated(os_type, generation, size_gb, blank=True)
    return add(arm, url, location, size_gb, deepcopy(content))


def stated(
    os_type: str, generation: str, size_gb: int, *, architecture: str = "x64", security: str = "Standard", blank: bool = False
) -> Json:
    """Content that a request only states. `blank`: there is no operating system on the disk, whatever its type says."""
    made: Json = {
        "os": os_type,
        "generation": generation,
        "architecture": architecture,
        "security": security,
        "size_gb": size_gb,
        "os_name": "" if blank else os_type,
        "os_version": "",
        "guest": guest.fresh(os_type),
    }
    if blank:
        made["blank"] = True
        made["guest"] |= {"deprovisioned": False, "image_state": None}
    return made


def image(arm: Sandbox, os_disk: Json, location: str) -> Origin:
    """A generalized VHD that a machine with unmanaged disks is made from (osDisk.image.uri)."""
    url = check_url(str(os_disk["image"]["uri"]), "osDisk.image.uri")
    vhd = at(arm, url, location, required(os_disk, "osType", target="osDisk.osType"), "V1")
    required(os_disk, "vhd.uri", target="osDisk.vhd.uri")
    content = disk_content(vhd)
    assert content is not None
    return Origin("vhd", url, location, deepcopy(content), "Generalized", storage="Standard_LRS")
