"""What clients asked and were answered, written to a file: one exchange a line, in the form that Microsoft's `oav validate-traffic` reads.

Bodies are written as they were, with the secrets that they may hold, so the file is for its owner only; tokens and signatures are left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from .wire import Request, Response, compact

Recorder = Callable[[Request, Response], None]

_decode = msgspec.json.Decoder().decode


def record_to(path: Path) -> Recorder:
    """A recorder that appends to `path`, which may have other writers. Only what was asked of Resource Manager is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(request: Request, response: Response) -> None:
        parts = urlsplit(request.url)
        if parts.path.lower().startswith(("/subscriptions", "/providers", "/tenants")) and not response.dropped:
            os.write(file, compact(exchange(request, response)) + b"\n")

    return write


def exchange(request: Request, response: Response) -> dict[str, object]:
    """One exchange as the validator reads it."""
    headers = {name: value for name, value in request.headers.items() if name.lower() != "authorization"}
    asked = {"method": request.method, "url": request.url, "headers": headers, "body": _body(request.body)}
    answered = {"statusCode": str(response.status), "headers": dict(response.headers), "body": _body(response.body)}
    return {"liveRequest": asked, "liveResponse": answered}


def _body(content: bytes) -> object:
    try:
        return _decode(content) if content else None
    except msgspec.DecodeError:
        return content.decode("utf-8", "replace")
