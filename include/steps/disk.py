"""Disks as files: a snapshot copied out as a VHD, by a time-limited SAS that is always revoked.

``az vm capture`` did this for unmanaged disks, which were retired. An access that stays granted blocks the snapshot's deletion and that
of its group for ever (azure-cli#6927), so it is taken back whatever happens.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from pathlib import Path
from typing import Any

from include.steps.azure import Azure
from include.steps.errors import StepError
from include.steps.look import gone, look, pauses, step

log = logging.getLogger(__name__)

CHUNK = 4 * 1024 * 1024


@step
async def export_vhd(azure: Azure, *, resource_group: str, snapshot: str, destination: str, duration: int = 14400) -> dict[str, Any]:
    """Copy a snapshot to a blob or a local file.

    :param destination: ``https://...`` of a blob with a SAS that may create and write it (the storage service copies by itself), or a
        local path.
    :param duration: seconds for which the snapshot may be read, and for which the copy may take.
    :return: ``{"destination": without its SAS, "bytes": int}``.
    :raises StepError: ``CopyFailed``, ``CopyTimedOut``; kind ``redo`` when the snapshot is gone.
    """
    snapshots = azure.compute.snapshots
    if await look(snapshots.get(resource_group, snapshot)) is None:
        raise gone(f"Snapshot {snapshot}", "capture")
    request = {"access": "Read", "durationInSeconds": duration}
    try:
        granted = await azure.finish(
            snapshots.begin_grant_access, resource_group, snapshot, request, kind="snapshots beginGetAccess", final=True
        )
        source = granted.get("accessSAS") or granted.get("accessSas")
        if not source:
            raise StepError(
                "transient",
                "NoAccess",
                f"Azure granted access to {snapshot} and sent no address",
                "Nothing: it is asked for again. If it lasts, see who else takes access to it; then clear this task.",
            )
        log.info("Copying snapshot %s.", snapshot)
        async with asyncio.timeout(duration):
            if destination.startswith(("https://", "http://")):
                size = await _copy_blob(azure, str(source), destination)
            else:
                size = await _download(azure, str(source), Path(destination))
    except TimeoutError as error:
        raise StepError(
            "permanent",
            "CopyTimedOut",
            f"Snapshot {snapshot} was not copied within {duration} s",
            "Give the task a longer duration; then clear it.",
        ) from error
    finally:
        # Also when the task is cancelled: the revocation goes on to its end behind the shield.
        await asyncio.shield(_revoke(azure, resource_group, snapshot))
    log.info("%d bytes of snapshot %s are copied.", size, snapshot)
    return {"destination": destination.partition("?")[0], "bytes": size}


@step
async def export_vhds(
    azure: Azure, *, resource_group: str, snapshots: dict[str, str], destination: str, sas_token: str = "", duration: int = 14400
) -> dict[str, Any]:
    """Copy all disks of a capture, side by side; the access to each is taken back by itself.

    :param snapshots: file name -> snapshot.
    :param destination: ``https://…`` of a blob container, or a local folder.
    :param sas_token: of the container, with the rights to create, write and read.
    :param duration: seconds for each.
    :return: ``{"files": {destination: bytes}}``.
    :raises StepError: as :func:`export_vhd`.
    """
    query = f"?{sas_token.lstrip('?')}" if sas_token and "://" in destination else ""
    exports = await asyncio.gather(
        *(
            export_vhd(
                azure,
                resource_group=resource_group,
                snapshot=snapshot,
                destination=f"{destination.rstrip('/')}/{file}{query}",
                duration=duration,
            )
            for file, snapshot in snapshots.items()
        ),
        return_exceptions=True,
    )
    for outcome in exports:
        if isinstance(outcome, BaseException):
            raise outcome
    return {"files": {each["destination"]: each["bytes"] for each in exports if isinstance(each, dict)}}


@step
async def revoke_all(azure: Azure, *, resource_group: str, snapshots: dict[str, str]) -> dict[str, bool]:
    """Take back all access to the snapshots of a capture; ``{"revoked": whether there was one}``."""
    revoked = [await revoke_access(azure, resource_group=resource_group, snapshot=snapshot) for snapshot in snapshots.values()]
    return {"revoked": any(each["revoked"] for each in revoked)}


@step
async def revoke_access(azure: Azure, *, resource_group: str, snapshot: str) -> dict[str, bool]:
    """Take back all access that was granted to a snapshot; ``{"revoked": bool}``, false when there is no such snapshot."""
    if await look(azure.compute.snapshots.get(resource_group, snapshot)) is None:
        return {"revoked": False}
    await _revoke(azure, resource_group, snapshot)
    return {"revoked": True}


async def _revoke(azure: Azure, resource_group: str, snapshot: str) -> None:
    await azure.finish(azure.compute.snapshots.begin_revoke_access, resource_group, snapshot, kind="snapshots endGetAccess")


def _blob_client(azure: Azure, url: str) -> Any:
    from azure.storage.blob.aio import BlobClient

    return BlobClient.from_blob_url(url, **azure.blob_options)


async def _copy_blob(azure: Azure, source: str, destination: str) -> int:
    """Have the storage service copy; it goes on by itself, and a second start while it copies is the same copy."""
    from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

    async with _blob_client(azure, destination) as blob:
        try:
            state = (await blob.get_blob_properties()).copy
        except ResourceNotFoundError:
            state = None
        if state is None or state.status != "pending":
            try:
                await blob.start_copy_from_url(source)
            except HttpResponseError as error:
                if getattr(error, "error_code", None) == "CannotVerifyCopySource":
                    raise _taken_back() from error
                raise
        told = -1
        for pause in pauses():
            properties = await blob.get_blob_properties()
            match properties.copy.status:
                case "success":
                    return int(properties.size)
                case "pending":
                    told = _tell(properties.copy.progress, told)
                case status:
                    said = properties.copy.status_description
                    raise StepError(
                        "transient",
                        "CopyFailed",
                        f"The copy ended {status}: {said}",
                        "Nothing: it is copied again. If it lasts, look at the target storage account; then clear this task.",
                    )
            await asyncio.sleep(pause)
    raise AssertionError("unreachable")


def _taken_back() -> StepError:
    """A revocation that an earlier try began ended only now, and took this try's access with it."""
    return StepError(
        "adopt",
        "AccessTakenBack",
        "The access that was just granted is not there any more",
        "Nothing: it is asked for again. If it lasts, see who else takes access to it; then clear this task.",
    )


def _tell(progress: str | None, told: int) -> int:
    """Log the copy's progress (``bytes/bytes``) in steps of ten per cent."""
    done, _, total = (progress or "").partition("/")
    if not (done.isdigit() and total.isdigit() and int(total)):
        return told
    tenth = int(done) * 10 // int(total)
    if tenth > told:
        log.info("copied %d %%", tenth * 10)
    return max(tenth, told)


async def _download(azure: Azure, source: str, path: Path) -> int:
    """Stream into ``<path>.part``, which becomes ``path`` when it is whole: what stands there is never half a disk."""
    from azure.core.exceptions import ClientAuthenticationError

    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    async with _blob_client(azure, source) as blob:
        try:
            stream = await blob.download_blob()
        except ClientAuthenticationError as error:
            raise _taken_back() from error
        with await asyncio.to_thread(part.open, "wb") as file:
            async for chunk in stream.chunks():
                await asyncio.to_thread(file.write, chunk)
    await asyncio.to_thread(shutil.move, part, path)
    return (await asyncio.to_thread(path.stat)).st_size
