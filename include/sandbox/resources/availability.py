"""Availability sets, proximity placement groups and SSH public keys, which machines refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..content import MACHINE
from ..kept import keep
from ..registry import field, invalid, one_of, register
from ..wire import JSON_TYPE, ArmError, Json, Response, pretty, stamp
from .simple import Simple
from .sizes import list_sizes_for

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox
    from ..store import Resource


class AvailabilitySets(Simple):
    name = "Microsoft.Compute/availabilitySets"
    reference = "availabilitySet"
    title = "Availability Set"
    has_sku = True
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.AvailabilitySet", "PATCH": "compute.AvailabilitySetUpdate"}

    def __init__(self) -> None:
        super().__init__()
        self.views["vmsizes"] = list_sizes_for

    def properties(self, arm: Sandbox, call: Call, body: Json, resource: Resource | None) -> Json:
        managed = one_of(body, "sku.name", ("Classic", "Aligned"), "Classic") == "Aligned"
        faults = field(body, "properties.platformFaultDomainCount", int, 2 if managed else 3)
        updates = field(body, "properties.platformUpdateDomainCount", int, 5)
        for name, value, most in (("platformFaultDomainCount", faults, 3), ("platformUpdateDomainCount", updates, 20)):
            if not 1 <= value <= most:
                raise invalid(f"The specified {name.removesuffix('Count')} count {value} must fall in the range 1 to {most}.", name)
            if resource is not None and resource.properties[name] != value:
                raise ArmError(409, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.", target=name)
        made: Json = {"platformUpdateDomainCount": updates, "platformFaultDomainCount": faults}
        keep(made, field(body, "properties", dict, {}), but=frozenset({"virtualMachines", "statuses", "proximityPlacementGroup"}))
        group = field(body, "properties.proximityPlacementGroup.id")
        return {**made, "proximityPlacementGroup": {"id": group}} if group is not None else made

    def written(self, arm: Sandbox, call: Call, resource: Resource, *, created: bool) -> Response:
        """Never 201, and without the machines (recorded)."""
        return Response(200, {"content-type": JSON_TYPE}, pretty(resource.body))


# Who is placed in a group: the member that shows them, and their type.
PLACED = {
    "virtualMachines": MACHINE,
    "virtualMachineScaleSets": "Microsoft.Compute/virtualMachineScaleSets",
    "availabilitySets": AvailabilitySets.name,
}


class PlacementGroups(Simple):
    name = "Microsoft.Compute/proximityPlacementGroups"
    reference = "proximityPlacementGroup"
    title = "Proximity Placement Group"
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.ProximityPlacementGroup", "PATCH": "compute.ProximityPlacementGroupUpdate"}

    def properties(self, arm: Sandbox, call: Call, body: Json, resource: Resource | None) -> Json:
        kind = field(body, "properties.proximityPlacementGroupType", str, "Standard")
        made: Json = {"proximityPlacementGroupType": kind}
        intent = field(body, "properties.intent", dict)
        return {**made, "intent": intent} if intent is not None else made

    def written(self, arm: Sandbox, call: Call, resource: Resource, *, created: bool) -> Response:
        """Without those who are placed in it (recorded: azure-sdk-for-go TestProximityPlacementGroupTestSuite)."""
        return Response(201 if created else 200, {"content-type": JSON_TYPE}, pretty(resource.body))

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        placed = {
            member: [{"id": one.id} for one in arm.store.of_type(resource.subscription, kind).values() if self.places(resource, one)]
            for member, kind in PLACED.items()
        }
        return {**resource.body, "properties": {**resource.properties, **placed}}

    @staticmethod
    def places(group: Resource, other: Resource) -> bool:
        return str(field(other.properties, "proximityPlacementGroup.id", str, "")).lower() == group.key


class PublicKeys(Simple):
    name = "Microsoft.Compute/sshPublicKeys"
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.SshPublicKeyResource", "PATCH": "compute.SshPublicKeyUpdateResource"}

    def __init__(self) -> None:
        super().__init__()
        self.actions["generatekeypair"] = self.generate

    def properties(self, arm: Sandbox, call: Call, body: Json, resource: Resource | None) -> Json:
        key = field(body, "properties.publicKey")
        if key is not None and not str(key).startswith(("ssh-rsa ", "ssh-ed25519 ")):
            raise invalid("The value of parameter publicKey is invalid: it must be an RSA or Ed25519 key in OpenSSH format.", "publicKey")
        return {"publicKey": key} if key is not None else {}

    def generate(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        """A real Ed25519 or RSA pair; the private key is answered once and not kept."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

        if resource.properties.get("publicKey"):
            raise ArmError(409, "OperationNotAllowed", f"The SSH public key '{resource.name}' has a key already.")
        kind = one_of(call.json(), "encryptionType", ("RSA", "Ed25519"), "RSA")
        key = ed25519.Ed25519PrivateKey.generate() if kind == "Ed25519" else rsa.generate_private_key(65_537, 3072)
        public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()).decode()
        resource.properties["publicKey"] = f"{public} generated-by-azure"
        resource.private["generated"] = stamp(arm.now)
        arm.store.touch(resource)
        shown = {"privateKey": private, "publicKey": resource.properties["publicKey"], "id": resource.id}
        return Response(200, {"content-type": JSON_TYPE}, pretty(shown))


register(AvailabilitySets())
register(PlacementGroups())
register(PublicKeys())
