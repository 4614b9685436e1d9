"""The catalogue of the end-to-end tests: the shipped recipes, and small ones that each go wrong in one place."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from include.factory.folder import catalogue_folder
from include.sandbox.directory import Directory

DIRECTORY = Directory()

SMALL = """\
name: {name}
owner: tests@example.com
os: {{type: Linux, security_type: TrustedLaunchSupported}}
base: {base}
build: {{region: eastus2}}
steps:
  - {{name: first, run: "echo one"}}
  - {{name: second, run: "{step}", timeout: 90m}}
checks:
  - {{name: sound, run: "{check}"}}
publish: {{gallery: endtoend, resource_group: rg-end-to-end}}
boot_test: {{run: "{boot_test}"}}
replicate: [eastus2, westeurope]
approval: {approval}
"""

NOTIFY = """\
pause_after_failures: 2
notify:
  - {{events: [published, failed, paused, leftovers, undeclared], notifier: tests.notifier.FileNotifier, arguments: {{path: "{told}"}}}}
"""

SCHEDULE = re.compile(r"^schedule:\n(?: .*\n)+", re.MULTILINE)

UBUNTU = "Canonical:ubuntu-24_04-lts:server:latest"
DEBIAN = "Debian:debian-12:12-gen2:latest"
GOOD = "echo fine"
# The guest of the sandbox ends with the code of a last, unconditional exit.
BAD = r"echo something is wrong >&2\nexit 3"


# Its guest takes an hour and more over it.
SLOW = r"# sandbox: sleep 5000\necho done"


def told(folder: Path, name: str) -> Path:
    """The file that has what people were told about a recipe."""
    return folder.parent / f"told-of-{name}"


def small(
    name: str,
    *,
    step: str = GOOD,
    check: str = GOOD,
    boot_test: str = GOOD,
    approval: str = "false",
    base: str = UBUNTU,
    told: Path | None = None,
) -> str:
    """A recipe of two steps, one check and a boot test, of which any may fail; with a file to which its notices go."""
    text = SMALL.format(name=name, step=step, check=check, boot_test=boot_test, approval=approval, base=base)
    return text + (NOTIFY.format(told=told) if told else "")


SECOND_GALLERY = """\
disaster_recovery: {gallery: second, resource_group: rg-second, location: westeurope, keep: 2}
share: {readers: [11111111-0000-4000-8000-000000000001]}
"""


# The partner's tenant gets the image in three ways: its application reads it here, its subscription has the gallery shared with it, and
# the factory publishes it there.
PARTNER = DIRECTORY.find(DIRECTORY.tenant_id, DIRECTORY.partner_client_id)
PARTNERED = f"""\
disaster_recovery: {{gallery: partners, resource_group: rg-partners, location: westeurope, connection: partner, keep: 1}}
share:
  readers: [{{id: {PARTNER.object_id}, type: ServicePrincipal}}]
  subscriptions: [{DIRECTORY.partner_subscription_id}]
  tenants: [{DIRECTORY.partner_tenant_id}]
"""
COMMUNITY = """\
share: {community: {prefix: endtoend, publisher_uri: https://example.com, contact: images@example.com, eula: https://example.com/eula}}
"""


def shared(name: str, how: str, told: Path | None = None) -> str:
    """A recipe with a gallery of its own, of a kind that may be shared with others."""
    text = (
        small(name, told=told)
        .replace("TrustedLaunchSupported", "Standard")
        .replace("endtoend, resource_group: rg-end-to-end", f"{name}, resource_group: rg-{name}")
    )
    return text + how


def write_catalogue(folder: Path) -> Path:
    """The shipped recipes with the small ones beside them, none with a schedule: an unpaused DAG whose hour has just struck would start a
    run of its own beside the one that a test starts, and one of the two would find nothing new to build."""
    shutil.copytree(catalogue_folder(), folder)
    for recipe in folder.glob("*.yaml"):
        recipe.write_text(SCHEDULE.sub("", recipe.read_text()))
    recipes = {
        "steady": small("steady", told=told(folder, "steady")),
        "chain-base": small("chain-base"),
        "chain-hardened": small("chain-hardened", base="{recipe: chain-base}"),
        "chain-application": small("chain-application", base="{recipe: chain-hardened}"),
        "watched": small("watched", base=DEBIAN) + "schedule: {on_new_base: true}\n",
        "survivor": small("survivor", told=told(folder, "survivor")),
        "slow": small("slow", told=told(folder, "slow"), step=SLOW),
        "mirrored": small("mirrored") + SECOND_GALLERY,
        "partnered": shared("partnered", PARTNERED, told(folder, "partnered")),
        "public": shared("public", COMMUNITY),
        # Its versions are put there by the tests of their later life, a month of them.
        "dated": small("dated", told=told(folder, "dated")).replace(
            "endtoend, resource_group: rg-end-to-end", "life, resource_group: rg-life"
        ),
        "approved": small("approved", told=told(folder, "approved"), approval="{approvers: [admin], timeout: 1h}"),
        "kept": small("kept", told=told(folder, "kept"), check=BAD),
        "failing-step": small("failing-step", told=told(folder, "failing-step"), step=BAD),
        "failing-check": small("failing-check", told=told(folder, "failing-check"), check=BAD),
        "failing-boot-test": small("failing-boot-test", told=told(folder, "failing-boot-test"), boot_test=BAD),
    }
    for name, text in recipes.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder
