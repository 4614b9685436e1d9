"""What goes over the wire: requests, responses, and Azure's two JSON dialects.

Azure Resource Manager's front door answers compact JSON and marks its own errors with `x-ms-failure-cause: gateway`; the resource
providers answer
JSON indented by two spaces with CRLF line ends (recorded traffic: every answer of Microsoft.Compute and Microsoft.Network).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from .relaxed import strict

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
    """A request body's JSON, {} for an empty one; raises ArmError 400 InvalidRequestContent on malformed JSON."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    if not body.strip():
        return {}
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _decode(strict(body.decode()))
        raise unreadable(_complaint(body, problem)) from None


def unreadable(complaint: str) -> ArmError:
    """The front door's error for a body that is no JSON, or not what it reads of every resource."""
    message = f"The request content was invalid and could not be deserialized: '{complaint}'."
    return ArmError(400, "InvalidRequestContent", message, gateway=True)


def _complaint(body: bytes, problem: Exception) -> str:
    """What .NET's JSON reader says, with the place."""
    found = re.search(r"(?:byte|position) (\d+)", str(problem))
    offset = int(found.group(1)) if found else len(body)
    if offset >= len(body):
        return f"Unexpected end when reading JSON. Path '', line 1, position {len(body)}."
    line = body.count(b"\n", 0, offset) + 1
    position = offset - body.rfind(b"\n", 0, offset)
    shown = body[offset : offset + 1].decode("latin-1")
    return f"Unexpected character encountered while parsing value: {shown}. Path '', line {line}, position {position}."


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
