"""Who there is: two tenants, three subscriptions, and the applications that sign in to them.

The main application owns both subscriptions of the home tenant; a colleague's has no role there until it is assigned one. The partner is
another company: a tenant, a subscription and an application of its own. The main and the partner's application are multi-tenant: each has a
service principal in the other's tenant too, without any role, as after admin consent.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from uuid import NAMESPACE_URL, uuid5

TENANT = "72f988bf-0000-4000-8000-5a4db0c0ffee"
SUBSCRIPTION = "5a4db0c0-0000-4000-8000-000000000001"
CLIENT = "c11e4700-0000-4000-8000-5a4db0c0ffee"
OBJECT = "0b1ec700-0000-4000-8000-5a4db0c0ffee"
SECRET = "in-process"  # noqa: S105 -- a served sandbox makes its own


@dataclass(frozen=True)
class Principal:
    """A service principal: an application in one tenant. `owns`: the subscriptions on which it may do everything."""

    tenant_id: str
    client_id: str
    object_id: str
    client_secret: str
    owns: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Directory:
    """The settings that `identity.json` keeps; all are GUIDs but the secrets."""

    tenant_id: str = TENANT
    subscription_id: str = SUBSCRIPTION
    client_id: str = CLIENT
    client_secret: str = SECRET
    second_subscription_id: str = "5a4db0c0-0000-4000-8000-000000000002"
    colleague_client_id: str = "c011ea00-0000-4000-8000-5a4db0c0ffee"
    colleague_client_secret: str = SECRET
    partner_tenant_id: str = "9a47e400-0000-4000-8000-5a4db0c0ffee"
    partner_subscription_id: str = "5a4db0c0-0000-4000-8000-000000000003"
    partner_client_id: str = "9a47c100-0000-4000-8000-5a4db0c0ffee"
    partner_client_secret: str = SECRET

    @cached_property
    def subscriptions(self) -> dict[str, str]:
        """Subscription -> its tenant."""
        home, partner = self.tenant_id, self.partner_tenant_id
        return {self.subscription_id: home, self.second_subscription_id: home, self.partner_subscription_id: partner}

    @cached_property
    def principals(self) -> tuple[Principal, ...]:
        """The main principal first."""
        applications = (
            (self.client_id, self.client_secret, self.tenant_id, OBJECT),
            (self.colleague_client_id, self.colleague_client_secret, self.tenant_id, ""),
            (self.partner_client_id, self.partner_client_secret, self.partner_tenant_id, ""),
        )
        found = []
        for client, secret, home, object in applications:
            for tenant in dict.fromkeys((home, self.tenant_id, self.partner_tenant_id)):
                if client == self.colleague_client_id and tenant != home:
                    continue
                owns = {one for one, its in self.subscriptions.items() if its == tenant == home and client != self.colleague_client_id}
                id = object if object and tenant == home else str(uuid5(NAMESPACE_URL, f"{tenant}/{client}"))
                found.append(Principal(tenant, client, id, secret, frozenset(owns)))
        return tuple(found)

    @property
    def main(self) -> Principal:
        return self.principals[0]

    @property
    def colleague(self) -> Principal:
        return self.find(self.tenant_id, self.colleague_client_id)

    @property
    def partner(self) -> Principal:
        return self.find(self.partner_tenant_id, self.partner_client_id)

    def find(self, tenant_id: str, client_id: str) -> Principal:
        """An application's service principal in a tenant. Raises KeyError where there is none."""
        for one in self.principals:
            if (one.tenant_id, one.client_id) == (tenant_id, client_id):
                return one
        raise KeyError(f"no service principal of '{client_id}' in the tenant '{tenant_id}'")

    def tenant_of(self, subscription: str) -> str | None:
        """A subscription's tenant, whatever the case of its letters; None for an unknown one."""
        return self.subscriptions.get(subscription.lower())

    def owns(self, object_id: str, subscription: str) -> bool:
        """Whether the principal may do everything in the subscription."""
        return any(one.object_id == object_id and subscription.lower() in one.owns for one in self.principals)

    def settings(self) -> dict[str, str]:
        """As data, for `identity.json`."""
        return asdict(self)
