"""Machines that are backed up: their files, and when each is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.factory.__main__ import main
from include.factory.backup import Backup, due, load_backups
from include.factory.catalogue import load_catalogue
from tests.factory.conftest import Load

GOOD = """\
name: web
owner: web@example.com
virtual_machine: production/web
schedule: "30 1 * * *"
gallery: vault
resource_group: rg-vault
regions: [West Europe]
"""
RECIPE = """\
name: ubuntu
owner: team@example.com
os: {type: Linux}
base: "Canonical:ubuntu-24_04-lts:server:latest"
build: {region: eastus2}
publish: {gallery: vault, resource_group: rg-vault, definition: web}
"""


def write(folder: Path, **files: str) -> Path:
    (folder / "backups").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "backups" / f"{name}.yaml").write_text(text)
    return folder


def said(folder: Path) -> list[str]:
    return [str(problem).removeprefix(f"{folder}/backups/") for problem in load_backups(folder, load_catalogue(folder)).problems]


def test_a_file_is_a_backup(folder: Path) -> None:
    backup = load_backups(write(folder, web=GOOD)).backups["web"]
    assert backup.form() == {
        "virtual_machine": "production/web",
        "state": "Specialized",
        "to": "gallery",
        "resource_group": "rg-vault",
        "gallery": "vault",
        "definition": "web",
        "regions": [{"name": "westeurope"}],
        "stop": False,
        "name": "web",
        "keep": 14,
        "owner": "web@example.com",
        "dry_run": False,
        "reason": "backup web",
    }


def test_a_catalogue_without_the_folder_has_none(folder: Path) -> None:
    assert load_backups(folder).backups == {}


def test_every_problem_is_named_at_once_with_line_field_and_cure(folder: Path) -> None:
    bad = (
        GOOD.replace("production/web", "web").replace("30 1 * * *", "30 1 * *").replace("regions: [West Europe]", "region: eastus\nkeep: 0")
    )
    write(folder, web=bad)
    problems = said(folder)
    assert [problem.split(": ")[:2] for problem in problems] == [
        ["web.yaml:3", "virtual_machine"],
        ["web.yaml:4", "schedule"],
        ["web.yaml:7", "region"],
        ["web.yaml:8", "keep"],
    ]
    assert "Did you mean regions?" in problems[2]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"other": GOOD}, "other.yaml:1: name: the backup is named 'web' and its file 'other.yaml'. Rename the file to web.yaml."),
        (
            {"web": GOOD, "web2": GOOD.replace("name: web", "name: web2") + "definition: WEB\n"},
            "web2.yaml:8: definition: the backup web publishes to the definition WEB, too. Give each backup a definition of its own.",
        ),
        ({"web": GOOD.replace("[West Europe]", "[westeurope, westeurope]")}, "is also regions[0]. Name each region once."),
        (
            {"web": GOOD + "notify: [{events: published, notifier: a.b.Notifier}]\n"},
            "web.yaml:8: notify[0].events: of a backup only `failed` is told. Write events: failed.",
        ),
        ({"web": "- one\n"}, "web.yaml:1: the file is not a mapping of fields"),
        ({"web": "name: {\n"}, "this is not YAML"),
    ],
)
def test_a_problem_is_said(folder: Path, files: dict[str, str], expected: str) -> None:
    write(folder, **files)
    assert expected in "\n".join(said(folder))


def test_no_backup_goes_to_the_definition_of_a_recipe(folder: Path, load: Load) -> None:
    load(ubuntu=RECIPE)
    write(folder, web=GOOD)
    assert said(folder) == [
        "web.yaml:1: name: the recipe ubuntu publishes to the definition web, too. Give each backup a definition of its own."
    ]


def test_the_check_of_the_catalogue_checks_backups(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(write(folder, web=GOOD))]) == 0
    assert "1 good backups" in capsys.readouterr().err
    assert main(["check", str(write(folder, web=GOOD.replace("web\n", "x y z\n", 1)))]) == 1


def backup(cron: str, zone: str = "UTC") -> Backup:
    return Backup.model_validate(
        {
            "name": "web",
            "owner": "o",
            "virtual_machine": "a/b",
            "gallery": "g",
            "resource_group": "r",
            "schedule": {"cron": cron, "time_zone": zone},
        }
    )


NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "hours", "expected"),
    [
        ("0 12 * * *", 0.25, NOON),
        ("50 11 * * *", 0.25, NOON - timedelta(minutes=10)),
        ("45 11 * * *", 0.25, None),
        ("1 12 * * *", 0.25, None),
        ("@hourly", 5, NOON),
        ("0 3 * * *", 12, NOON - timedelta(hours=9)),
    ],
)
def test_a_backup_is_due_once_its_time_has_come(cron: str, hours: float, expected: datetime | None) -> None:
    found = due([backup(cron)], NOON - timedelta(hours=hours), NOON)
    assert [at for _, at in found] == ([expected] if expected else [])


def test_a_schedule_is_read_in_its_time_zone() -> None:
    assert due([backup("0 13 * * *", "Europe/Amsterdam")], NOON - timedelta(minutes=15), NOON)
    assert not due([backup("0 12 * * *", "Europe/Amsterdam")], NOON - timedelta(minutes=15), NOON)
