"""Whether a machine fits what it is made from: size, generation, architecture and security type."""

from __future__ import annotations

from typing import Any

from ..content import Origin
from ..registry import field, one_of
from ..wire import ArmError, Json

SECURITY = ("TrustedLaunch", "ConfidentialVM", "Standard")


def check_boots(content: Json, size_name: str, size: Any) -> None:
    """Raises ArmError 400 where a size cannot boot what is on an OS disk: generation and architecture (texts: public bug threads)."""
    generation = content["generation"][1]
    if content["generation"] not in size.generations:
        raise ArmError(
            400,
            "BadRequest",
            f"The selected VM size '{size_name}' cannot boot Hypervisor Generation '{generation}'. If this was a Create operation please "
            "check that the Hypervisor Generation of the Image matches the Hypervisor Generation of the selected VM Size. If this was an "
            f"Update operation please select a Hypervisor Generation '{generation}' VM Size. For more information, see "
            "https://aka.ms/azuregen2vm",
        )
    if content["architecture"] != size.architecture:
        raise ArmError(
            400,
            "BadRequest",
            f"Cannot create a VM of size '{size_name}' because this VM size only supports a CPU Architecture of '{size.architecture}', but "
            f"an image or disk with CPU Architecture '{content['architecture']}' was given. Please check that the CPU Architecture of the "
            "image or disk is compatible with that of the VM size.",
        )


def security_profile(body: Json, origin: Origin, size_name: str, size: Any) -> Json | None:
    """Size, generation, architecture and security type must fit. Returns the securityProfile to show."""
    content = origin.content
    check_boots(content, size_name, size)
    security = field(body, "properties.securityProfile", dict)
    kind = one_of(security or {}, "securityType", SECURITY) or "Standard"
    if origin.kind == "disk" and security is None:
        kind = content["security"]
        security = {"securityType": kind} if kind != "Standard" else None
    if kind == "Standard" and content["security"] != "Standard":
        raise ArmError(
            400,
            "BadRequest",
            f"Security type of VM is not compatible with the security type of attached OS Disk or image: the image needs "
            f"'{content['security']}'.",
        )
    if kind == "TrustedLaunch" and not (origin.supports_trusted_launch or content["security"] == "TrustedLaunch"):
        raise ArmError(
            400,
            "BadRequest",
            "Use of TrustedLaunch setting is not supported for the provided image. Please select Trusted Launch Supported Gen2 OS "
            "Image. For more information, see https://aka.ms/TrustedLaunch-FAQ.",
        )
    if kind == "ConfidentialVM" and not size.confidential:
        raise ArmError(
            400,
            "BadRequest",
            f"The VM size '{size_name}' is not supported for creation of VMs and Virtual Machine Scale Set with 'ConfidentialVM' "
            f"security type.",
        )
    if kind == "TrustedLaunch" and size.confidential:
        raise ArmError(400, "BadRequest", f"The VM size '{size_name}' is not supported for 'TrustedLaunch' security type.")
    return {**security, "securityType": kind} if security is not None and "securityType" in security else security
