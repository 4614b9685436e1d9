"""The shipped scripts: lint-clean, and right where they can be tried on any Linux."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from include.factory.catalogue import load_catalogue
from include.factory.folder import SHIPPED
from include.factory.script import DEFAULT_BOOT_TEST

SHELL = sorted((SHIPPED / "scripts").glob("*.sh"))
POWERSHELL = sorted((SHIPPED / "scripts").glob("*.ps1"))
SHELLCHECK = Path(sys.executable).with_name("shellcheck")


@pytest.mark.parametrize("script", SHELL, ids=lambda script: script.stem)
def test_a_shell_script_is_clean_by_shellcheck(script: Path) -> None:
    result = subprocess.run(
        [SHELLCHECK, "--enable=all", "--exclude=SC2250,SC2310,SC2312", script], capture_output=True, text=True, check=False
    )

    assert result.stdout == ""


def test_the_default_boot_test_is_clean_by_shellcheck(tmp_path: Path) -> None:
    (tmp_path / "test.sh").write_text(f"#!/bin/bash\n{DEFAULT_BOOT_TEST['Linux']}")
    result = subprocess.run([SHELLCHECK, tmp_path / "test.sh"], capture_output=True, text=True, check=False)

    assert result.stdout == ""


def test_inline_scripts_of_the_recipes_are_clean_by_shellcheck(tmp_path: Path) -> None:
    for recipe in load_catalogue(SHIPPED).recipes.values():
        for step in (*recipe.steps, *recipe.checks):
            if step.run is not None:
                (tmp_path / "inline.sh").write_text(step.run)
                result = subprocess.run([SHELLCHECK, tmp_path / "inline.sh"], capture_output=True, text=True, check=False)
                assert result.stdout == "", (recipe.name, step.name)


@pytest.mark.parametrize("script", SHELL, ids=lambda script: script.stem)
def test_a_shell_script_stops_at_the_first_failure_and_says_what_it_does(script: Path) -> None:
    lines = script.read_text().splitlines()

    assert lines[0] == "#!/bin/bash"
    assert lines[1].startswith("# ")
    assert "set -euo pipefail" in lines


@pytest.mark.parametrize("script", POWERSHELL, ids=lambda script: script.stem)
def test_a_powershell_script_stops_at_the_first_failure_and_says_what_it_does(script: Path) -> None:
    lines = script.read_text().splitlines()

    assert lines[0].startswith("# ")
    assert "$ErrorActionPreference = 'Stop'" in lines


def test_every_script_is_used_by_a_recipe() -> None:
    used = {path for recipe in load_catalogue(SHIPPED).recipes.values() for path in recipe.scripts}

    assert used == {f"scripts/{script.name}" for script in (*SHELL, *POWERSHELL)}


def run(script: str, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shipped script with the commands of `path` before the machine's."""
    return subprocess.run(
        ["/bin/bash", SHIPPED / "scripts" / script],
        env={"PATH": f"{path}:/usr/sbin:/usr/bin:/sbin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def command(path: Path, name: str, body: str) -> None:
    path.mkdir(exist_ok=True)
    (path / name).write_text(f"#!/bin/bash\n{body}\n")
    (path / name).chmod(0o755)


def test_packages_are_asked_for_one_by_one(tmp_path: Path) -> None:
    command(tmp_path, "apt-get", f'echo "$@" >>{tmp_path}/calls')
    command(tmp_path, "dpkg-query", "exit 0")
    command(tmp_path, "cloud-init", "exit 2")

    result = run("install-packages.sh", tmp_path, PACKAGES="curl jq")

    assert result.returncode == 0, result.stderr
    assert "install --no-install-recommends curl jq" in (tmp_path / "calls").read_text()
    assert "DPkg::Lock::Timeout" in (tmp_path / "calls").read_text()


def test_a_package_that_does_not_install_fails_the_step(tmp_path: Path) -> None:
    command(tmp_path, "apt-get", '[[ "$*" != *install* ]]')
    command(tmp_path, "cloud-init", "exit 0")

    assert run("install-packages.sh", tmp_path, PACKAGES="nothing").returncode != 0


def test_packages_must_be_named(tmp_path: Path) -> None:
    result = run("install-packages.sh", tmp_path)

    assert result.returncode != 0
    assert "PACKAGES" in result.stderr


def test_a_broken_first_boot_fails_the_update(tmp_path: Path) -> None:
    command(tmp_path, "cloud-init", "exit 1")
    command(tmp_path, "systemctl", "exit 0")
    command(tmp_path, "apt-get", "exit 0")
    command(tmp_path, "dpkg", "exit 0")

    assert run("update-packages.sh", tmp_path).returncode == 1


@pytest.mark.parametrize(
    ("setting", "passes"),
    [
        ("permitrootlogin no\npasswordauthentication no\npermitemptypasswords no", True),
        ("permitrootlogin yes\npasswordauthentication no\npermitemptypasswords no", False),
        ("permitrootlogin prohibit-password\npasswordauthentication no\npermitemptypasswords no", False),
        ("permitrootlogin no\npasswordauthentication yes\npermitemptypasswords no", False),
    ],
)
def test_the_ssh_check_sees_who_is_let_in(tmp_path: Path, setting: str, passes: bool) -> None:
    command(tmp_path, "sshd", f"printf '%s\\n' '{setting}'")
    command(tmp_path, "install", "exit 0")

    result = run("check-ssh.sh", tmp_path)

    assert (result.returncode == 0) is passes
    assert passes or "wanted" in result.stderr


DISK = 'case "$*" in *--fstab*) exit {fstab};; *) echo {source};; esac'


@pytest.mark.parametrize(("source", "fstab"), [("/dev/sdc", 0), ("", 0), ("", 1)])
def test_the_disk_check_sees_a_disk_that_is_not_its_luns(tmp_path: Path, source: str, fstab: int) -> None:
    command(tmp_path, "findmnt", DISK.format(source=source, fstab=fstab))

    result = run("check-data-disks.sh", tmp_path, DISKS="0:/data")

    assert result.returncode == 1
    assert "/data is on" in result.stderr
    assert ("not in /etc/fstab" in result.stderr) is bool(fstab)
