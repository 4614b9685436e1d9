"""One file per resource family. Importing a family registers its types."""

from __future__ import annotations

from importlib import import_module

FAMILIES = (
    "subscriptions",
    "providers",
    "groups",
    "features",
    "resource_lists",
    "tags",
    "identities",
    "locks",
    "roles",
    "deployments",
    "virtual_networks",
    "subnets",
    "peerings",
    "security_groups",
    "public_addresses",
    "network_usages",
    "application_security_groups",
    "route_tables",
    "nat_gateways",
    "load_balancers",
    "network_offers",
    "interfaces",
    "disks",
    "storage_accounts",
    "vaults",
    "vault_keys",
    "encryption_sets",
    "disk_accesses",
    "restore_points",
    "availability",
    "aliases",
    "marketplace",
    "agreements",
    "extension_images",
    "sizes",
    "log_analytics",
    "skus",
    "virtual_machines",
    "machine_provisioning",
    "power",
    "guest_effects",
    "attachments",
    "capture",
    "maintenance",
    "run_commands",
    "run_command_documents",
    "extensions",
    "images",
    "galleries",
    "definitions",
    "applications",
    "application_versions",
    "soft_delete",
    "shared_images",
    "resource_graph",
    "scale_sets",
    "scale_set_power",
    "rolling_upgrades",
    "automatic_upgrades",
    "versions",
)


def load_families() -> None:
    """Import every family, once."""
    for family in FAMILIES:
        import_module(f".{family}", __name__)
