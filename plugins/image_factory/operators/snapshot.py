"""Snapshots of a machine's disks."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class CaptureSnapshotsOperator(StepOperator):
    """Snapshot the OS disk and every data disk of a machine. XCom: ``{"source": {"kind", "os", "data": {lun: id}}}``.

    Fields and result: :func:`include.steps.snapshot.capture`.
    """

    step = "snapshot.capture"
    required = ("resource_group", "name", "location", "source_virtual_machine", "tags")
