"""With whom a recipe's image is shared: what Azure would refuse is refused when the recipe is read."""

from __future__ import annotations

import pytest

from include.factory.share import Share
from tests.factory.conftest import Load
from tests.factory.test_plan import DES

RECIPE = """\
name: {name}
owner: team@example.com
os: {{type: Linux{os}}}
base: "Canonical:ubuntu-24_04-lts:server:latest"
build: {{region: eastus2}}
publish: {{gallery: images, resource_group: rg-images{publish}}}
"""
ONE, TWO = "11111111-0000-4000-8000-000000000001", "11111111-0000-4000-8000-000000000002"
COMMUNITY = "{prefix: contoso, publisher_uri: https://contoso.com, contact: images@contoso.com, eula: https://contoso.com/eula}"


def recipe(share: str = "", *, name: str = "ubuntu", os: str = "", publish: str = "", more: str = "") -> str:
    text = RECIPE.format(name=name, os=os, publish=publish) + more
    return text + (f"share: {share}\n" if share else "")


@pytest.mark.parametrize(
    ("share", "kind"),
    [
        (f"{{readers: [{ONE}, {{id: {TWO}, type: user}}]}}", "Private"),
        (f"{{subscriptions: [{ONE}], tenants: [{TWO}]}}", "Groups"),
        (f"{{community: {COMMUNITY}}}", "Community"),
    ],
)
def test_an_image_is_shared_in_three_ways(load: Load, share: str, kind: str) -> None:
    catalogue = load(ubuntu=recipe(share))
    assert catalogue.problems == []
    found = catalogue.recipes["ubuntu"].share
    assert found is not None
    assert found.kind == kind
    assert (found.profile() or {"permissions": "Private"})["permissions"] == kind


def test_a_reader_is_a_group_unless_it_says_otherwise() -> None:
    share = Share.model_validate({"readers": [ONE, {"id": TWO, "type": "serviceprincipal"}]})
    assert [reader.type for reader in share.readers] == ["Group", "ServicePrincipal"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (recipe("{readers: [me]}"), "share.readers[0]: 'me' is not an id"),
        (recipe(f"{{readers: [{ONE}, {ONE}]}}"), "share.readers[1]: it is also readers[0]"),
        (recipe(f"{{subscriptions: [{ONE}], community: {COMMUNITY}}}"), "directly or with the community, not both"),
        (recipe(f"{{tenants: [{', '.join(f'{ONE[:-1]}{n}' for n in range(6))}]}}"), "share.tenants: there are 6, and Azure takes 5"),
        (recipe(f"{{subscriptions: [{ONE}]}}", os=", security_type: TrustedLaunch"), "Azure shares no TrustedLaunch image directly"),
        (recipe(f"{{community: {COMMUNITY}}}", os=", state: Specialized"), "accounts and identity to everybody"),
        (recipe(f"{{community: {COMMUNITY}}}", publish=", location: westeurope"), "publish.location: a community gallery"),
        (
            recipe(f"{{tenants: [{ONE}]}}", more=f"replicate: [{{name: eastus2, encryption_set: {DES}}}]\n"),
            "Azure shares no image directly that is encrypted with the customer's keys. Share it by `readers` only.",
        ),
        (recipe(f"{{community: {COMMUNITY.replace('contoso,', 'c!,')}}}"), "share.community.prefix: 'c!' is not a prefix"),
    ],
)
def test_what_azure_would_refuse_is_refused_here(load: Load, text: str, said: str) -> None:
    problems = load(ubuntu=text).problems
    assert len(problems) == 1, problems
    assert said in f"{problems[0].field}: {problems[0].message}. {problems[0].cure}"


def test_recipes_of_one_gallery_share_it_alike_as_azure_shares_it_as_a_whole(load: Load) -> None:
    direct = f"{{subscriptions: [{ONE}]}}"
    problems = load(one=recipe(direct, name="one"), two=recipe(name="two")).problems
    assert [(problem.file.rpartition("/")[2], problem.field) for problem in problems] == [
        ("one.yaml", "share"),
        ("two.yaml", "publish.gallery"),
    ]
    assert "two and this recipe share the gallery images differently" in problems[0].message
    readers = f"{{subscriptions: [{ONE.upper()}], readers: [{TWO}]}}"
    assert load(one=recipe(direct, name="one"), two=recipe(readers, name="two")).problems == []
