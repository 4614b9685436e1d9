"""Reading what Azure Resource Manager, the token endpoint and the SDK say went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from include.steps.errors import LOOK, StepError, classify
from include.steps.unreachable import no_connection, why_unreachable

# Codes that only say "look inside".
_WRAPPERS = {"DeploymentFailed", "InvalidTemplateDeployment", "ResourceDeploymentFailure", "MultipleErrorsOccurred", "BadRequest", "Failed"}


@dataclass(frozen=True)
class ArmError:
    """The ``error`` object of an ARM answer or of a failed operation, flattened: outermost code first."""

    codes: tuple[str, ...]
    messages: tuple[str, ...]
    policies: tuple[str, ...] = field(default=())

    @property
    def code(self) -> str:
        """The first code that says more than "look inside"."""
        return next((code for code in self.codes if code not in _WRAPPERS), self.codes[0] if self.codes else "Unknown")

    @property
    def message(self) -> str:
        text = " -> ".join(dict.fromkeys(message.strip() for message in self.messages if message.strip()))
        return f"{text} (policy: {', '.join(self.policies)})" if self.policies else text


def read_arm_error(body: Any) -> ArmError:
    """Flatten the error of a body ``{"error": {...}}``, of an operation (``{"status": "Failed", "error": {...}}``), or an error object
    itself."""
    node = body.get("error", body) if isinstance(body, Mapping) else body
    nodes = list(_walk(node))
    policies = (name for one in nodes for name in _policies(one))
    return ArmError(
        codes=tuple(dict.fromkeys(str(one["code"]) for one in nodes if one.get("code"))),
        messages=tuple(str(one["message"]) for one in nodes if one.get("message") and not _embedded(one["message"])),
        policies=tuple(dict.fromkeys(policies)),
    )


def _walk(node: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, str):
        # The token endpoint says {"error": "invalid_client", "error_description": ...}; its caller hands us only the string.
        yield {"code": node}
        return
    if not isinstance(node, Mapping):
        return
    yield node
    inner = _embedded(node.get("message"))
    if inner is not None:
        yield from _walk(inner.get("error", inner))
    for detail in node.get("details") or ():
        yield from _walk(detail)
    internal = node.get("innererror") or node.get("innerError")
    if isinstance(internal, Mapping) and internal.get("internalErrorCode"):
        yield {"code": internal["internalErrorCode"]}


def _embedded(message: Any) -> Mapping[str, Any] | None:
    """Deployments and throttling put a JSON document into ``message``."""
    if not isinstance(message, str) or not message.lstrip().startswith("{"):
        return None
    try:
        document = json.loads(message)
    except ValueError:
        return None
    return document if isinstance(document, Mapping) else None


def _policies(node: Mapping[str, Any]) -> Iterator[str]:
    for info in node.get("additionalInfo") or ():
        if isinstance(info, Mapping) and info.get("type") == "PolicyViolation":
            violation = info.get("info") or {}
            keys = ("policyAssignmentDisplayName", "policyDefinitionDisplayName", "policyDefinitionName")
            yield from [str(violation[key]) for key in keys if violation.get(key)][:1]


def of_exception(error: Exception) -> StepError:
    """Turn whatever the SDK raised into a :class:`StepError`; a StepError passes through."""
    from azure.core import exceptions as sdk

    if isinstance(error, StepError):
        return error
    if isinstance(error, sdk.HttpResponseError) and error.response is not None:
        return _of_response(error)
    if isinstance(error, sdk.ClientAuthenticationError):
        return _of_sign_in(str(error.message or error))
    if isinstance(error, sdk.ServiceRequestError):
        return no_connection(error)
    if isinstance(error, sdk.AzureError):
        # A proxy that refuses is an answer to azure-core, though not Azure's.
        unsent = why_unreachable(error) if isinstance(error, sdk.ServiceResponseError) else None
        if unsent:
            return unsent
        # The request was sent and the answer lost: it may have had its effect.
        return StepError("adopt", "ResponseLost", f"Azure's answer was lost: {error.message}", LOOK)
    raise error


def _of_response(error: Any) -> StepError:
    response = error.response
    try:
        body = json.loads(response.text())
    except ValueError:
        body = None
    if not isinstance(body, Mapping):
        body = {}
    if isinstance(body.get("error"), str):
        return _of_sign_in(str(body.get("error_description") or body["error"]), body["error"])
    if "error" not in body:
        # An operation that was cancelled has a status and nothing else; a proxy's answer is not even JSON.
        body = {"error": {"code": body.get("status") or response.reason, "message": error.message}}
    # A failed operation is reported by HTTP 200: the status says nothing then.
    status = None if response.status_code < 400 else response.status_code
    failure = classify(status, read_arm_error(body), _seconds(response.headers.get("Retry-After")))
    failure.call = _call(getattr(error, "started_by", None) or response.request)
    return failure


def _call(request: Any) -> str:
    """The call for a reader: ``PUT virtualMachines/build in rg-build``."""
    from include.factory.calls import short

    return f"{request.method} {short(urlsplit(request.url).path)}"


def _of_sign_in(message: str, code: str | None = None) -> StepError:
    if code is None:
        known = {"AADSTS7000215": "invalid_client", "AADSTS7000222": "invalid_client", "AADSTS700016": "unauthorized_client"}
        code = next((name for mark, name in known.items() if mark in message), "AuthenticationFailed")
    return classify(401, ArmError((code,), (message.splitlines()[0] if message else "Signing in failed",)))


def _seconds(header: str | None) -> float | None:
    try:
        return float(header) if header is not None else None
    except ValueError:
        return None
