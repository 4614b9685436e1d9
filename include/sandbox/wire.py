"""What goes over the wire: requests, responses, and Azure's two JSON dialects.

Azure Resource Manager's front door answers compact JSON and marks its own errors with `x-ms-failure-cause: gateway`; the resource
providers answer
JSON indented by two spaces with CRLF line ends (recorded traffic: every answer of Microsoft.Compute and Microsoft.Network).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

Json = dict[str, Any]

JSON_TYPE = "application/json; charset=utf-8"
FIXED_HEADERS = {
    "cache-control": "no-cache",
    "pragma": "no-cache",
    "expires": "-1",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-cache": "CONFIG_NOCACHE",
}

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@dataclass(slots=True)
class Request:
    """One HTTP request. `url` is absolute; header names are matched without regard to case."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(slots=True)
class Response:
    """One HTTP answer. `delay`: seconds to wait before it goes out; `dropped`: the request took effect but the connection breaks
    instead of answering."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    dropped: bool = False

    def json(self) -> Any:
        """The decoded body; None where it is empty."""
        return _decode(self.body) if self.body else None


class ArmError(Exception):
    """An error that is answered to the client: `{"error": {"code", "message", "target"?, "details"?}}`.

    `gateway` marks errors of ARM's front door (compact JSON, `x-ms-failure-cause: gateway`); the others come from a resource provider.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        details: list[Json] | None = None,
        headers: dict[str, str] | None = None,
        gateway: bool = False,
        additional: list[Json] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.details = details
        self.headers = headers or {}
        self.gateway = gateway
        self.additional = additional

    def body(self) -> Json:
        """The inner error object, as it stands in a response or in a failed operation."""
        error: Json = {}
        if self.details is not None:
            error["details"] = self.details
        error["code"] = self.code
        error["message"] = self.message
        if self.target is not None:
            error["target"] = self.target
        if self.additional is not None:
            error["additionalInfo"] = self.additional
        return error


def compact(value: Any) -> bytes:
    """JSON as ARM's front door writes it."""
    return _encode(value)


def pretty(value: Any) -> bytes:
    """JSON as the Compute and Network resource providers write it."""
    return msgspec.json.format(_encode(value), indent=2).replace(b"\n", b"\r\n")


def parse(body: bytes) -> Any:
    """A request body's JSON; raises ArmError 400 InvalidRequestContent on malformed JSON."""
    if not body.strip():
        return {}
    try:
        return _decode(body)
    except msgspec.DecodeError as problem:
        raise ArmError(
            400,
            "InvalidRequestContent",
            f"The request content was invalid and could not be deserialized: '{problem}'.",
            gateway=True,
        ) from None


def stamp(seconds: float) -> str:
    """Epoch seconds as Azure prints times: seven fractional digits and `+00:00`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0+00:00"


def zulu(seconds: float) -> str:
    """Epoch seconds as ARM itself prints times: seven fractional digits and `Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def duration(seconds: float) -> str:
    """Seconds as an ISO 8601 duration: `PT1M41.8478917S`."""
    hours, rest = divmod(max(0.0, seconds), 3600)
    minutes, rest = divmod(rest, 60)
    shown = f"{rest:.7f}".rstrip("0").rstrip(".")
    parts = (f"{int(hours)}H" if hours else "") + (f"{int(minutes)}M" if minutes else "")
    return f"PT{parts}{shown}S" if shown != "0" or not parts else f"PT{parts}"


def moment(text: str) -> float:
    """Epoch seconds of an ISO 8601 time; raises ValueError."""
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def short_stamp(seconds: float) -> str:
    """Epoch seconds without a fraction, as the guest agent prints times."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
