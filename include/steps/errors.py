"""What went wrong, whose turn it is, and what a person should do about it.

One table sorts every error of Azure Resource Manager by HTTP status, code, inner code and message. Its rows are the failures that public
bug threads and recorded traffic show; each cure is written for somebody who reads it in a task log at night.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from include.steps.arm_error import ArmError

Kind = Literal["transient", "adopt", "permanent", "redo"]
"""``transient``: the same call again. ``adopt``: look again, the effect may be there. ``permanent``: never. ``redo``: an earlier stage
first."""


class StepError(Exception):
    """A step failed.

    ``code`` is Azure's innermost code (or one of ours, in the same style), ``cure`` what to do, ``status`` the HTTP status,
    ``retry_after`` in seconds, ``stage`` the task that must run again (kind ``redo``), ``details`` any JSON value that helps.
    ``call``: what Azure refused, ``PUT virtualMachines/build in rg-build``, where it was a call.
    ``patient``: it passes by itself, however long that takes, and is waited out (throttling, quota in use).
    ``about``: recipes, backups or definitions that failed, where not all of the run did (:func:`include.factory.notice.subject`), and
    ``notices``: what was done nevertheless, for those whom it concerns.
    """

    def __init__(
        self,
        kind: Kind,
        code: str,
        message: str,
        cure: str,
        status: int | None = None,
        retry_after: float | None = None,
        stage: str | None = None,
        details: Any = None,
        about: Sequence[str] = (),
        notices: Sequence[dict[str, Any]] = (),
        patient: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.message = message
        self.cure = cure
        self.status = status
        self.retry_after = retry_after
        self.stage = stage
        self.details = details
        self.about = tuple(about)
        self.notices = list(notices)
        self.patient = patient
        self.call = ""

    def __str__(self) -> str:
        status = f"HTTP {self.status}, " if self.status else ""
        call = f"{self.call}: " if self.call else ""
        again = f" The stage to run again: {self.stage}." if self.stage else ""
        return f"{self.message.rstrip().rstrip('.')}. [{call}{status}{self.code}, {self.kind}]{again} What to do: {self.cure}"

    def as_dict(self) -> dict[str, Any]:
        """The error as a JSON object: ``kind``, ``code``, ``message``, ``cure``, and of the others those that have a value."""
        optional = {
            "status": self.status,
            "retry_after": self.retry_after,
            "stage": self.stage,
            "details": self.details,
            "about": list(self.about) or None,
            "patient": self.patient or None,
            "call": self.call or None,
        }
        present = {name: value for name, value in optional.items() if value is not None}
        return {"kind": self.kind, "code": self.code, "message": self.message, "cure": self.cure, **present}


LONGEST = 1000
"""Characters of Azure's own message."""
NAMED = 10
"""Of what is not done, how many are named in the message."""


def told_of(what: str, message: str) -> str:
    """A message about something, after its name; which is not told twice where the message begins with it.

    :param what: a version (``1.0.0``, ``gallery/definition/1.0.0``, ``recipe 1.0.0``), or the id of a resource.
    """
    version = re.escape(re.split("[ /]", what)[-1])
    told = re.sub(rf"^(Version {version} (of \S+/\S+ )?|{re.escape(what)} )", "", message)
    return f"{what}: {told}"


def partly(
    code: str,
    said: str,
    failures: Mapping[str, StepError],
    *,
    done: Any,
    about: Sequence[str] = (),
    notices: Sequence[dict[str, Any]] = (),
    notes: Mapping[str, Any] | None = None,
) -> StepError:
    """The error of a step of which a part is done: names what is not, each with its reason. Kind ``transient`` when waiting is all that is
    missing; patient where one of them is.

    :param said: how much is done and how much is not, a sentence.
    :param failures: what is not done -> why.
    :param done: what is, for ``details``.
    :param notes: what had to be mended, for ``details``: the next try tells it with its own (``earlier``).
    """
    waiting = all(failure.kind in ("transient", "adopt") for failure in failures.values())
    named = [told_of(what, failure.message.rstrip(".")) for what, failure in sorted(failures.items())]
    more = [f"and {len(named) - NAMED} more, each with its reason in the log"] if len(named) > NAMED else []
    patient = [failure for failure in failures.values() if failure.patient] if waiting else []
    pauses = [failure.retry_after for failure in patient if failure.retry_after]
    # What passes by itself needs no cure beside what does not.
    lasting = [failure for failure in failures.values() if waiting or failure.kind not in ("transient", "adopt")]
    cures = dict.fromkeys(failure.cure.rstrip(".") for failure in lasting)
    return StepError(
        "transient" if waiting else "permanent",
        code,
        f"{said} {'; '.join([*named[:NAMED], *more])}",
        ". ".join([*cures, "Clear this task: it does what is left, and nothing twice."]),
        retry_after=max(pauses, default=None),
        patient=bool(patient),
        details={
            "done": done,
            "failed": {what: failure.as_dict() for what, failure in failures.items()},
            **({"notes": notes} if notes else {}),
        },
        about=about,
        notices=notices,
    )


class StepSkipped(Exception):  # noqa: N818  (it is no error)
    """There is nothing to do, and that is good news. ``reason`` is for people, ``result`` (JSON value) for the tasks that follow."""

    def __init__(self, reason: str, result: Any = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.result = result


@dataclass(frozen=True)
class Rule:
    """One row: it matches when its code is one of the error's (outer or inner), and status and message agree where the row names them.
    The groups that ``message`` names are words of the cure."""

    code: str
    kind: Kind
    cure: str
    status: int | None = None
    message: str | None = None
    stage: str | None = None
    patient: bool = False

    def matches(self, status: int | None, codes: tuple[str, ...], message: str) -> bool:
        return (
            (self.code == "*" or self.code in codes)
            and (self.status is None or self.status == status)
            and (self.message is None or re.search(self.message, message, re.IGNORECASE) is not None)
        )

    def cure_of(self, message: str) -> str:
        """What to do about this one."""
        found = re.search(self.message, message, re.IGNORECASE) if self.message is not None else None
        return self.cure.format(**found.groupdict()) if found is not None and found.groupdict() else self.cure


_LASTS = "If the task failed all the same, see whether Azure is well in that region (status.azure.com); then clear the task."
WAIT = f"Nothing: the call is made again by itself. {_LASTS}"
LOOK = f"Nothing: the resource is read again and what runs there is adopted. {_LASTS}"
_PAUSE = "Nothing: Azure asked for a pause. If it lasts, run fewer builds at once (an Airflow pool)."
_FRESH_SIGN_IN = "Nothing: a new token is fetched and the operation goes on. If it lasts, check this machine's clock; then clear the task."
_CLOCK = "Check this machine's clock (a skew above 5 minutes breaks tokens) and the connection's tenant."
_TENANT = "The subscription belongs to another tenant: correct tenantId in the connection."
_ROLE = "Grant the connection's identity the role that the message names, on that scope; a new grant takes some minutes."
_SUBSCRIPTION = "Correct subscriptionId in the connection, or give its identity a role on that subscription."
_CREDENTIAL = "The client secret is wrong or has expired: put a new one into the connection."
_CLIENT = "The client id is unknown in that tenant: correct login and tenantId in the connection."
_POLICY = "An Azure Policy forbids it: change what is asked for (tags, region, size) or ask for an exemption."
_LOCK = "A management lock stands on that scope: its owner must remove it; then clear this task."
_REGISTER = "Register the resource provider: az provider register --namespace Microsoft.Compute (and Microsoft.Network)."
_PLAN = "The image descends from a marketplace image with a purchase plan that its definition does not name: publish to one that does."
_TERMS = "Read and accept the image's terms once: az vm image terms accept --urn <the base's URN>; then clear this task."
_TERMS_OF = (
    "Read and accept the image's terms once: az vm image terms accept --publisher {publisher} --offer {offer} --plan {plan} "
    "--subscription {subscription}; then clear this task."
)
_PURCHASE = "The subscription cannot buy the image: correct the base, or ask who pays for the subscription to allow this purchase."
_SIZE = "Add a size of another family to build_machine.sizes, or choose another region or zone; then clear this task."
_CAPACITY = "Nothing: it is tried again later. If it lasts, add a size of another family to build_machine.sizes, or change the region."
_QUOTA = "Ask for more vCPU quota of that family, or give the build DAG an Airflow pool of the quota's size."
_BASE = "The base image does not come up: boot it by hand. Was its guest deprovisioned before it was captured?"
_FRESH = "Clear the run from build_machine.create_virtual_machine, so that a new machine is built."
_VAULT = "A soft-deleted key vault holds that name: purge it, or wait until its retention ends."
_MARKETPLACE = "That marketplace version is gone: use version latest, or pin one that az vm image list --all shows."
_SKU = "The marketplace SKU is not in that region: az vm image list-skus shows what is."
_NEW_GROUP = "The group is new and not seen everywhere yet. If it stays so, clear the run from build_machine.create_resource_group."
_GOING = "The run's group is being deleted: once it is gone, clear the run from build_machine.create_resource_group."
_AGENT = "The machine's agent is silent: read its boot diagnostics, then clear the run from build_machine.create_virtual_machine."
_STARTED = "The machine was started again: clear the run from generalize.deallocate."
_MARK = "Clear the run from generalize.mark_generalized."
_TAKEN = "That name is taken by something else: start a new run (it gets a version of its own), or delete what is there if nobody uses it."
_REPUBLISH = f"Nothing: the failed version is deleted and published again. {_LASTS}"
_AZURE = "Nothing: it is tried again. If it lasts, Azure has a problem in that region (status.azure.com)."
_REGIONS = f"Nothing: the failed regions are put again, then removed and added again. {_LASTS}"
_END_OF_LIFE = "The version's safety profile forbids it: move its end of life, or set blockDeletionBeforeEndOfLife to false."
_NOT_THERE = "The version is not readable in that region yet: it is tried again. If it lasts, replicate it to that region."
_PARENT = "Create the parent first: clear the run from ensure_destination."
_HOME = "Add the version's home region to its target regions."
_MISMATCH = "Recipe and image definition differ, and a definition's properties are fixed: publish under another definition name."
_TOO_BIG = "Shrink the disk, or publish with replication mode Shallow (home region only)."
_NO_ZRS = "Replicate to that region with storage type Standard_LRS."
_LIMIT = "Tidy up, or publish elsewhere: a region holds 1,000 definitions and 10,000 versions of a subscription, a version 100 replicas."
_NIC = "Nothing: Azure holds the interface for 180 s; the call is made again. If it lasts, find out whose machine has it."
_CHILD = "Nothing: Azure still lists a child that has gone; the call is made again. If it lasts, delete what it names, then clear the task."
_STOPPED = "Nothing: the machine is looked at again. If it lasts, somebody stopped it: start it, then clear the task."
_NO_SIZE = "That size is not known in the region: correct build_machine.sizes; az vm list-skus --location <region> shows what is."
_FEDERATED = "Give the identity a federated credential of that issuer, subject and audience, to the letter; a new one takes some minutes."
_CERTIFICATE = "Register the certificate of the connection's certificate_file with the application; an expired one needs a successor."
_STALE = "Check this machine's clock, and that something renews the token in AZURE_FEDERATED_TOKEN_FILE."
_ISSUER = "Nothing: it is tried again. If it lasts, the issuer's keys are not to be read from the internet."
_CLOUD = "That service is another cloud's: correct cloud (or authority and endpoint) in the connection."
_DIRECTORY = "Correct tenantId in the connection, or cloud: each has its own tenants."
_ASSIGN = "Assign the managed identity to the machine that this runs on, or correct the client id in the connection."
_SIGN_IN = "Check the connection's tenant, client and secret."
_RIGHTS = "Grant the connection's identity the rights that the message names."
_NAME = "Check the name; somebody may have deleted it. Clear the run from the task that makes it."

_MACHINE = "create_virtual_machine"
_OPEN_TERMS = (
    r"not accepted the legal terms on this subscription: '(?P<subscription>[^']+)'.*"
    r"publisher='(?P<publisher>[^']+)' offer = '(?P<offer>[^']+)', sku = '(?P<plan>[^']+)'"
)

# Order counts: the first row that matches decides. The marks are those of the failure catalogue, whose every entry is a test.
RULES: tuple[Rule, ...] = (
    # Throttling. OperationNotAllowed is a rate limit at 429 and final at 409.
    Rule("RetryableErrorDueToAnotherOperation", "transient", WAIT, patient=True),  # P10
    Rule("*", "transient", _PAUSE, status=429, patient=True),
    Rule("TooManyRequests", "transient", _PAUSE, patient=True),
    Rule("*", "transient", _PAUSE, message=r"too many requests on source", patient=True),  # C06
    # Signing in.
    Rule("ExpiredAuthenticationToken", "transient", _FRESH_SIGN_IN),  # U12
    Rule("InvalidAuthenticationToken", "permanent", _CLOCK),  # U13
    Rule("InvalidAuthenticationTokenTenant", "permanent", _TENANT),
    Rule("AuthorizationFailed", "permanent", _ROLE),
    Rule("LinkedAuthorizationFailed", "permanent", _ROLE),
    Rule("SubscriptionNotFound", "permanent", _SUBSCRIPTION),
    Rule("InvalidAuthenticationTokenAudience", "permanent", _CLOUD),
    Rule("*", "permanent", _CLOUD, message=r"AADSTS500011\b"),
    Rule("*", "permanent", _DIRECTORY, message=r"AADSTS(90002|900382)\b"),
    Rule("*", "transient", _ISSUER, message=r"AADSTS(50166|501661|90061)\b"),
    Rule("*", "permanent", _FEDERATED, message=r"AADSTS70021\d*\b"),
    Rule("*", "permanent", _CERTIFICATE, message=r"AADSTS700027\b"),
    Rule("*", "permanent", _STALE, message=r"AADSTS700024\b"),
    Rule("*", "permanent", _ASSIGN, message=r"ManagedIdentityCredential authentication unavailable"),
    Rule("invalid_client", "permanent", _CREDENTIAL),
    Rule("unauthorized_client", "permanent", _CLIENT),
    # Rules of the house.
    Rule("RequestDisallowedByPolicy", "permanent", _POLICY),  # P09
    Rule("ScopeLocked", "permanent", _LOCK),  # D05
    Rule("MissingSubscriptionRegistration", "permanent", _REGISTER),
    Rule("SubscriptionNotRegistered", "permanent", _REGISTER),
    Rule("VMMarketplaceInvalidInput", "permanent", _PLAN),
    Rule("*", "permanent", _TERMS_OF, message=_OPEN_TERMS),  # P16
    Rule("*", "permanent", _TERMS, message=r"legal terms have not been accepted"),
    Rule("MarketplacePurchaseEligibilityFailed", "permanent", _PURCHASE),
    Rule("ResourcePurchaseValidationFailed", "permanent", _PURCHASE),
    # Making the machine. virtual_machine.create has gone through all sizes before one of the first five ends a task.
    Rule("SkuNotAvailable", "permanent", _SIZE),  # P05
    Rule("InvalidParameter", "permanent", _NO_SIZE, message=r"for the VM size is not valid"),
    Rule("AllocationFailed", "transient", _CAPACITY),  # P03
    Rule("ZonalAllocationFailed", "transient", _CAPACITY),  # P04
    Rule("OverconstrainedAllocationRequest", "transient", _CAPACITY),  # P04
    Rule("OverconstrainedZonalAllocationRequest", "transient", _CAPACITY),  # P04
    Rule("QuotaExceeded", "permanent", _QUOTA),  # P06
    Rule("OperationNotAllowed", "permanent", _LIMIT, message=r"gallery image.* quota"),  # U10
    Rule("OperationNotAllowed", "permanent", _QUOTA, message=r"quota"),  # P06
    Rule("OSProvisioningTimedOut", "redo", _BASE, stage=_MACHINE),  # P07
    Rule("OSProvisioningClientError", "redo", _BASE, stage=_MACHINE),  # P07
    Rule("OSProvisioningInternalError", "redo", _FRESH, stage=_MACHINE),
    Rule("OperationPreempted", "adopt", LOOK),  # P08
    Rule("NetworkingInternalOperationError", "transient", WAIT),  # P11
    Rule("VaultAlreadyExists", "permanent", _VAULT),  # P12
    Rule("GatewayTimeout", "adopt", LOOK),  # P13
    Rule("*", "transient", WAIT, message=r"performing on this storage account that requires exclusive access"),  # P14
    Rule("PlatformImageNotFound", "permanent", _MARKETPLACE),  # P15
    Rule("*", "permanent", _MARKETPLACE, message=r"list of images referenced from .* are not found"),  # P15
    Rule("SkuNotFound", "permanent", _SKU),
    Rule("ResourceGroupNotFound", "transient", _NEW_GROUP),  # P01
    Rule("ResourceGroupBeingDeleted", "permanent", _GOING),
    Rule("VMAgentStatusCommunicationError", "redo", _AGENT, stage=_MACHINE),  # V01
    # Generalizing.
    Rule("OperationNotAllowed", "redo", _FRESH, message=r"since the VM is generalized", stage=_MACHINE),  # G03
    Rule("OperationNotAllowed", "redo", _STARTED, message=r"since the VM is running", stage="deallocate"),  # G01
    Rule("OperationNotAllowed", "redo", _MARK, message=r"is not generalized|to be generalized", stage="mark_generalized"),  # G02
    Rule("OperationNotAllowed", "adopt", _STOPPED, message=r"when the VM is not running"),
    Rule("OperationNotAllowed", "transient", WAIT, message=r"marked for deletion"),  # U08, D03
    Rule("OperationNotAllowed", "transient", WAIT, message=r"being provisioned using the image"),  # C02
    Rule("OperationNotAllowed", "transient", WAIT, message=r"disk .* is attached to"),
    # Capturing and publishing. The steps look before they put: when this code comes back, the name is another's.
    Rule("PropertyChangeNotAllowed", "permanent", _TAKEN),  # C01, U01
    Rule("InvalidBeginGetAccessForGalleryImageVersionSnapshotResponseFromPIR", "transient", _REPUBLISH),  # U02
    Rule("*", "transient", _REGIONS, message=r"replication jobs failed"),  # R01
    Rule("*", "permanent", _TOO_BIG, message=r"exceeds the max size"),  # R07
    Rule("*", "permanent", _NO_ZRS, message=r"ZRS storage account type is not supported"),  # R07
    Rule("InternalOperationError", "transient", _AZURE),  # U03
    Rule("InternalExecutionError", "transient", _AZURE),
    Rule("InternalServerError", "transient", _AZURE),
    Rule("DeleteGalleryImageVersionBlockedBeforeEndOfLife", "permanent", _END_OF_LIFE),  # U09
    Rule("GalleryImageNotFound", "transient", _NOT_THERE),  # R03
    Rule("ParentResourceNotFound", "permanent", _PARENT),  # U06
    Rule("*", "permanent", _PARENT, message=r"can ?not perform requested operation on nested resource"),  # U06
    Rule("*", "permanent", _HOME, message=r"publishing profile regions .*must contain the location"),  # U07
    Rule("*", "permanent", _MISMATCH, message=r"different (OS state|hypervisor|OS type|architecture)|hypervisor generation"),  # U07
    Rule("*", "permanent", _LIMIT, message=r"max(imum)? (number|count|limit) of .*(definition|version|replica)"),  # U10
    # Cleaning up.
    Rule("NicInUse", "transient", WAIT),  # D01
    Rule("NicReservedForAnotherVm", "transient", _NIC),  # D02
    Rule("InUseSubnetCannotBeDeleted", "transient", WAIT),
    Rule("CannotDeleteResource", "transient", _CHILD),  # D04
    Rule("AnotherOperationInProgress", "adopt", LOOK),
    Rule("Conflict", "adopt", LOOK),  # U14
    Rule("ConflictError", "adopt", LOOK),
    Rule("*", "adopt", LOOK, message=r"complete set of target locations not specified"),  # R04
    # By status, when nothing above knew the code.
    Rule("*", "adopt", LOOK, status=409),
    Rule("*", "adopt", LOOK, status=412),
    Rule("*", "adopt", LOOK, status=504),
    Rule("*", "transient", WAIT, status=408),
    Rule("*", "transient", WAIT, status=500),
    Rule("*", "transient", WAIT, status=502),
    Rule("*", "transient", WAIT, status=503),
    Rule("*", "permanent", _SIGN_IN, status=401),
    Rule("*", "permanent", _RIGHTS, status=403),
    Rule("*", "permanent", _NAME, status=404),
)
_UNKNOWN = Rule("*", "permanent", "Read Azure's message above; correct the recipe or the resource it names, then clear this task.")


def _cut(message: str) -> str:
    """Azure lists every size that there is: a reader needs the beginning."""
    return message if len(message) <= LONGEST else f"{message[:LONGEST]} …"


def classify(status: int | None, error: ArmError, retry_after: float | None = None) -> StepError:
    """Sort one ARM error by the table.

    :param status: HTTP status of the answer; None for an operation that answered 200 and ``Failed``.
    """
    rule = next((rule for rule in RULES if rule.matches(status, error.codes, error.message)), _UNKNOWN)
    message = _cut(error.message) or f"Azure answered HTTP {status} without a message"
    cure = rule.cure_of(error.message)
    return StepError(rule.kind, error.code, message, cure, status=status, retry_after=retry_after, stage=rule.stage, patient=rule.patient)
