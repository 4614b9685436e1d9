"""By which route a machine becomes a gallery version.

The matrix, from https://learn.microsoft.com/azure/virtual-machines/shared-image-galleries (features) and
https://learn.microsoft.com/azure/virtual-machines/trusted-launch-portal (image types):

=======================  ==============  ===========  ==============================  =========================================
image's security type    machine's       state        routes                          why
=======================  ==============  ===========  ==============================  =========================================
Standard                 Standard        Generalized  virtual_machine, snapshot,
                                                      managed_image
Standard                 Standard        Specialized  virtual_machine, snapshot       managed images are always generalized
TrustedLaunchSupported   Standard        Generalized  managed_image                   no VM guest state may come along
TrustedLaunch            TrustedLaunch   either       virtual_machine, snapshot       managed images drop the VM guest state
ConfidentialVM           ConfidentialVM  either       virtual_machine                 the guest state is encrypted with the VM
=======================  ==============  ===========  ==============================  =========================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Route = Literal["virtual_machine", "managed_image", "snapshot"]

# (image's security type, OS state) -> the machine's security type and the routes, the best first.
_MATRIX: dict[tuple[str, str], tuple[str, tuple[Route, ...]]] = {
    ("Standard", "Generalized"): ("Standard", ("virtual_machine", "snapshot", "managed_image")),
    ("Standard", "Specialized"): ("Standard", ("virtual_machine", "snapshot")),
    ("TrustedLaunchSupported", "Generalized"): ("Standard", ("managed_image",)),
    ("TrustedLaunchSupported", "Specialized"): ("Standard", ()),
    ("TrustedLaunch", "Generalized"): ("TrustedLaunch", ("virtual_machine", "snapshot")),
    ("TrustedLaunch", "Specialized"): ("TrustedLaunch", ("virtual_machine", "snapshot")),
    ("ConfidentialVM", "Generalized"): ("ConfidentialVM", ("virtual_machine",)),
    ("ConfidentialVM", "Specialized"): ("ConfidentialVM", ("virtual_machine",)),
}


@dataclass(frozen=True)
class NoRouteError(ValueError):
    """No route leads there; `field` is what to change: ``security_type``, ``state``, ``machine`` or ``capture``."""

    field: str
    message: str
    cure: str

    def __str__(self) -> str:
        return f"{self.message}. {self.cure}"


def machine_security(image_security: str) -> str:
    """The security type that the build machine needs for an image of `image_security`."""
    return _MATRIX[image_security, "Generalized"][0]


def capture_route(*, machine: str, state: str, image: str, generation: str = "V2", architecture: str = "x64", asked: str = "auto") -> Route:
    """The route for a machine of security type `machine` to an image of security type `image` and OS state `state`.

    :param asked: a route that the recipe insists on, or ``auto`` for the best.
    :raises NoRouteError: the combination is impossible in Azure.
    """
    if image != "Standard" and generation != "V2":
        raise NoRouteError("security_type", f"{image} needs generation V2", "Set os.generation to V2, or os.security_type to Standard.")
    needed, routes = _MATRIX[image, state]
    if machine != needed:
        raise NoRouteError(
            "machine", f"a {machine} machine cannot become a {image} image", f"Build it on a {needed} machine, which is the default."
        )
    if architecture == "Arm64":
        if image == "ConfidentialVM":
            raise NoRouteError(
                "security_type", "there are no Arm64 confidential machines", "Use architecture x64, or another security type."
            )
        routes = tuple(route for route in routes if route != "managed_image")
    if not routes:
        why = "a managed image holds no Arm64 system" if architecture == "Arm64" else "a managed image is always generalized"
        raise NoRouteError(
            "security_type",
            f"a {state} {architecture} image of security type {image} cannot be captured: it is made through a managed image, and {why}",
            "Use security type TrustedLaunch or Standard.",
        )
    if asked == "auto":
        return routes[0]
    if asked not in routes:
        raise NoRouteError(
            "capture",
            f"a {state} {architecture} image of security type {image} cannot be captured by {asked}",
            f"Use auto or {' or '.join(routes)}.",
        )
    return asked
