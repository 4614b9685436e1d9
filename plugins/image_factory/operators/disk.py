"""Disks as files."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class ExportVhdOperator(StepOperator):
    """Copy a snapshot to a VHD at a blob URL or a local path by a time-limited SAS that is always revoked.

    It does what ``az vm capture`` did for unmanaged disks.

    Fields and result: :func:`include.steps.disk.export_vhd`.
    """

    step = "disk.export_vhd"
    required = ("resource_group", "snapshot", "destination")
    optional = ("duration",)
    cancel = "disk.revoke_access"


class ExportVhdsOperator(StepOperator):
    """Copy all disks of a capture to VHDs in a blob container or a folder; access to each is always revoked. XCom: ``{"files"}``.

    Fields and result: :func:`include.steps.disk.export_vhds`.
    """

    step = "disk.export_vhds"
    required = ("resource_group", "snapshots", "destination")
    optional = ("sas_token", "duration")
    cancel = "disk.revoke_all"
