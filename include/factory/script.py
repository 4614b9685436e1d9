"""Scripts that run inside a machine: the steps and checks of a build, and the boot test of its image."""

from __future__ import annotations

from functools import cache
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from include.factory.machine import Size
from include.factory.problem import refusal
from include.factory.value import Duration, Pattern, Shorthand, Value

TaskName = Annotated[
    str, Pattern(r"[a-z0-9](?:[a-z0-9_-]{0,38}[a-z0-9])?", "a step name", "At most 40 of a-z, 0-9, - and _, as in install-packages.")
]
VariableName = Annotated[str, Pattern(r"[A-Za-z_]\w*", "a variable name", "Letters, digits and _, not beginning with a digit.")]
Timeout = Annotated[
    int, Duration(10, 90 * 60)
]  # run commands stop at 90 minutes: https://learn.microsoft.com/azure/virtual-machines/run-command-overview


@cache
def _beside_the_recipe(written: str) -> str:
    path = PurePosixPath(written)
    if path.is_absolute() or ".." in path.parts or "\\" in written or path.suffix not in (".sh", ".ps1"):
        raise refusal(
            f"{written!r} is not a script of the catalogue",
            "Write the path of a .sh or .ps1 file from the recipe's folder, as in scripts/harden.sh.",
        )
    return path.as_posix()


ScriptPath = Annotated[str, AfterValidator(_beside_the_recipe)]


class _Script(Value):
    """What every script can say; one of `script` and `run` gives its text."""

    script: ScriptPath | None = None
    """Script file, from the recipe's folder: bash (`.sh`) on Linux, PowerShell (`.ps1`) on Windows."""
    run: Annotated[str, Field(min_length=1, max_length=32_000)] | None = None
    """The script itself, for a few lines."""
    parameters: dict[VariableName, str] = Field(default_factory=dict)
    """Named parameters of a PowerShell script; positional ones of a shell script, in this order. Never secrets."""
    environment: dict[VariableName, str] = Field(default_factory=dict)
    """Environment variables. Never secrets."""
    timeout: Timeout = 1800
    """How long the script may run: 10s to 90m."""
    expected_exit_codes: tuple[Annotated[int, Field(ge=0, le=2**32 - 1)], ...] = Field(default=(0,), min_length=1)
    """Exit codes that mean success."""

    @model_validator(mode="after")
    def _one_text(self) -> _Script:
        if self.script is not None and self.run is not None:
            raise refusal("both `script` and `run` are given", "Keep one: `script` names a file, `run` is the text itself.")
        return self


def _named(written: Any) -> Any:
    """A step without a name has its file's; a check's file need not say twice that it is one."""
    if isinstance(written, dict) and "name" not in written and isinstance(written.get("script"), str):
        return {"name": PurePosixPath(written["script"]).stem.lower().removeprefix("check-"), **written}
    return written


class Step(_Script):
    """A script that changes the build machine, or checks it."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("required", None))  # the name comes from the file

    name: TaskName
    """Name of the step's task; by default the script file's, without a leading `check-`."""
    reboot_after: bool = False
    """Restart the machine when the script has succeeded, and wait until it is back."""

    @model_validator(mode="after")
    def _some_text(self) -> Step:
        if self.script is None and self.run is None:
            raise refusal("it names no script", "Add `script` with a file of the recipe's folder, or `run` with the text itself.")
        return self


class BootTest(_Script):
    """A script that must pass on a fresh machine made from the published version, before the version becomes `latest`."""

    timeout: Timeout = 900
    """How long the script may run: 10s to 90m."""
    sizes: Annotated[tuple[Size, ...], Shorthand(str, lambda size: [size]), Field(max_length=10)] = ()
    """VM sizes of the test machine in order of preference; by default those of the build."""


Steps = tuple[Annotated[Step, BeforeValidator(_named), Shorthand(str, lambda path: {"script": path})], ...]
BootTestOrNot = Annotated[
    BootTest | None,
    Shorthand(str, lambda path: {"script": path}),
    Shorthand(bool, lambda wanted: {} if wanted else None),
]

# What is asked of a machine from any image, where the recipe asks nothing: it finished its first boot.
DEFAULT_BOOT_TEST = {
    "Linux": """\
set -eu
if command -v cloud-init >/dev/null; then cloud-init status --wait || [ $? -eq 2 ]; fi
test -n "$(hostname)"
""",
    "Windows": r"""
$ErrorActionPreference = 'Stop'
$state = (Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State').ImageState
if ($state -ne 'IMAGE_STATE_COMPLETE') { Write-Error "Windows setup is not complete: $state"; exit 1 }
""",
}
