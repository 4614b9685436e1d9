"""Every entry of the failure catalogue, as Azure sends it, against the table."""

# ruff: noqa: E501  (a row of the catalogue is a line)
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from include.steps.arm_error import ArmError, of_exception, read_arm_error
from include.steps.errors import RULES, Rule, StepError, StepSkipped, classify, partly, told_of
from tests.steps.build_line import Line


@dataclass
class Entry:
    """One failure: HTTP status (None: an operation that answered 200 and Failed), the error object, and what is to become of it."""

    id: str
    status: int | None
    error: dict[str, Any]
    kind: str
    code: str
    cure: str

    def __str__(self) -> str:
        return self.id


def wrapped(code: str, message: str) -> dict[str, Any]:
    """The way a deployment reports what went wrong in it."""
    inner = {"code": code, "message": message}
    return {"code": "DeploymentFailed", "message": "At least one resource deployment operation failed.", "details": [inner]}


def embedded(code: str, message: str) -> dict[str, Any]:
    """The way a deployment reports a 400 of a resource provider: JSON in the detail's message."""
    document = json.dumps({"error": {"code": code, "message": message}})
    return {"code": "DeploymentFailed", "message": "See details.", "details": [{"code": "BadRequest", "message": document}]}


def plain(code: str, message: str = "It went wrong.") -> dict[str, Any]:
    return {"code": code, "message": message}


THROTTLED = {
    "code": "OperationNotAllowed",
    "message": "The server rejected the request because too many requests have been received for this subscription.",
    "details": [
        {
            "code": "TooManyRequests",
            "target": "HighCostGet30Min",
            "message": '{"operationGroup":"HighCostGet30Min","allowedRequestCount":800}',
        }
    ],
    "innererror": {"internalErrorCode": "TooManyRequestsReceived"},
}
POLICY = {
    "code": "InvalidTemplateDeployment",
    "message": "The template deployment failed because of policy violation.",
    "details": [
        {
            "code": "RequestDisallowedByPolicy",
            "message": "Resource 'vm' was disallowed by policy.",
            "additionalInfo": [{"type": "PolicyViolation", "info": {"policyAssignmentDisplayName": "Require a cost tag"}}],
        }
    ],
}
REPLICATION = (
    "Gallery replication jobs failed in one or more regions. The failing regions' details are as follows: '{region:northeurope, detail:Failed with "
    "internal server error.}'. If retry does not work, then please do an update by removing the failed regions and update again by adding them back."
)
TERMS = (
    "User failed validation to purchase resources. Error message: 'You have not accepted the legal terms on this subscription: '1234' for this plan. Before the "
    "subscription can be used, you need to accept the legal terms of the image. Offer details: publisher='procomputers' offer = 'centos-8', sku = 'centos-8-latest', "
    "Correlation Id: '53f72879'.'"
)
CATALOGUE = [
    Entry("P01", 404, plain("ResourceGroupNotFound", "Resource group 'rg' could not be found."), "transient", "ResourceGroupNotFound", "create_resource_group"),
    Entry("P03", None, wrapped("AllocationFailed", "Allocation failed. Please try reducing the VM size."), "transient", "AllocationFailed", "sizes"),
    Entry("P04", None, plain("ZonalAllocationFailed"), "transient", "ZonalAllocationFailed", "sizes"),
    Entry("P04b", None, plain("OverconstrainedAllocationRequest"), "transient", "OverconstrainedAllocationRequest", "sizes"),
    Entry("P05", 409, plain("SkuNotAvailable", "The requested VM size is currently not available."), "permanent", "SkuNotAvailable", "sizes"),
    Entry("P05b", 400, wrapped("SkuNotAvailable", "The requested size is not available."), "permanent", "SkuNotAvailable", "sizes"),
    Entry("P06", 409, plain("OperationNotAllowed", "Operation results in exceeding quota limits of Core. Maximum allowed: 100."), "permanent", "OperationNotAllowed", "quota"),
    Entry("P06b", 400, wrapped("QuotaExceeded", "Operation results in exceeding quota limits of Core."), "permanent", "QuotaExceeded", "quota"),
    Entry("P07", None, plain("OSProvisioningTimedOut", "OS Provisioning for VM 'x' did not finish in the allotted time."), "redo", "OSProvisioningTimedOut", "boot it by hand"),
    Entry("P07b", None, plain("OSProvisioningClientError", "OS Provisioning did not finish."), "redo", "OSProvisioningClientError", "boot it by hand"),
    Entry("P08", None, plain("OperationPreempted", "Operation execution has been preempted by a more recent operation."), "adopt", "OperationPreempted", "read again"),
    Entry("P09", 400, POLICY, "permanent", "RequestDisallowedByPolicy", "Policy"),
    Entry("P10", 429, plain("RetryableErrorDueToAnotherOperation"), "transient", "RetryableErrorDueToAnotherOperation", "again"),
    Entry("P11", None, plain("NetworkingInternalOperationError", "An unexpected error occured."), "transient", "NetworkingInternalOperationError", "again"),
    Entry("P12", 409, plain("VaultAlreadyExists"), "permanent", "VaultAlreadyExists", "purge"),
    Entry("P13", 504, plain("GatewayTimeout", "The gateway did not receive a response from 'Microsoft.Compute'."), "adopt", "GatewayTimeout", "read again"),
    Entry("P14", 409, plain("StorageError", "An operation is currently performing on this storage account that requires exclusive access"), "transient", "StorageError", "again"),
    Entry("P15", 404, plain("PlatformImageNotFound", "The platform image 'a:b:c:d' is not available."), "permanent", "PlatformImageNotFound", "marketplace"),
    Entry("P15b", 400, embedded("InvalidParameter", "The following list of images referenced from the deployment template are not found: Publisher: a"), "permanent", "InvalidParameter", "marketplace"),
    Entry("V01", None, plain("VMAgentStatusCommunicationError", "VM 'x' has not reported status for VM agent or extensions."), "redo", "VMAgentStatusCommunicationError", "boot diagnostics"),
    Entry("G01", 409, plain("OperationNotAllowed", "Operation 'generalize' is not allowed on VM 'x' since the VM is running."), "redo", "OperationNotAllowed", "deallocate"),
    Entry("G02", 409, plain("OperationNotAllowed", "The operation 'Create Image' requires the Virtual Machine 'x' to be Generalized."), "redo", "OperationNotAllowed", "mark_generalized"),
    Entry("G02b", 409, plain("OperationNotAllowed", "Capture operation cannot be completed because the VM is not generalized."), "redo", "OperationNotAllowed", "mark_generalized"),
    Entry("G03", 409, plain("OperationNotAllowed", "Operation 'start' is not allowed on VM 'x' since the VM is generalized."), "redo", "OperationNotAllowed", "new machine"),
    Entry("C01", 409, plain("PropertyChangeNotAllowed", "Changing property 'sourceVirtualMachine' is not allowed."), "permanent", "PropertyChangeNotAllowed", "taken"),
    Entry("C02", 409, plain("OperationNotAllowed", "Operation 'Image Delete' is not allowed since the Virtual Machines 'x' are being provisioned using the Image"), "transient", "OperationNotAllowed", "again"),
    Entry("C06", 409, plain("BadRequest", "Too many requests on source '/x'. Please reduce the number of requests on the source or wait"), "transient", "BadRequest", "pause"),
    Entry("U01", 400, plain("PropertyChangeNotAllowed", "Changing property 'galleryImageVersion.properties.publishingProfile.source' is not allowed"), "permanent", "PropertyChangeNotAllowed", "taken"),
    Entry("U02", None, plain("InvalidBeginGetAccessForGalleryImageVersionSnapshotResponseFromPIR"), "transient", "InvalidBeginGetAccessForGalleryImageVersionSnapshotResponseFromPIR", "published again"),
    Entry("U03", None, plain("InternalOperationError", "Replication failed in this region due to 'Some storage account(s) had not been created'"), "transient", "InternalOperationError", "tried again"),
    Entry("U06", 404, plain("ParentResourceNotFound", "Can not perform requested operation on nested resource. Parent resource 'g' not found."), "permanent", "ParentResourceNotFound", "ensure_destination"),
    Entry("U07", 400, plain("InvalidParameter", "The publishing profile regions 'x' must contain the location of image version 'y'"), "permanent", "InvalidParameter", "home region"),
    Entry("U07b", 400, plain("BadRequest", "The resource with id 'vm' has a different OS state ['Specialized'] than the parent gallery image OS state ['Generalized']."), "permanent", "BadRequest", "definition"),
    Entry("U08", 409, plain("OperationNotAllowed", "Operation 'Update Gallery Image Version' is not allowed on x since it is marked for deletion."), "transient", "OperationNotAllowed", "again"),
    Entry("U09", 409, plain("DeleteGalleryImageVersionBlockedBeforeEndOfLife"), "permanent", "DeleteGalleryImageVersionBlockedBeforeEndOfLife", "end of life"),
    Entry("U10", 409, plain("OperationNotAllowed", "The maximum number of gallery image versions has been reached."), "permanent", "OperationNotAllowed", "10,000"),
    Entry("U10b", 409, plain("OperationNotAllowed", "Operation could not be completed as it results in exceeding approved Gallery Image Versions quota."), "permanent", "OperationNotAllowed", "10,000"),
    Entry("U12", 401, plain("ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time."), "transient", "ExpiredAuthenticationToken", "new token"),
    Entry("U13", 401, plain("InvalidAuthenticationToken", "The access token is not yet valid."), "permanent", "InvalidAuthenticationToken", "clock"),
    Entry("U14", 409, plain("Conflict", "The request failed due to conflict with a concurrent request."), "adopt", "Conflict", "read again"),
    Entry("R01", None, plain("ReplicationJobsFailed", REPLICATION), "transient", "ReplicationJobsFailed", "removed and added"),
    Entry("R04", 400, plain("BadRequest", "Complete set of target locations not specified while updating gallery artifact '1.0.0' and type 'GalleryImageVersion'."), "adopt", "BadRequest", "read again"),
    Entry("R03", 404, plain("GalleryImageNotFound", "The gallery image x is not available in westus2 region."), "transient", "GalleryImageNotFound", "not readable"),
    Entry("R07", None, plain("InternalOperationError", "Replication failed in this region due to 'The GalleryImageVersion source resource size 2520 exceeds the max size 2048 supported'"), "permanent", "InternalOperationError", "Shrink"),
    Entry("R07b", 400, plain("InvalidParameter", "ZRS storage account type is not supported in this region"), "permanent", "InvalidParameter", "Standard_LRS"),
    Entry("D01", 400, plain("NicInUse", "Network Interface x is used by existing resource y."), "transient", "NicInUse", "again"),
    Entry("D02", 400, plain("NicReservedForAnotherVm", "Nic(s) in request is reserved for another Virtual Machine for 180 seconds."), "transient", "NicReservedForAnotherVm", "180"),
    Entry("D03", 409, plain("OperationNotAllowed", "Operation 'startTenantUpdate' is not allowed on VM 'x' since the VM is marked for deletion."), "transient", "OperationNotAllowed", "again"),
    Entry("D04", 409, plain("CannotDeleteResource", "Can not delete resource before nested resources are deleted."), "transient", "CannotDeleteResource", "child"),
    Entry("D05", 409, plain("ScopeLocked", "The scope 'x' cannot perform delete operation because following scope(s) are locked: 'y'."), "permanent", "ScopeLocked", "owner"),
    Entry("throttled", 429, THROTTLED, "transient", "OperationNotAllowed", "pause"),
    Entry("not throttled", 409, plain("OperationNotAllowed", "VM 'x' is already using managed disks."), "adopt", "OperationNotAllowed", "read again"),
    Entry("going", 409, plain("ResourceGroupBeingDeleted", "The resource group 'rg' is in deprovisioning state."), "permanent", "ResourceGroupBeingDeleted", "create_resource_group"),
    Entry("role", 403, plain("AuthorizationFailed", "The client 'x' does not have authorization to perform action 'y'."), "permanent", "AuthorizationFailed", "role"),
    Entry("P16", 400, plain("ResourcePurchaseValidationFailed", TERMS), "permanent", "ResourcePurchaseValidationFailed", "az vm image terms accept --publisher procomputers --offer centos-8 --plan centos-8-latest --subscription 1234;"),
    Entry("P16b", 400, {"code": "MarketplacePurchaseEligibilityFailed", "message": "See inner errors.", "details": [plain("BadRequest", TERMS)]}, "permanent", "MarketplacePurchaseEligibilityFailed", "terms accept --publisher procomputers"),
    Entry("P16c", 400, plain("ResourcePurchaseValidationFailed", "Legal terms have not been accepted for this item on this subscription."), "permanent", "ResourcePurchaseValidationFailed", "az vm image terms accept --urn"),
    Entry("not sold", 400, plain("ResourcePurchaseValidationFailed", "The offer with Offer ID 'x' was not found."), "permanent", "ResourcePurchaseValidationFailed", "cannot buy"),
    Entry("unknown 503", 503, plain("ServerBusy"), "transient", "ServerBusy", "again"),
    Entry("unknown 400", 400, plain("InvalidRequestContent"), "permanent", "InvalidRequestContent", "correct"),
    Entry("unknown end", None, plain("SomethingNew"), "permanent", "SomethingNew", "correct"),
]  # fmt: skip


@pytest.mark.parametrize("entry", CATALOGUE, ids=str)
def test_each_failure_of_the_catalogue_is_sorted_and_has_a_cure(entry: Entry) -> None:
    error = classify(entry.status, read_arm_error({"error": entry.error}))
    assert (error.kind, error.code) == (entry.kind, entry.code)
    assert entry.cure.lower() in error.cure.lower()
    assert (error.stage is not None) == (entry.kind == "redo")


def test_no_rule_stands_behind_one_that_always_comes_first() -> None:
    for position, rule in enumerate(RULES):
        for earlier in RULES[:position]:
            hides = earlier.code in ("*", rule.code) and earlier.status in (None, rule.status) and earlier.message is None
            assert not hides, f"row {position} ({rule.code}) never decides: {earlier} comes first"


def test_the_policy_that_forbids_is_named() -> None:
    assert "Require a cost tag" in classify(400, read_arm_error({"error": POLICY})).message


def test_a_step_error_reads_as_one_paragraph_with_cause_code_and_cure() -> None:
    error = StepError(
        "redo", "AgentSilent", "The agent of vm is silent.", "Build a new machine.", status=409, stage="create_virtual_machine"
    )
    assert str(error) == (
        "The agent of vm is silent. [HTTP 409, AgentSilent, redo] The stage to run again: create_virtual_machine. What to do: Build a new machine."
    )


def test_a_message_that_ends_with_a_scripts_output_is_followed_by_the_cure_in_its_line() -> None:
    assert str(StepError("permanent", "ScriptFailed", "Its last lines:\nno space left\n", "Make some.")) == (
        "Its last lines:\nno space left. [ScriptFailed, permanent] What to do: Make some."
    )


def test_a_step_error_as_json_leaves_out_what_it_does_not_know() -> None:
    assert StepError("permanent", "C", "m", "c").as_dict() == {"kind": "permanent", "code": "C", "message": "m", "cure": "c"}
    assert StepError("transient", "C", "m", "c", status=429, retry_after=1200).as_dict()["retry_after"] == 1200


def test_a_skip_carries_reason_and_result() -> None:
    skip = StepSkipped("Nothing changed.", {"version": "1.0.0"})
    assert (str(skip), skip.result) == ("Nothing changed.", {"version": "1.0.0"})


def test_a_lost_connection_is_transient_and_a_lost_answer_is_looked_at() -> None:
    from azure.core.exceptions import ServiceRequestError, ServiceResponseError

    assert of_exception(ServiceRequestError("no route")).kind == "transient"
    assert of_exception(ServiceResponseError("reset")).kind == "adopt"


def test_a_wrong_client_secret_is_permanent_and_says_where_to_put_a_new_one() -> None:
    from azure.core.exceptions import ClientAuthenticationError

    error = of_exception(ClientAuthenticationError("Authentication failed: AADSTS7000215: Invalid client secret provided."))
    assert (error.kind, error.code) == ("permanent", "invalid_client")
    assert "connection" in error.cure


def test_what_is_no_error_of_azure_is_not_dressed_up_as_one() -> None:
    with pytest.raises(KeyError):
        of_exception(KeyError("a mistake of ours"))


def test_what_is_partly_done_names_ten_and_every_cure_once_and_is_as_patient_as_throttling() -> None:
    lock = StepError("permanent", "ScopeLocked", "It is locked", "Ask its owner.")
    slow = StepError("transient", "TooManyRequests", "Slower", "Nothing.", status=429, retry_after=30, patient=True)
    error = partly("PartlyDone", "1 of 13 is done.", {f"1.0.{n}": lock for n in range(10, 22)} | {"2.0.0": slow}, done=["1.0.0"])
    assert (error.kind, error.status) == ("permanent", None)
    assert error.message.count("It is locked") == 10
    assert error.message.endswith("and 3 more, each with its reason in the log")
    assert error.cure == "Ask its owner. Clear this task: it does what is left, and nothing twice."
    waiting = partly("PartlyDone", "None is done.", {"2.0.0": slow}, done=[])
    assert (waiting.kind, waiting.patient, waiting.retry_after) == ("transient", True, 30)


@pytest.mark.parametrize(
    ("what", "message", "told"),
    [
        ("1.0.0", "Version 1.0.0 failed in uksouth", "1.0.0: failed in uksouth"),
        ("images/ubuntu/1.0.0", "Version 1.0.0 was rolled back", "images/ubuntu/1.0.0: was rolled back"),
        ("ubuntu 1.0.0", "Version 1.0.0 failed", "ubuntu 1.0.0: failed"),
        ("1.0.0", "Version 1.0.01 failed", "1.0.0: Version 1.0.01 failed"),
        ("images/ubuntu/1.0.0", "Version 1.0.0 of images/ubuntu does not exist any more", "images/ubuntu/1.0.0: does not exist any more"),
        ("1.0.0", "The client may not write", "1.0.0: The client may not write"),
    ],
)
def test_what_a_message_is_about_is_told_once(what: str, message: str, told: str) -> None:
    assert told_of(what, message) == told


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if rule.kind in ("transient", "adopt")], ids=lambda rule: f"{rule.code} {rule.message or ''}"
)
def test_what_passes_by_itself_says_what_to_do_when_it_does_not(rule: Rule) -> None:
    """Whoever reads it at night reads it because the tries are over."""
    assert " If " in rule.cure


async def test_an_error_says_which_call_azure_refused() -> None:
    """Azure's own words often name neither the resource nor where it is."""
    line = await Line().up_to("create_virtual_machine")
    match = {"method": "PUT", "type": "Microsoft.Compute/virtualMachines"}
    line.sandbox.faults.add(name="odd", match=match, effect={"error": {"status": 400, "code": "Odd", "message": "It is odd."}})
    with pytest.raises(StepError) as caught:
        await line.run("create_virtual_machine")
    assert str(caught.value).startswith(
        "It is odd. [PUT virtualMachines/ubuntu-build in image-build: HTTP 400, Odd, permanent] What to do: "
    )
    assert caught.value.as_dict()["call"] == "PUT virtualMachines/ubuntu-build in image-build"


async def test_an_operation_that_failed_names_the_call_that_began_it() -> None:
    line = await Line().up_to("create_virtual_machine")
    match = {"method": "PUT", "type": "Microsoft.Compute/virtualMachines"}
    effect = {"operation": {"code": "Odd", "message": "It ended oddly."}}
    line.sandbox.faults.add(name="odd", match=match, effect=effect)
    with pytest.raises(StepError, match="It ended oddly") as caught:
        await line.run("create_virtual_machine")
    assert caught.value.call == "PUT virtualMachines/ubuntu-build in image-build"


def test_a_list_of_every_size_is_cut_and_its_cure_is_to_correct_the_size() -> None:
    sizes = ", ".join(f"Standard_D{number}s_v5" for number in range(500))
    said = f"The value Standard_X provided for the VM size is not valid. The valid sizes in the current region are: {sizes}."
    error = classify(400, ArmError(("InvalidParameter",), (said,)))
    assert len(error.message) < 1010
    assert "build_machine.sizes" in error.cure
