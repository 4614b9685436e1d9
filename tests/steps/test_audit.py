"""The report on all images: which versions are where, from which base, who may read them, and what is out of date."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from include.factory.catalogue import load_recipe
from include.factory.digest import digest
from include.sandbox.resources.catalogue import publish
from include.sandbox.store import Resource
from include.sandbox.wire import Request
from include.steps import audit
from include.steps.azure import Azure
from include.steps.errors import StepError
from tests.sandbox_transport import DirectoryCredential
from tests.smallest_recipe import SMALLEST
from tests.steps.build_line import DEFINITION, GALLERIES, GALLERY, HOME, Line
from tests.steps.seeded import gallery_line, seed, version_of
from tests.steps.test_preflight import as_reader
from tests.steps.test_restoration import with_bin
from tests.steps.test_sharing import assign, scope

RECIPE = (
    SMALLEST.replace("galleries}", "galleries, publisher: factory}")
    + """\
replicate: [northeurope]
disaster_recovery: {gallery: images2, resource_group: galleries2, location: northeurope}
"""
)
BACKUP = """\
name: web
owner: web@example.com
virtual_machine: production/web
schedule: "30 1 * * *"
resource_group: galleries
gallery: images
definition: web
"""
PLACE = f"{GALLERIES}/{GALLERY}/{DEFINITION}"
BASE = "Canonical:ubuntu-24_04-lts:server:24.04.202511110"
STRANGER = "22222222-0000-4000-8000-000000000001"


@pytest.fixture(autouse=True)
def catalogue(recipes: Path) -> Path:
    (recipes / "ubuntu.yaml").write_text(RECIPE)
    (recipes / "backups").mkdir()
    (recipes / "backups" / "web.yaml").write_text(BACKUP)
    return recipes


def built(catalogue: Path, **changes: str) -> dict[str, str]:
    """The tags of a version that the recipe as it is now built from the newest base."""
    tags = {
        "image-factory-promoted": "2026-11-01T00:00:00+00:00",
        "image-factory-base": BASE,
        "image-factory-digest": digest(load_recipe(catalogue, "ubuntu")),
    }
    return {**tags, **changes}


def image(told: dict[str, Any], place: str = PLACE) -> dict[str, Any]:
    (found,) = [one for one in told["images"] if one["place"] == place]
    return dict(found)


def version(told: dict[str, Any], name: str, place: str = PLACE) -> dict[str, Any]:
    (found,) = [one for one in image(told, place)["versions"] if one["version"] == name]
    return dict(found)


async def test_each_version_is_told_with_its_regions_its_base_and_who_gets_it(catalogue: Path) -> None:
    line = await gallery_line()
    channel = {"image-factory-channel-prod": "2026-11-02T00:00:00+00:00"}
    seed(line, "1.0.0", (HOME, "northeurope"), age=9, tags=built(catalogue, **channel))
    seed(line, "2.0.0", (HOME, "northeurope"), excluded_in=["northeurope"], age=8, tags=built(catalogue))
    seed(line, "3.0.0", (HOME,), excluded=True, age=1, tags=built(catalogue))
    told = await audit.report(line.azure)
    assert version(told, "1.0.0")["gets"] == ["latest in northeurope", "prod"]
    assert version(told, "2.0.0")["gets"] == [f"latest in {HOME}"]
    assert version(told, "3.0.0")["gets"] == []
    assert (version(told, "2.0.0")["regions"], version(told, "2.0.0")["base"]) == ([HOME, "northeurope"], BASE)
    assert version(told, "2.0.0")["recipe"] == "as now"
    assert told["out_of_date"] == {}
    assert told["absent"] == {"galleries2/images2": "is not there yet: its first build makes it"}
    assert "1.0.0              latest in northeurope + prod; in westeurope, northeurope" in told["text"]


async def test_what_people_get_is_out_of_date_by_its_age_its_base_its_recipe_and_its_end_of_life(catalogue: Path) -> None:
    line = await gallery_line()
    old = built(catalogue)
    seed(line, "1.0.0", age=200, excluded=True, tags=old)
    seed(line, "2.0.0", age=100, tags=old)
    line.resource("galleries/images/versions", GALLERY, DEFINITION, "1.0.0", group=GALLERIES).properties["publishingProfile"][
        "endOfLifeDate"
    ] = "2026-01-01T00:00:00Z"
    publish(line.sandbox, {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "24.04.202611990"})
    (catalogue / "ubuntu.yaml").write_text(RECIPE + "steps: [{name: more, run: echo more}]\n")
    told = await audit.report(line.azure)
    assert version(told, "2.0.0")["late"] == [
        "100 days old",
        "the recipe has changed since",
        "its base has a newer version, Canonical:ubuntu-24_04-lts:server:24.04.202611990",
    ]
    assert version(told, "1.0.0")["late"] == ["its end of life was 2026-01-01"]
    assert set(told["out_of_date"]) == {f"{PLACE} 1.0.0", f"{PLACE} 2.0.0"}
    assert f"out of date: {PLACE}" in told["text"]
    assert version(await audit.report(line.azure, max_age_days=101), "2.0.0")["late"][0] == "the recipe has changed since"


async def test_a_base_that_cannot_be_read_is_said(catalogue: Path) -> None:
    line = await gallery_line()
    seed(line, "2.0.0", age=1, tags=built(catalogue))
    (catalogue / "ubuntu.yaml").write_text(RECIPE.replace("24_04-lts:server", "24_04-lts:gone"))
    assert "its base cannot be read" in version(await audit.report(line.azure), "2.0.0")["late"][1]


async def test_second_galleries_and_backups_are_in_it(catalogue: Path) -> None:
    line = await gallery_line()
    await line.run("ensure_resource_group", name="galleries2")
    await line.run("ensure_gallery", resource_group="galleries2", name="images2")
    await line.run("ensure_definition", resource_group="galleries2", gallery="images2")
    await line.run("ensure_definition", name="web", offer="web")
    await line.run("ensure_definition", name="nobodys", offer="nobodys")
    seed(line, "1.0.0", definition="web")
    told = await audit.report(line.azure)
    assert "second gallery of the recipe ubuntu" in image(told, "galleries2/images2/ubuntu")["title"]
    assert "captures of the backup web" in image(told, "galleries/images/web")["title"]
    assert "no recipe and no backup publishes to it" in image(told, "galleries/images/nobodys")["title"]
    assert [one["place"] for one in (await audit.report(line.azure, gallery="images2"))["images"]] == ["galleries2/images2/ubuntu"]
    with pytest.raises(StepError, match="It has images, images2"):
        await audit.report(line.azure, gallery="other")


async def test_rights_from_above_are_told_whatever_page_they_are_on_and_only_those_that_allow_to_read() -> None:
    line = await gallery_line()
    line.sandbox.page = 2
    for number in range(5):
        await assign(line, number, STRANGER[:-1] + str(number), scope(line))
    await assign(line, 6, STRANGER[:-1] + "6", f"/subscriptions/{line.azure.subscription_id}")
    await assign(line, 7, STRANGER[:-1] + "7", line.azure.id(GALLERIES))
    await assign(line, 8, STRANGER[:-1] + "8", scope(line), role="e40ec5ca-96e0-45a2-b4ff-59039f2c2b59")  # Managed Identity Contributor
    who = "\n".join((await audit.report(line.azure))["undeclared"][PLACE])
    assert [number for number in range(9) if f"{STRANGER[:-1]}{number}" in who] == [0, 1, 2, 3, 4, 6, 7]
    assert f"6 is Reader inherited from /subscriptions/{line.azure.subscription_id}" in who
    assert f"7 is Reader inherited from {line.azure.id(GALLERIES)}" in who


async def test_deny_assignments_are_told() -> None:
    line = await gallery_line()
    await assign(line, 1, STRANGER, scope(line))
    id = f"{line.azure.id(GALLERIES)}/providers/Microsoft.Authorization/denyAssignments/0a551900-0000-4000-8000-000000000009"
    properties = {
        "denyAssignmentName": "stack of the platform",
        "permissions": [{"actions": ["*/read"], "notActions": [], "dataActions": [], "notDataActions": []}],
        "scope": line.azure.id(GALLERIES),
        "doNotApplyToChildScopes": False,
        "principals": [{"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}],
        "excludePrincipals": [{"id": STRANGER, "type": "User"}],
        "isSystemProtected": True,
    }
    kind = "Microsoft.Authorization/denyAssignments"
    line.sandbox.store.add(Resource(id, kind, {"id": id, "type": kind, "name": id[-36:], "properties": properties}))
    (denied,) = [one for one in image(await audit.report(line.azure))["readings"] if one["by"] == "denied"]
    assert f"everybody is denied by stack of the platform, but for {STRANGER}, inherited from" in denied["who"]


def directory(line: Line, method: str, path: str, body: dict[str, Any]) -> Any:
    """Ask the directory as its administrator."""
    token = line.sandbox.token(audience="https://graph.microsoft.com")
    headers = {"authorization": f"Bearer {token}"}
    answer = line.sandbox.handle(Request(method, f"https://graph.microsoft.com/v1.0{path}", headers, json.dumps(body).encode()))
    assert answer.status in (201, 204), answer.body
    return answer.json() if answer.body else None


def group(line: Line, name: str, members: Iterable[str]) -> str:
    given = {"displayName": name, "mailNickname": name, "mailEnabled": False, "securityEnabled": True}
    id = str((directory(line, "POST", "/groups", given))["id"])
    for member in members:
        reference = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{member}"}
        directory(line, "POST", f"/groups/{id}/members/$ref", reference)
    return id


def user(line: Line, name: str) -> str:
    given = {"displayName": name, "mailNickname": name, "accountEnabled": True, "passwordProfile": {"password": "Correct.Horse.1"}}
    return str((directory(line, "POST", "/users", {**given, "userPrincipalName": f"{name}@sandbox.onmicrosoft.com"}))["id"])


async def test_groups_are_told_with_everybody_who_is_in_them(catalogue: Path) -> None:
    line = await gallery_line()
    inner = group(line, "operators", [user(line, "bob")])
    outer = group(line, "readers", [user(line, "ann"), inner])
    await assign(line, 1, outer, scope(line), kind="Group")
    line.sandbox.authenticate = True
    azure = Azure(DirectoryCredential(line.sandbox), line.azure.subscription_id, transport=line.transport)
    (reading,) = image(await audit.report(azure))["readings"]
    assert reading["who"] == (
        f"group readers ({outer}) is Reader on ubuntu; 2 member(s): ann@sandbox.onmicrosoft.com, bob@sandbox.onmicrosoft.com"
    )
    assert (reading["unresolved"], reading["said_by"]) == ("", "")


async def test_a_group_whose_members_may_not_be_read_is_said_so_plainly(catalogue: Path) -> None:
    line = await gallery_line()
    readers = group(line, "readers", [])
    await assign(line, 1, readers, scope(line), kind="Group")
    line.sandbox.authenticate = True
    told = await audit.report(await as_reader(line))
    (reading,) = [one for one in image(told)["readings"] if readers in one["who"]]
    assert "HTTP 403 Authorization_RequestDenied" in reading["unresolved"]
    assert "WHO IS IN IT COULD NOT BE READ: Microsoft Graph: HTTP 403" in told["text"]


async def test_the_factory_itself_is_shown_and_nobody_needs_to_say_so(catalogue: Path) -> None:
    line = await gallery_line()
    line.sandbox.authenticate = True
    told = await audit.report(await as_reader(line))
    (reading,) = image(told)["readings"]
    assert (reading["factory"], reading["said_by"]) == (True, "")
    assert f"is Reader inherited from /subscriptions/{line.azure.subscription_id}  [the factory itself]" in told["text"]
    assert told["undeclared"] == {}


async def test_a_gallery_that_cannot_be_read_hides_no_other(catalogue: Path) -> None:
    line = await gallery_line()
    await line.run("ensure_resource_group", name="galleries2")
    await line.run("ensure_gallery", resource_group="galleries2", name="images2")
    error = {"status": 403, "code": "AuthorizationFailed", "message": "no right to read"}
    line.sandbox.faults.add(
        name="f", match={"method": "GET", "type": "Microsoft.Compute/galleries", "name": "images2"}, effect={"error": error}
    )
    told = await audit.report(line.azure)
    assert "no right to read" in told["absent"]["galleries2/images2"]
    assert image(told)


async def test_what_a_version_has_been_through_and_what_lies_in_the_bin_is_told(catalogue: Path) -> None:
    line = await with_bin()
    back = {"image-factory-rolled-back": "2026-11-02T00:00:00+00:00 it does not boot", "image-factory-pinned": "an audit"}
    seed(line, "3.0.0", excluded=True, tags=built(catalogue, **back))
    seed(line, "2.5.0", excluded=True, tags={"image-factory-retired": "2026-11-09T00:00:00+00:00"}, provisioningState="Failed")
    version_of(line, "4.0.0").body["tags"] = {}
    told = await audit.report(line.azure)
    assert version(told, "3.0.0")["life"] == ["rolled back 2026-11-02T00:00:00+00:00 it does not boot", "pinned (an audit)"]
    assert version(told, "2.5.0")["life"] == ["it is Failed", "retired 2026-11-09T00:00:00+00:00"]
    assert version(told, "4.0.0")["life"] == ["not made by the factory"]
    assert [one["version"] for one in image(told)["deleted"]] == ["2.0.0", "1.0.0"]
    for words in ("rolled back 2026-11-02T00:00:00+00:00 it does not boot; pinned (an audit)", "and in the bin, gone for good 20"):
        assert words in told["text"]


async def test_a_name_in_another_case_is_the_same_image(catalogue: Path) -> None:
    """Azure keeps the case in which a definition was made, and takes any."""
    (catalogue / "ubuntu.yaml").write_text(RECIPE.replace("publisher: factory", "publisher: factory, definition: UBUNTU"))
    line = await gallery_line()
    seed(line, "1.0.0", tags=built(catalogue))
    told = await audit.report(line.azure)
    assert (image(told)["recipe"], version(told, "1.0.0")["recipe"]) == ("ubuntu", "as now")
