"""Whether a machine fits what it is made from: size, generation, architecture and security type."""

from __future__ import annotations

from typing import Any

from ..content import Origin
from ..registry import field, invalid, one_of
from ..wire import ArmError, Json

SECURITY = ("TrustedLaunch", "ConfidentialVM", "Standard")


def security_profile(body: Json, origin: Origin, size_name: str, size: Any) -> Json | None:
    """Size, generation, architecture and security type must fit. Returns the securityProfile to show."""
    content = origin.content
    if content["generation"] not in size.generations:
        raise ArmError(
            400,
            "BadRequest",
            f"The selected VM size '{size_name}' cannot boot Hypervisor Generation '{content['generation'][1]}'. If this was a "
            f"Create operation please check that the "
            f"Hypervisor Generation of the Image matches the Hypervisor Generation of the selected VM Size.",
        )
    if content["architecture"] != size.architecture:
        raise invalid(
            f"The CPU architecture '{content['architecture']}' of the image does not match the CPU architecture "
            f"'{size.architecture}' of the VM size '{size_name}'.",
            "vmSize",
        )
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
