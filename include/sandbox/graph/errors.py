"""Microsoft Graph's errors: `{"error": {"code", "message", "innerError"}}`."""

from __future__ import annotations

from ..wire import ArmError


def refused(status: int, code: str, message: str) -> ArmError:
    return ArmError(status, code, message)


def bad(message: str) -> ArmError:
    """400 of the directory: a value that is missing, wrong or taken."""
    return refused(400, "Request_BadRequest", message)


def unreadable(message: str) -> ArmError:
    """400 of Graph itself: a request that it cannot read."""
    return refused(400, "BadRequest", message)


def no_segment(name: str) -> ArmError:
    return unreadable(f"Resource not found for the segment '{name}'.")


def absent(id: str) -> ArmError:
    return refused(
        404,
        "Request_ResourceNotFound",
        f"Resource '{id}' does not exist or one of its queried reference-property objects are not present.",
    )


def not_allowed() -> ArmError:
    return refused(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
