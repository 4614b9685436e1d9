"""Bytes: disks read through a SAS, and a small blob service (path style, `/devstorage/container/blob`) to export them to.

A client that came by Azure's public names is served at them: `md-….z12.blob.storage.azure.net`, `devstorage.blob.core.windows.net`.

A disk's body is made up: a fixed dynamic-VHD-like image of 1 MiB that follows from the disk's id, whatever the disk's nominal size. A
blob may be read with its own
SAS, written with the account's (`account_sas`), or with a bearer token. Shapes: the Blob service REST reference.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from . import storage_keys, tokens
from .clouds import CLOUDS, Cloud
from .effects import under_faults
from .events import event
from .store import Resource
from .wire import ArmError, Json, Response, moment, stamp

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox

ACCOUNT = "devstorage"  # nobody's resource, so that an account of that name is refused as taken
STORAGE = "Microsoft.Storage/storageAccounts"
CONTAINER = f"{STORAGE}/blobServices/containers"
SIZE = 1024 * 1024
PUBLIC: dict[str, Callable[[Sandbox], bytes]] = {}  # account/container/blob -> the bytes that anybody may read
_STEM = "md-"
_HOSTS = tuple(suffix for cloud in CLOUDS.values() for suffix in (cloud.disks, f".blob.{cloud.storage}"))


def public_blob(path: str) -> Callable[[Callable[[Sandbox], bytes]], Callable[[Sandbox], bytes]]:
    """Register what gives the bytes of a blob of Microsoft's own that anybody may read: `account/container/blob`."""

    def add(content: Callable[[Sandbox], bytes]) -> Callable[[Sandbox], bytes]:
        PUBLIC[path] = content
        return content

    return add


def is_blob_host(host: str) -> bool:
    """Whether a host name is one of Azure's storage."""
    return host.endswith(_HOSTS)


def _cloud_of(base: str) -> Cloud | None:
    """The cloud whose Resource Manager's own address that is."""
    return next((one for one in CLOUDS.values() if one.resource_manager == base), None)


def account_named(arm: Sandbox, name: str) -> Resource | None:
    """The storage account of that name, which no other has, wherever it is."""
    return next((one for one in arm.store.resources.values() if one.type == STORAGE and one.name == name), None)


def container_id(account: Resource, name: str) -> str:
    return f"{account.id}/blobServices/default/containers/{name}"


def kept_as(arm: Sandbox, segments: list[str]) -> str | None:
    """The name under which a blob's bytes are kept, from its path with the account first; None where no such account is there."""
    if segments[:1] == [ACCOUNT]:
        return "/".join(segments[1:])
    if not segments or account_named(arm, segments[0]) is None:
        return None
    return f"{segments[0]}:{'/'.join(segments[1:])}"


def forget_blobs(arm: Sandbox, start: str) -> None:
    """A container or an account goes, and what is in it."""
    for name in [name for name in arm.store.blobs if name.startswith(start)]:
        arm.store.put_blob(name, None)
        arm.store.set(f"blob.{name}", None)


def endpoint(base: str, account: str, service: str = "blob") -> str:
    """Where a service of an account is reached by a client that came to `base`."""
    if base.endswith("://management.azure.com") or service != "blob":
        return f"https://{account}.{service}.core.windows.net/"
    return f"{base}/{account}/"


def disk_url(base: str, name: str, query: str, blob: str = "abcd") -> str:
    """Where a disk's bytes are read: at a host of its own for a client of Azure's public names, else below `base`."""
    account, container = f"{_STEM}{name[:12]}", f"{name[12:24]}/{blob}"
    if (cloud := _cloud_of(base)) is not None:
        return f"https://{account}.z{int(name[:2], 16) % 51}{cloud.disks}/{container}?{query}"
    return f"{base}/{account}/{container}?{query}"


def _segments(base: str, path: list[str]) -> list[str]:
    """A blob's path with its account first, wherever the account was named."""
    host = base.partition("://")[2]
    return [host.partition(".")[0], *path] if is_blob_host(host) else path


def disk_bytes(id: str) -> bytes:
    """The body of a disk: 1 MiB that follows from its id, with a VHD footer in its last sector."""
    seed = hashlib.sha256(id.lower().encode()).digest()
    footer = b"conectix" + b"\0\0\0\2" + b"\0\1\0\0" + b"\xff" * 8 + b"\0\0\0\0sbox" + seed
    return (seed * (SIZE // len(seed)))[: SIZE - 512] + footer.ljust(512, b"\0")


def _read_disk(arm: Sandbox, disk: Resource) -> bytes:
    """A disk's body, for a reader: what is on the disk is known by these bytes from now on, wherever they are written to."""
    body = arm.store.blobs.get(_uploaded(disk)) or disk_bytes(disk.id)
    facts = {"content": disk.private.get("content"), "size_gb": disk.properties.get("diskSizeGB") or disk.private.get("size") or 1}
    arm.store.set(f"vhd.{hashlib.sha256(body).hexdigest()}", facts)
    return body


def _uploaded(disk: Resource) -> str:
    """Where what was written to a disk is kept."""
    return f"disks{disk.key}"


def content_at(arm: Sandbox, url: str) -> bytes | None:
    """The bytes of a blob of the sandbox's account; None for anything else."""
    parts = urlsplit(url)
    segments = _segments(f"{parts.scheme}://{parts.netloc}", [segment for segment in parts.path.split("/") if segment])
    return arm.store.blobs.get(kept_as(arm, segments) or "")


def text_at(arm: Sandbox, url: str) -> str | None:
    """The text of a blob of the sandbox's account; None for anything else."""
    data = content_at(arm, url)
    return data.decode("utf-8", "replace") if data is not None else None


def put_text(arm: Sandbox, url: str, text: str) -> bool:
    """Write a text to a blob of the sandbox's account. False for a blob elsewhere: nothing leaves the sandbox."""
    parts = urlsplit(url)
    segments = _segments(f"{parts.scheme}://{parts.netloc}", [segment for segment in parts.path.split("/") if segment])
    name = kept_as(arm, segments)
    if name is None or len(segments) < 3:
        return False
    arm.store.put_blob(name, text.encode())
    arm.store.set(f"blob.{name}", {"kind": "AppendBlob", "modified": arm.now})
    return True


def forget_upload(arm: Sandbox, disk: Resource) -> None:
    """The disk goes, and what was written to it."""
    if _uploaded(disk) in arm.store.blobs:
        arm.store.put_blob(_uploaded(disk), None)


def _write_disk(arm: Sandbox, call: Call, disk: Resource) -> Response:
    """Pages written to a disk that is being uploaded. Those beyond the bytes that the sandbox keeps of a disk are taken and forgotten."""
    if call.query.get("comp") != "page":
        raise ArmError(409, "OperationNotAllowed", "A disk is written in pages only.")
    first, _, last = (call.header("x-ms-range") or call.header("range")).removeprefix("bytes=").partition("-")
    if not (first.isdigit() and last.isdigit()) or int(first) % 512 or (int(last) + 1) % 512 or int(last) < int(first):
        raise ArmError(416, "InvalidPageRange", "The page range specified is invalid.")
    start, end = int(first), int(last) + 1
    clears = call.header("x-ms-page-write").lower() == "clear"
    if not clears and len(call.body) != end - start:
        raise ArmError(400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format.")
    kept = bytearray(arm.store.blobs.get(_uploaded(disk)) or bytes(SIZE))
    if start < SIZE:
        kept[start : min(end, SIZE)] = bytes(min(end, SIZE) - start) if clears else call.body[: SIZE - start]
        arm.store.put_blob(_uploaded(disk), bytes(kept))
    tag = hashlib.md5(kept, usedforsecurity=False).hexdigest()[:15].upper()
    return Response(201, {"etag": f'"0x{tag}"', "last-modified": _http_date(arm.now), "x-ms-blob-sequence-number": "0"})


def exported(arm: Sandbox, uri: str) -> tuple[Json | None, int] | None:
    """What is in the VHD at a blob's address: the operating system of the disk that it was exported from (None for any other bytes), and
    its size in GB. None where there is no such blob."""
    data = content_at(arm, uri)
    if data is None:
        return None
    facts = arm.store.settings.get(f"vhd.{hashlib.sha256(data).hexdigest()}")
    if facts is None:
        return None, max(1, math.ceil(len(data) / 1024**3))
    return facts["content"], int(facts["size_gb"])


def account_sas(arm: Sandbox) -> str:
    """The query string that lets a client read and write blobs of the sandbox's account."""
    signature = (
        base64.b64encode(hmac.new(arm.key, b"account sas", hashlib.sha256).digest())
        .decode()
        .replace("+", "%2B")
        .replace("/", "%2F")
        .replace("=", "%3D")
    )
    return f"sv=2024-11-04&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00:00:00Z&spr=https&sig={signature}"


def account_url(arm: Sandbox, base: str, name: str) -> str:
    """A URL that reads the blob `name` (container/blob) of the sandbox's account."""
    if (cloud := _cloud_of(base)) is not None:
        return f"https://{ACCOUNT}.blob.{cloud.storage}/{name}?{account_sas(arm)}"
    return f"{base}/{ACCOUNT}/{name}?{account_sas(arm)}"


def answer(arm: Sandbox, call: Call) -> Response | None:
    """Answer a blob request; None where the path is not a blob's."""
    segments = _segments(call.base, call.segments)
    first = segments[0].lower() if segments else ""
    public = PUBLIC.get("/".join(segments))
    account = None if "api-version" in call.query else account_named(arm, first)
    ours = first.startswith(_STEM) or first == ACCOUNT or public is not None or account is not None
    if not (ours or is_blob_host(call.base)):
        return None
    try:
        if not ours:
            raise ArmError(404, "ResourceNotFound", "The specified resource does not exist.")
        call.type = "blobs"
        if public is not None and call.method in ("GET", "HEAD"):
            response = _read(call, public(arm), "BlockBlob", arm.now, {"content-type": "application/json"})
        else:
            what = _disk if first.startswith(_STEM) else _account
            response = under_faults(arm, call, lambda: what(arm, call, segments))
    except ArmError as error:
        text = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>'
        body = b"" if call.method == "HEAD" else b"\xef\xbb\xbf" + text.encode()
        response = Response(error.status, {"content-type": "application/xml", "x-ms-error-code": error.code}, body)
    response.headers.setdefault("x-ms-version", call.header("x-ms-version") or "2024-11-04")
    response.headers.setdefault("server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0")
    return response


def _denied(message: str) -> ArmError:
    return ArmError(403, "AuthenticationFailed", f"Server failed to authenticate the request. {message}")


def _grant(arm: Sandbox, query: dict[str, str], now: float) -> Json:
    """The grant behind a disk's SAS. Raises ArmError 403 where it is unknown, revoked, or not valid at `now`."""
    policy = query.get("si", "")
    grant = arm.store.settings.get(f"sas.{policy}")
    expected = arm.guid("signature", policy).replace("-", "")
    if grant is None or not hmac.compare_digest(expected, query.get("sig", "")):
        raise _denied("Make sure the value of Authorization header is formed correctly including the signature.")
    if not grant.get("from", 0.0) <= now < grant["until"]:
        raise _denied("Signature not valid in the specified time frame.")
    resource = arm.store.resources.get(grant["id"])
    if resource is None:
        raise ArmError(404, "BlobNotFound", "The specified blob does not exist.")
    return {**grant, "resource": resource}


def _time(arm: Sandbox, call: Call) -> float:
    """What the blob host's clock says."""
    fault = arm.faults.take("skew", call)
    return arm.now + float(fault["skew"]) if fault is not None else arm.now


def _disk(arm: Sandbox, call: Call, segments: list[str]) -> Response:
    grant = _grant(arm, call.query, _time(arm, call))
    resource = grant["resource"]
    if call.method in ("GET", "HEAD"):
        return _read(call, _read_disk(arm, resource), "PageBlob", arm.now)
    if call.method == "PUT" and grant["write"]:
        return _write_disk(arm, call, resource)
    raise ArmError(
        403, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission."
    )


def _read(call: Call, content: bytes, kind: str, modified: float, extra: dict[str, str] | None = None) -> Response:
    if call.query.get("comp") == "pagelist":
        ranges = f"<PageRange><Start>0</Start><End>{len(content) - 1}</End></PageRange>" if content else ""
        listed = f'<?xml version="1.0" encoding="utf-8"?><PageList>{ranges}</PageList>'
        return Response(200, {"content-type": "application/xml", "x-ms-blob-content-length": str(len(content))}, listed.encode())
    headers = {
        "accept-ranges": "bytes",
        "content-type": "application/octet-stream",
        "etag": f'"0x{hashlib.md5(content, usedforsecurity=False).hexdigest()[:15].upper()}"',
        "last-modified": _http_date(modified),
        "x-ms-blob-type": kind,
        "x-ms-lease-state": "available",
        "x-ms-lease-status": "unlocked",
        "x-ms-server-encrypted": "true",
        **(extra or {}),
    }
    wanted = call.header("x-ms-range") or call.header("range")
    status, body = 200, content
    if wanted.startswith("bytes=") and call.method == "GET":
        start_text, _, end_text = wanted[6:].partition("-")
        start = int(start_text) if start_text.isdigit() else 0
        end = min(int(end_text), len(content) - 1) if end_text.isdigit() else len(content) - 1
        if start >= len(content):
            raise ArmError(416, "InvalidRange", "The range specified is invalid for the current size of the resource.")
        status, body = 206, content[start : end + 1]
        headers["content-range"] = f"bytes {start}-{end}/{len(content)}"
    headers["content-length"] = str(len(body))
    return Response(status, headers, b"" if call.method == "HEAD" else body)


def _http_date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


def _authorize(arm: Sandbox, call: Call, *, own: bool) -> None:
    if call.header("authorization").lower().startswith("sharedkey "):
        raise _denied("The MAC signature found in the HTTP request is not the same as any computed signature.")
    if not arm.authenticate and not call.query.get("sig"):
        return
    if call.query.get("sig") and not own:
        raise _denied("Signature did not match, or is not valid for this request at this time.")
    if call.query.get("sig"):
        expected = parse_qs(account_sas(arm))["sig"][0]
        if not hmac.compare_digest(expected, call.query["sig"]):
            raise _denied("Make sure the value of Authorization header is formed correctly including the signature.")
        if (expiry := call.query.get("se")) is not None and moment(expiry) <= _time(arm, call):
            raise _denied("Signature not valid in the specified time frame.")
        return
    try:
        tokens.check(arm, call)
    except ArmError:
        raise _denied("Make sure the value of Authorization header is formed correctly including the signature.") from None


def _account(arm: Sandbox, call: Call, segments: list[str]) -> Response:
    """A request to the sandbox's own account, whose containers are there as soon as they are named, or to another one, where they are
    resources."""
    parts, account = segments[1:], account_named(arm, segments[0])
    if account is None or not storage_keys.signed(arm, call, account, parts, _time(arm, call)):
        _authorize(arm, call, own=account is None)
    if len(parts) == 1 and call.query.get("restype") == "container":
        if account is not None:
            return _container(arm, call, account, parts[0])
        return Response({"PUT": 201, "DELETE": 202}.get(call.method, 200))
    if len(parts) < 2:
        raise ArmError(400, "InvalidUri", "The requested URI does not represent any resource on the server.")
    if account is not None and arm.store.get(container_id(account, parts[0])) is None:
        raise ArmError(404, "ContainerNotFound", "The specified container does not exist.")
    name = kept_as(arm, segments) or ""
    match call.method:
        case "PUT":
            return _write(arm, call, name)
        case "GET" | "HEAD":
            return _get(arm, call, name)
        case "DELETE":
            if name not in arm.store.blobs:
                raise ArmError(404, "BlobNotFound", "The specified blob does not exist.")
            arm.store.put_blob(name, None)
            arm.store.set(f"blob.{name}", None)
            return Response(202)
    raise ArmError(405, "UnsupportedHttpVerb", "The resource doesn't support the specified HTTP verb.")


def _container(arm: Sandbox, call: Call, account: Resource, name: str) -> Response:
    id = container_id(account, name)
    found = arm.store.get(id)
    if call.method == "PUT":
        if found is not None:
            raise ArmError(409, "ContainerAlreadyExists", "The specified container already exists.")
        arm.store.add(new_container(arm, id, {}))
        return Response(201)
    if found is None:
        raise ArmError(404, "ContainerNotFound", "The specified container does not exist.")
    if call.method == "DELETE":
        forget_blobs(arm, f"{account.name}:{name}/")
        arm.store.drop(found)
        return Response(202)
    return Response(200)


def new_container(arm: Sandbox, id: str, properties: Json) -> Resource:
    """A container as a resource."""
    made: Json = {
        "publicAccess": "None",
        "leaseStatus": "Unlocked",
        "leaseState": "Available",
        "hasImmutabilityPolicy": False,
        "hasLegalHold": False,
        **properties,
        "lastModifiedTime": stamp(arm.now),
    }
    etag = f'"0x{arm.guid("container", id, arm.count("container")).replace("-", "")[:15].upper()}"'
    return Resource(id, CONTAINER, {"id": id, "name": id.rsplit("/", 1)[1], "type": CONTAINER, "etag": etag, "properties": made})


def _facts(arm: Sandbox, name: str) -> Json:
    return arm.store.settings.get(f"blob.{name}") or {}


def _write(arm: Sandbox, call: Call, name: str) -> Response:
    source = call.header("x-ms-copy-source")
    # Put Blob From URL, which names a blob type, and a copy that asks for it are done when they are answered
    at_once = bool(call.header("x-ms-blob-type")) or call.header("x-ms-requires-sync").lower() == "true"
    part = call.query.get("comp", "")
    facts: Json = {"kind": call.header("x-ms-blob-type") or "BlockBlob", "modified": arm.now}
    extra: dict[str, str] = {}
    if part == "block":
        arm.store.put_blob(f"{name}?{call.query.get('blockid', '')}", call.body)
        return Response(201)
    if part == "blocklist":
        ids = [piece.split("</")[0] for tag in ("Latest", "Uncommitted", "Committed") for piece in call.body.decode().split(f"<{tag}>")[1:]]
        missing = [id for id in ids if f"{name}?{id}" not in arm.store.blobs]
        if missing:
            raise ArmError(400, "InvalidBlockList", "The specified block list is invalid.")
        arm.store.put_blob(name, b"".join(arm.store.blobs[f"{name}?{id}"] for id in ids))
        for id in set(ids):
            arm.store.put_blob(f"{name}?{id}", None)
    elif part == "page":
        old = bytearray(arm.store.blobs.get(name, b""))
        start, _, end = (call.header("x-ms-range") or call.header("range")).removeprefix("bytes=").partition("-")
        old[int(start) : int(end) + 1] = call.body or bytes(int(end) + 1 - int(start))
        arm.store.put_blob(name, bytes(old))
        facts["kind"] = "PageBlob"
    elif source:
        content = _source(arm, call, source)
        if at_once:
            arm.store.put_blob(name, content)
            facts["copy"] = {
                "id": arm.guid("copy", name, arm.count("copy")),
                "status": "success",
                "source": source.split("?")[0],
                "bytes": len(content),
            }
        else:
            ends = arm.now + arm.seconds("blobs.copy", name, arm.count("copy"))
            id = arm.guid("copy", name, arm.count("copy"))
            facts["kind"] = "PageBlob" if f"/{_STEM}" in source else facts["kind"]
            facts["copy"] = {"id": id, "status": "pending", "source": source, "bytes": len(content), "start": arm.now, "end": ends}
            arm.store.put_blob(name, b"")
            arm.store.schedule(ends, "blobs.copied", name=name, id=id)
        extra = {"x-ms-copy-id": facts["copy"]["id"], "x-ms-copy-status": facts["copy"]["status"]}
    else:
        length = call.header("x-ms-blob-content-length")
        arm.store.put_blob(name, bytes(int(length)) if facts["kind"] == "PageBlob" and length else call.body)
    arm.store.set(f"blob.{name}", facts)
    content = arm.store.blobs[name]
    found = {
        "etag": f'"0x{hashlib.md5(content, usedforsecurity=False).hexdigest()[:15].upper()}"',
        "last-modified": _http_date(arm.now),
        **extra,
    }
    return Response(202 if source and not at_once else 201, found)


def _source(arm: Sandbox, call: Call, url: str) -> bytes:
    """The bytes behind x-ms-copy-source: a disk's SAS or a blob of ours. Raises ArmError 403 or 404 as the copy would."""
    parts = urlsplit(url)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    segments = _segments(f"{parts.scheme}://{parts.netloc}", [segment for segment in parts.path.split("/") if segment])
    if segments and segments[0].lower().startswith(_STEM):
        try:
            return _read_disk(arm, _grant(arm, query, arm.now)["resource"])
        except ArmError as error:
            raise ArmError(error.status, "CannotVerifyCopySource", error.message) from None
    name = kept_as(arm, segments)
    if name in arm.store.blobs:
        return arm.store.blobs[name]
    raise ArmError(404, "CannotVerifyCopySource", "The specified blob does not exist.")


@event("blobs.copied")
def _copied(arm: Sandbox, name: str, id: str) -> None:
    """The copy ends; where its SAS has been revoked or has expired in the meantime, it fails (C04)."""
    facts = dict(_facts(arm, name))
    copy = dict(facts.get("copy") or {})
    if copy.get("id") != id:
        return
    parts = urlsplit(copy["source"])
    segments = _segments(f"{parts.scheme}://{parts.netloc}", [segment for segment in parts.path.split("/") if segment])
    try:
        if segments[0].lower().startswith(_STEM):
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            content = _read_disk(arm, _grant(arm, query, arm.now)["resource"])
        else:
            content = arm.store.blobs[kept_as(arm, segments) or ""]
        arm.store.put_blob(name, content)
        copy["status"] = "success"
    except (ArmError, KeyError) as error:
        copy["status"] = "failed"
        copy["description"] = f"403 AuthenticationFailed {error}"
    facts["copy"] = copy
    arm.store.set(f"blob.{name}", facts)


def _get(arm: Sandbox, call: Call, name: str) -> Response:
    if name not in arm.store.blobs:
        raise ArmError(404, "BlobNotFound", "The specified blob does not exist.")
    facts = _facts(arm, name)
    copy = facts.get("copy")
    extra: dict[str, str] = {}
    if copy:
        done = (
            copy["bytes"]
            if copy["status"] == "success"
            else int(copy["bytes"] * min(1.0, (arm.now - copy["start"]) / max(0.001, copy["end"] - copy["start"])))
        )
        extra = {
            "x-ms-copy-id": copy["id"],
            "x-ms-copy-status": copy["status"],
            "x-ms-copy-source": copy["source"].split("?")[0],
            "x-ms-copy-progress": f"{done}/{copy['bytes']}",
        }
        if "description" in copy:
            extra["x-ms-copy-status-description"] = copy["description"]
        if copy["status"] != "pending":
            extra["x-ms-copy-completion-time"] = _http_date(copy.get("end", arm.now))
    return _read(call, arm.store.blobs[name], facts.get("kind", "BlockBlob"), facts.get("modified", arm.now), extra)
