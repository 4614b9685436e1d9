"""What must hold before anything is paid for: sizes, quota, regions, storage, encryption, rights and terms, against what Azure offers.

Pure: ``include/steps/preflight.py`` reads the offer. Rules: resource SKU capabilities and restrictions
(https://learn.microsoft.com/rest/api/compute/resource-skus/list), regional vCPU quota (https://learn.microsoft.com/azure/virtual-machines/quotas),
permissions (https://learn.microsoft.com/rest/api/authorization/permissions).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from pydantic import Field

from include.factory.calls import Call
from include.factory.publish import TargetRegion
from include.factory.recipe import Recipe
from include.factory.value import Value

BUILD_RIGHTS = (
    "Microsoft.Resources/subscriptions/resourceGroups/write",
    "Microsoft.Resources/subscriptions/resourceGroups/delete",
    "Microsoft.Compute/virtualMachines/write",
    "Microsoft.Compute/virtualMachines/delete",
    "Microsoft.Compute/virtualMachines/deallocate/action",
    "Microsoft.Compute/virtualMachines/runCommands/write",
    "Microsoft.Network/virtualNetworks/write",
    "Microsoft.Network/networkInterfaces/write",
    "Microsoft.Network/virtualNetworks/subnets/join/action",
)
GALLERY_RIGHTS = (
    "Microsoft.Compute/galleries/write",
    "Microsoft.Compute/galleries/images/write",
    "Microsoft.Compute/galleries/images/versions/write",
    "Microsoft.Resources/tags/write",
    "Microsoft.Compute/galleries/images/versions/delete",
)


class MachineNeeds(Value):
    """One machine that is to be made of the first of ``sizes`` that Azure has."""

    region: str
    zone: str | None = None
    sizes: tuple[str, ...]
    generation: str
    security_type: str
    architecture: str
    spot: bool = False
    subnet: str | None = None
    """ARM id of an existing subnet."""
    identities: tuple[str, ...] = ()
    """ARM ids of managed identities."""


class Purchase(Value):
    """A marketplace image that machines are made of, or that their image descends from. Its publisher sells it on terms, which a
    subscription accepts once (https://learn.microsoft.com/azure/virtual-machines/marketplace-images)."""

    subscription_id: str
    publisher: str
    product: str
    name: str
    urn: str | None = None
    """`publisher:offer:sku:version`, where the image itself is the base."""

    @classmethod
    def of(cls, plan: Mapping[str, str] | None, subscription_id: str, urn: str | None = None) -> Purchase | None:
        """That of a purchase plan ``{"name", "product", "publisher"}``; None for none."""
        return (
            cls(subscription_id=subscription_id, **{word: plan[word] for word in ("publisher", "product", "name")}, urn=urn)
            if plan
            else None
        )

    @property
    def path(self) -> str:
        """ARM id of its terms."""
        offers = f"/subscriptions/{self.subscription_id}/providers/Microsoft.MarketplaceOrdering/offerTypes/virtualmachine"
        return f"{offers}/publishers/{self.publisher}/offers/{self.product}/plans/{self.name}/agreements/current"

    @property
    def command(self) -> str:
        """What accepts the terms."""
        which = f"--urn {self.urn}" if self.urn else f"--publisher {self.publisher} --offer {self.product} --plan {self.name}"
        return f"az vm image terms accept {which} --subscription {self.subscription_id}"


class Needs(Value):
    """What a run is going to use."""

    machine: MachineNeeds | None = None
    purchase: Purchase | None = None
    """What the machine's image is sold with."""
    regions: tuple[TargetRegion, ...] = ()
    """Regions that versions are brought to."""
    rights: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Scope (ARM id) -> actions that must be allowed there."""


class Size(Value):
    """A VM size in one region, as the resource SKUs describe it."""

    family: str
    vcpus: int
    generations: tuple[str, ...]
    architecture: str = "x64"
    zones: tuple[str, ...] = ()
    closed_zones: tuple[str, ...] = ()
    """Zones in which the subscription may not use it."""
    closed: bool = False
    """Whether the subscription may not use it in the region at all."""
    trusted_launch: bool = True
    confidential: bool = False
    spot: bool = True


class Usage(Value):
    used: int
    limit: int


class Permission(Value):
    """One of the roles held: actions with ``*``, and those taken out again."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()

    def allows(self, action: str) -> bool:
        return _matches(action, self.actions) and not _matches(action, self.not_actions)


class Offer(Value):
    """What Azure has for this subscription."""

    locations: frozenset[str]
    """Regions that the subscription may use."""
    sizes: dict[str, Size] = Field(default_factory=dict)
    """In the machine's region, by name."""
    usages: dict[str, Usage] = Field(default_factory=dict)
    """In the machine's region, by name: ``cores``, ``lowPriorityCores``, and one for each family."""
    storage: dict[str, frozenset[str]] = Field(default_factory=dict)
    """Region -> storage types of snapshots, which is what replicas are."""
    encryption_sets: dict[str, str | None] = Field(default_factory=dict)
    """ARM id -> region, or None where there is no such set."""
    places: dict[str, str | None] = Field(default_factory=dict)
    """ARM id of what the machine is given -> its region, or None where there is no such thing; what could not be read is left out."""
    permissions: dict[str, tuple[Permission, ...] | None] = Field(default_factory=dict)
    """Scope -> roles held there, or None where they could not be read."""
    accepted: bool | None = None
    """Whether the purchase's terms are accepted, or None where that could not be read."""


class Findings(Value):
    """What is in the way: for good, and for the moment (quota that running machines will give back)."""

    problems: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()

    def and_(self, others: Findings) -> Findings:
        """Both, each sentence once."""
        problems = tuple(dict.fromkeys((*self.problems, *others.problems)))
        return Findings(problems=problems, waiting=tuple(dict.fromkeys((*self.waiting, *others.waiting))))


def needs_of_build(recipe: Recipe, regions: Sequence[TargetRegion], subscription_id: str) -> Needs:
    """What a build of the recipe uses."""
    subscription = f"/subscriptions/{subscription_id}"
    rights: dict[str, tuple[str, ...]] = {
        subscription: BUILD_RIGHTS,
        f"{subscription}/resourceGroups/{recipe.publish.resource_group}": GALLERY_RIGHTS,
    }
    if recipe.os.state == "Generalized":
        rights[subscription] += ("Microsoft.Compute/virtualMachines/generalize/action",)
    if recipe.build.subnet:
        rights[subscription] = tuple(right for right in rights[subscription] if "Network/virtualNetworks" not in right)
        rights[recipe.build.subnet] = ("Microsoft.Network/virtualNetworks/subnets/join/action",)
    for identity in recipe.build.identities:
        rights[identity] = ("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",)
    return Needs(
        machine=MachineNeeds(
            region=recipe.build.region,
            zone=recipe.build.zone,
            sizes=recipe.sizes,
            generation=recipe.os.generation,
            security_type=recipe.machine_security,
            architecture=recipe.os.architecture,
            spot=recipe.build.spot,
            subnet=recipe.build.subnet,
            identities=recipe.build.identities,
        ),
        regions=tuple(regions),
        rights=rights,
    )


def needs_of_calls(calls: Iterable[Call], regions: Sequence[TargetRegion] = ()) -> Needs:
    """What a plan uses that makes no machine: the right to each of its writes, at the gallery (or what else stands by itself in a resource
    group) that it changes, and the regions that it brings versions to."""
    rights: dict[str, dict[str, None]] = {}
    for call in calls:
        scope, action = _right(call)
        rights.setdefault(scope, {})[action] = None
    return Needs(regions=tuple(regions), rights={scope: tuple(actions) for scope, actions in rights.items()})


def _right(call: Call) -> tuple[str, str]:
    """Scope and action of a write. Actions are named after provider and types, ``/write``, ``/delete`` or the name of the POST and
    ``/action`` (https://learn.microsoft.com/azure/role-based-access-control/resource-provider-operations)."""
    method, path = call.method, call.path
    above, _, below = path.rpartition("/providers/")
    if not above:
        return path, f"Microsoft.Resources/subscriptions/resourceGroups/{_VERBS[method]}"
    provider, *segments = below.split("/")
    types = "/".join(segments[0::2])
    # Of what hangs on something else (a role assignment), the scope is that.
    scope = above if "/providers/" in above else "/".join([above, "providers", provider, *segments[:2]])
    # "types" of a POST ends with the name of the action, as that has no name after it.
    return "/".join(scope.split("/")[:9]), f"{provider}/{types}/{'action' if method == 'POST' else _VERBS[method]}"


_VERBS = {"PUT": "write", "PATCH": "write", "DELETE": "delete"}


def find(needs: Needs, offer: Offer) -> Findings:
    """Everything that is in the way, at once."""
    problems = [*_region_problems(needs, offer), *_right_problems(needs, offer), *_purchase_problems(needs, offer)]
    waiting: list[str] = []
    if needs.machine is not None:
        problems += _given_problems(needs.machine, offer)
    if needs.machine is not None and needs.machine.region in offer.locations:
        for_good, for_now = _machine_problems(needs.machine, offer)
        problems += for_good
        waiting += for_now
    return Findings(problems=tuple(problems), waiting=tuple(waiting))


def _region_problems(needs: Needs, offer: Offer) -> Iterator[str]:
    named = [needs.machine.region] if needs.machine else []
    for name in dict.fromkeys([*named, *(region.name for region in needs.regions)]):
        if name not in offer.locations:
            nearest = get_close_matches(name, offer.locations, n=1)
            hint = f" The nearest name it may use is {nearest[0]}." if nearest else ""
            yield f"The subscription may not use the region {name}.{hint} Ask for access to it, or leave it out."
    for region in needs.regions:
        wanted = region.storage_account_type or "Standard_LRS"
        offered = offer.storage.get(region.name)
        if offered is not None and wanted not in offered:
            yield f"{region.name} has no {wanted} storage for replicas, only {', '.join(sorted(offered))}. Choose one of these."
        if region.encryption_set:
            yield from _encryption_problems(region, offer)


def _encryption_problems(region: TargetRegion, offer: Offer) -> Iterator[str]:
    assert region.encryption_set is not None
    where = offer.encryption_sets.get(region.encryption_set, region.name)
    if where is None:
        yield f"The encryption set {region.encryption_set} of {region.name} does not exist. Make it, or correct its id."
    elif where != region.name:
        yield f"The encryption set {region.encryption_set} is in {where}, and {region.name} needs one of its own. Name that."


def _given_problems(machine: MachineNeeds, offer: Offer) -> Iterator[str]:
    """A machine's network is in its region; an identity may be of any
    (https://learn.microsoft.com/azure/virtual-network/virtual-network-vnet-plan-design-arm)."""
    if machine.subnet:
        where = offer.places.get(machine.subnet, machine.region)
        if where is None:
            yield f"The subnet {machine.subnet} does not exist. Make it, or correct its id."
        elif where != machine.region:
            yield f"The subnet {machine.subnet} is in {where}, and the machine in {machine.region}. Name a subnet of that region."
    for identity in machine.identities:
        if offer.places.get(identity, "") is None:
            yield f"The managed identity {identity} does not exist. Make it, or correct its id."


def _right_problems(needs: Needs, offer: Offer) -> Iterator[str]:
    for scope, actions in needs.rights.items():
        held = offer.permissions.get(scope)
        missing = [action for action in actions if held is not None and not any(one.allows(action) for one in held)]
        if missing:
            yield (
                f"The identity of the connection may not do {', '.join(missing)} at {scope}. "
                f"Give it a role that allows this there; README.md names the roles."
            )


def _purchase_problems(needs: Needs, offer: Offer) -> Iterator[str]:
    if needs.purchase is not None and offer.accepted is False:
        plan = needs.purchase
        yield (
            f"The image is sold with the purchase plan {plan.publisher}:{plan.product}:{plan.name}, whose terms the subscription has not "
            f"accepted. Read and accept them once: `{plan.command}`."
        )


def _machine_problems(machine: MachineNeeds, offer: Offer) -> tuple[list[str], list[str]]:
    """Problems for good and for now; none where one of the sizes will do."""
    unfit: list[str] = []
    busy: list[str] = []
    for name in machine.sizes:
        size = offer.sizes.get(name.lower())
        reason = _misfit(machine, size)
        if size is None or reason is not None:
            unfit.append(f"{name} {reason}")
            continue
        short = list(_shortages(machine, size, offer))
        if not short:
            return [], []
        (unfit if any(for_good for _, for_good in short) else busy).append(f"{name}: {'; '.join(text for text, _ in short)}")
    if busy:
        return [], [f"The vCPU quota of {machine.region} is in use: {'; '.join([*busy, *unfit])}."]
    text = f"None of the sizes can be used in {machine.region}: {'; '.join(unfit)}."
    return [f"{text} Name other sizes (`az vm list-skus --location {machine.region} --all`), or ask for quota."], []


def _misfit(machine: MachineNeeds, size: Size | None) -> str | None:
    """Why the size cannot make the machine, whatever the quota."""
    if size is None:
        return "is not offered there"
    if size.closed:
        return "is not open to the subscription there"
    if machine.zone and machine.zone not in size.zones:
        return f"is not offered in zone {machine.zone}"
    if machine.zone and machine.zone in size.closed_zones:
        return f"is not open to the subscription in zone {machine.zone}"
    if machine.generation not in size.generations:
        return f"makes machines of generation {' and '.join(size.generations)}, not {machine.generation}"
    if machine.architecture != size.architecture:
        return f"is {size.architecture}, not {machine.architecture}"
    if machine.security_type == "TrustedLaunch" and not size.trusted_launch:
        return "makes no TrustedLaunch machines"
    if machine.security_type == "ConfidentialVM" and not size.confidential:
        return "makes no confidential machines"
    if machine.spot and not size.spot:
        return "is not sold as spot"
    return None


def _shortages(machine: MachineNeeds, size: Size, offer: Offer) -> Iterator[tuple[str, bool]]:
    """Quotas that are short, and whether for good."""
    for name in ("lowPriorityCores",) if machine.spot else ("cores", size.family):
        usage = offer.usages.get(name)
        if usage is not None and usage.used + size.vcpus > usage.limit:
            yield f"{size.vcpus} vCPUs needed, {usage.used} of {usage.limit} {name} used", size.vcpus > usage.limit


def _matches(action: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)
