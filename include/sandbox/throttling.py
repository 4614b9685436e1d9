"""Rate-limit headers: which bucket a request counts against. Values are those of full buckets (recorded 2024 to 2026), less the
request itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .wire import ArmError, Response, compact, stamp

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox

_VM = "Microsoft.Compute/{0}SubscriptionMaximum;{1},Microsoft.Compute/{0}Resource;{2}"
_PAIR = "Microsoft.Compute/{0}3Min;{1},Microsoft.Compute/{0}30Min;{2}"
_DELETES = frozenset({"deallocate"})

_WRITES = {
    "Microsoft.Compute/galleries": _PAIR.format("CreateUpdateGallery", 49, 299),
    "Microsoft.Compute/galleries/images": _PAIR.format("CreateUpdateGalleryImage", 149, 749),
    "Microsoft.Compute/galleries/images/versions": _PAIR.format("CreateUpdateGalleryImageVersion", 374, 1199),
    "Microsoft.Compute/images": "Microsoft.Compute/CreateImagesSubscriptionMaximum;59",
    "Microsoft.Compute/disks": _PAIR.format("CreateUpdateDisks", 999, 7999),
    "Microsoft.Compute/snapshots": _PAIR.format("HighCostSnapshotCreateHydrate", 999, 7999),
}


def remaining(call: Call, response: Response) -> None:
    """Add the `x-ms-ratelimit-remaining-*` headers to a subscription's answer."""
    headers = response.headers
    kind = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}.get(call.method, "writes")
    if kind == "reads":
        headers["x-ms-ratelimit-remaining-subscription-global-reads"] = "3749"
    else:
        headers[f"x-ms-ratelimit-remaining-subscription-{kind}"] = "199"
        headers[f"x-ms-ratelimit-remaining-subscription-global-{kind}"] = "2999"
    if "x-ms-failure-cause" in headers or not call.type.startswith("Microsoft.Compute/"):
        return
    if call.type.startswith("Microsoft.Compute/virtualMachines"):
        if call.method == "GET":
            bucket = _VM.format("LowCostGet", 23999, 35)
        elif call.method == "DELETE" or call.action.lower() in _DELETES:
            bucket = _VM.format("DeleteVM", 1499, 11)
        elif call.method == "PUT" and call.type == "Microsoft.Compute/virtualMachines":
            bucket = _VM.format("PutVM", 1499, 11)
        else:
            bucket = _VM.format("UpdateVM", 1499, 11)
        headers["x-ms-ratelimit-remaining-resource"] = bucket
    elif call.method in ("PUT", "PATCH") and call.type in _WRITES:
        headers["x-ms-ratelimit-remaining-resource"] = _WRITES[call.type]


def refused(arm: Sandbox, group: str, retry_after: float, *, allowed: int = 800, measured: int = 1238, minutes: int = 30) -> ArmError:
    """Compute's 429 for an operation group (shape: Azure's throttling troubleshooting page, wrapped as every recorded Compute error is)."""
    window = {"operationGroup": group, "startTime": stamp(arm.now - 60 * minutes), "endTime": stamp(arm.now)}
    counts = {"allowedRequestCount": allowed, "measuredRequestCount": measured}
    return ArmError(
        429,
        "OperationNotAllowed",
        "The server rejected the request because too many requests have been received for this subscription.",
        details=[{"code": "TooManyRequests", "target": group, "message": compact({**window, **counts}).decode()}],
        headers={"retry-after": arm.retry_after(retry_after)},
    )
