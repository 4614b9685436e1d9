"""Microsoft's own example requests are sent, each to a sandbox that has what it presupposes, and are accepted to their end.

Their answers are validated with all other traffic of the session (tests/clients/test_validator.py). What is not accepted is in one of the
two tables below, each with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request, Response
from tests.sandbox_transport import make_sync_sandbox

from .official_examples import OPENAPI, Example, examples
from .presupposed import Presupposed

pytestmark = pytest.mark.skipif(not OPENAPI.is_dir(), reason="Microsoft's OpenAPI documents are not here; FIDELITY names their parent")

# What the sandbox does not have (docs/sandbox.md), by "operation/title"; it answers as ARM answers for a type or a value that is not there.
OUT_OF_SCOPE = {
    r"CapacityReservation": "capacity reservations",
    r"VirtualMachine(s|ScaleSets)_CreateOrUpdate/Create or update a .* with capacity reservation": "capacity reservations",
    r"VirtualMachineScaleSets_CreateOrUpdate/Create a scale set with an azure application gateway": "application gateways",
    r"VirtualMachineScaleSets_CreateOrUpdate/Create a scale set with Service Artifact Reference": "service artifacts of galleries",
    r"DedicatedHost": "dedicated hosts",
    r"DiskAccesses_(Get|Update)APrivateEndpointConnection": "private endpoints, which make the connections to a disk access",
    r"Operations_List/": "the list of a provider's operations",
    r"VirtualMachineImagesEdgeZone_|VirtualMachineImages_ListByEdgeZone": "extended locations",
    r"VirtualMachineScaleSetVMs_(?!List/|Get/|Delete/|GetInstanceView/|Deallocate|PowerOff|Reapply|Redeploy|Reimage|Restart|Start)": (
        "instances of scale sets: what needs a guest or disks"
    ),
    r"VirtualMachineScaleSet(VMExtensions|VMRunCommands)_": "instances of scale sets: extensions and run commands",
    r"VirtualMachineScaleSetExtensions_": "extensions of scale sets as resources of their own",
    r"VirtualMachineScaleSetRollingUpgrades_StartExtensionUpgrade|VirtualMachineScaleSets_ApproveRollingUpgrade": (
        "rolling upgrades of extensions, and by approval"
    ),
    r"VirtualMachineScaleSets_(ConvertToSinglePlacementGroup|ForceRecovery|PerformMaintenance|ScaleOut|SetOrchestration)": (
        "placement, fabric and orchestration services of scale sets"
    ),
    r"VirtualMachineScaleSets_CreateOrUpdate/Create a custom-image scale set from an unmanaged": "scale sets with unmanaged disks",
    r"VirtualMachineScaleSets_CreateOrUpdate/.*(priority mix policy|sku profile|high-speed interconnect)": (
        "flexible scale sets of several sizes or priorities"
    ),
    r"AvailabilitySets_\w+VirtualMachineScaleSet|VirtualMachines_migrateToVMScaleSet": "migration to a scale set",
    r"VirtualMachines_(AssessPatches|InstallPatches)": "the guest's patches",
    r"GalleryInVMAccessControlProfile": "access control profiles of galleries",
    r"(Disks|Snapshots)_CreateOrUpdate/.*elastic san": "Elastic SAN",
}

# What Azure refuses, too, by "operation/title": the error's code, and why.
REFUSED = {
    r"VirtualMachineScaleSetRollingUpgrades_Cancel/": ("OperationNotAllowed", "no instance is out of date, so no upgrade is under way"),
    r"VirtualMachineScaleSets_(Deallocate|PowerOff|Redeploy|Reimage|ReimageAll|Restart|Start)/.*Maximum|"
    r"VirtualMachineScaleSets_(DeleteInstances|UpdateInstances)/": (
        "InvalidParameter",
        "generated from the schema: no instance is called aaa",
    ),
    r"VirtualMachineScaleSetVMs_(Deallocate|PowerOff|Reapply|Redeploy|Reimage|ReimageAll|Restart|Start)/": (
        "InvalidParameter",
        "generated from the schema: no instance is called aaa",
    ),
    r"VirtualMachines_List(All)?/.*MaximumSet": ("InvalidParameter", "generated from the schema: its filter is aaa"),
    r"VirtualMachine(s|ScaleSets)_CreateOrUpdate/.*Application Profile": (
        "GalleryImageNotFound",
        "it names the versions 1.0 and 1.1 of applications; a version is three numbers",
    ),
    r"Images_CreateOrUpdate/.*from a blob": ("InvalidParameter", "a blob does not say its hyperVGeneration; recorded since 2019-03-01"),
    r"VirtualMachineImages_Get/": ("NotFound", "generated from the schema: no image's version is called aaa"),
    r"LogAnalytics_": ("BadRequest", "nothing can be written to its SAS, https://somesasuri"),
    r"VirtualMachineExtensionImages_": ("NotFound", "generated from the schema: no publisher of extensions is called aaa"),
    r"VirtualMachines_CreateOrUpdate/Create a VM with network interface configuration": (
        "SubnetNotSpecified",
        "its only IP configuration, an IPv4 one, names no subnet",
    ),
    r"Snapshots_CreateOrUpdate/.*in a different region": ("InvalidParameter", "only incremental snapshots are copied to another region"),
    r"GalleryImageVersions_CreateOrUpdate/.*using vhd as a source": (
        "InvalidParameter",
        "it encrypts the image in one of two regions; an encrypted image has an encryption set in each (image-version-encryption.md)",
    ),
    r"VirtualMachineScaleSets_CreateOrUpdate/Create a scale set with ProxyAgent Settings of enabled and mode": (
        "InvalidParameter",
        "its machines would have neither a password nor a key",
    ),
    r"VirtualMachineScaleSets_CreateOrUpdate/Create a scale set with ssh authentication": (
        "InvalidParameter",
        "it puts a linuxConfiguration on an image of Windows",
    ),
    r"VirtualMachineScaleSets_Update/VirtualMachineScaleSet_Update_MaximumSet_Gen": (
        "InvalidParameter",
        "DSv3-Type1 is the size of a dedicated host, not of a machine",
    ),
    r"VirtualMachineScaleSets_CreateOrUpdate/Create a scale set with Security Posture Reference": (
        "BadRequest",
        "automatic OS upgrades without a health probe or extension (azure-docs#122644)",
    ),
    r"VirtualMachines_CreateOrUpdate/Create a Windows vm with a patch setting patchMode of Manual": (
        "OperationNotAllowed",
        "the document's own text: in the mode Manual enableAutomaticUpdates must be false",
    ),
    r"VirtualMachineExtensions_CreateOrUpdate/.*MinimumSet": ("InvalidParameter", "generated from the schema: it has no publisher"),
    r"VirtualMachines_PerformMaintenance/": ("OperationNotAllowed", "no maintenance is announced for the machine"),
    r"Disks_CreateOrUpdate/create a managed disk with performancePlus": (
        "InvalidParameter",
        "the document's own text: an upload says its uploadSizeBytes",
    ),
    r"Disks_CreateOrUpdate/create a managed disk with security profile": ("InvalidParameter", "the image's id ends at its offer"),
    r"GalleryImageVersions_CreateOrUpdate/.*Direct Drive replicas": ("InvalidParameter", "PreviumV2_LRS is a slip for PremiumV2_LRS"),
}


def sent(example: Example, sandbox: Sandbox) -> tuple[Response, str]:
    """The first answer, and how it ended: empty, or the error."""
    world = Presupposed(sandbox, example.method, example.path, example.body, example.query)
    world.build()
    content = world.as_named(example.content.decode()).encode()
    headers = {**example.headers, "content-type": "application/json"}
    first = sandbox.handle(Request(example.method, world.as_named(example.url), headers, content))
    if first.status >= 400:
        return first, str(first.json()["error"]["code"])
    sandbox.clock.advance(8000)
    for header in ("azure-asyncoperation", "location"):
        if (url := first.headers.get(header)) is not None:
            final = sandbox.handle(Request("GET", url))
            told = final.json() if final.body else {}
            if final.status >= 400 or (header != "location" and told.get("status") != "Succeeded"):
                return first, str((told.get("error") or {"code": told})["code"])
    if example.method in ("PUT", "PATCH"):
        shown = sandbox.handle(Request("GET", world.as_named(example.url)))
        if shown.status != 200 or shown.json().get("properties", {}).get("provisioningState", "Succeeded") != "Succeeded":
            return first, f"{shown.status} {shown.body.decode()}"
    return first, ""


def listed(table: object, example: Example) -> Iterator[str]:
    assert isinstance(table, dict)
    return (pattern for pattern in table if re.match(pattern, example.id))


def test_microsofts_own_examples_are_accepted() -> None:
    wrong, accepted = [], 0
    for example in examples(make_sync_sandbox().subscription_id):
        if any(listed(OUT_OF_SCOPE, example)) or any(listed(REFUSED, example)):
            continue
        _, problem = sent(example, make_sync_sandbox(throttle=False))
        accepted += not problem
        wrong += [f"{example.id}: {problem}"] if problem else []
    assert wrong == []
    assert accepted > 300


def test_what_azure_refuses_of_them_is_refused() -> None:
    for example in examples(make_sync_sandbox().subscription_id):
        for pattern in listed(REFUSED, example):
            _, problem = sent(example, make_sync_sandbox(throttle=False))
            assert problem == REFUSED[pattern][0], example.id


def test_what_is_out_of_scope_is_refused_and_nothing_else_is_listed() -> None:
    used = set()
    for example in examples(make_sync_sandbox().subscription_id):
        reasons = [*listed(OUT_OF_SCOPE, example), *listed(REFUSED, example)]
        assert len(reasons) <= 1, (example.id, reasons)
        used.update(reasons)
        if reasons and reasons[0] in OUT_OF_SCOPE:
            sandbox = make_sync_sandbox(throttle=False)
            answer = sandbox.handle(Request(example.method, example.url, example.headers, example.content))
            assert answer.status in (400, 404, 405), (example.id, answer.status)
    assert used == {*OUT_OF_SCOPE, *REFUSED}
