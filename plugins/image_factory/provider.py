"""What Airflow's provider registry is told about this project: one connection type with its form.

Only an installed provider may register a connection type, so the project installs itself as one (entry point ``apache_airflow_provider`` in
``pyproject.toml``). The form is declared here and not in the hook, so that the API server draws it without importing the hook.
"""

from __future__ import annotations

from typing import Any

CLOUDS = ("AzureCloud", "AzureUSGovernment", "AzureChinaCloud")
IDENTITIES = ("service_principal", "managed_identity", "workload_identity", "default")


def get_provider_info() -> dict[str, Any]:
    """Return the provider description in the shape of ``airflow/provider_info.schema.json``."""
    return {
        "package-name": "azure-image-factory",
        "name": "Azure Image Factory",
        "description": "Image factories on Azure: build, test, publish and replicate VM images.",
        "connection-types": [
            {
                "connection-type": "azure_image_factory",
                "hook-class-name": "image_factory.hooks.azure.AzureImageFactoryHook",
                "hook-name": "Azure Image Factory",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "host", "extra"],
                    "relabeling": {"login": "Client ID", "password": "Client secret"},
                    "placeholders": {
                        "login": "service principal: application id; managed or workload identity: client id of the identity, or empty",
                        "password": "service principal only; with a certificate: the password of its key, or empty",
                    },
                },
                "conn-fields": {
                    "subscriptionId": _text("Subscription ID", "The subscription in which machines are built and galleries live."),
                    "tenantId": _text("Tenant ID", "The directory of the service principal or workload identity."),
                    "auxiliaryTenantIds": _text(
                        "Auxiliary tenant IDs", "Other tenants whose images are read, with commas; the application must be multi-tenant."
                    ),
                    "identity": {
                        "label": "Identity",
                        "description": "Empty: service principal with a client secret or certificate, else the default credential chain.",
                        "schema": {"type": ["string", "null"], "enum": [*IDENTITIES, None]},
                    },
                    "cloud": {
                        "label": "Cloud",
                        "description": "Empty: the public cloud.",
                        "schema": {"type": ["string", "null"], "enum": [*CLOUDS, None]},
                    },
                    "endpoint": _text("Resource Manager endpoint", "Only for a custom cloud or the sandbox: https://host:port"),
                    "authority": _text("Authority", "Only for a custom cloud or the sandbox: https://host:port"),
                    "certificate_file": _text(
                        "Certificate file",
                        "Instead of a client secret: PEM or PKCS12 file with certificate and key, on every Airflow machine.",
                    ),
                    "ca_file": _text("CA file", "PEM file that signs the custom endpoint's certificate, on every Airflow machine."),
                },
            }
        ],
    }


def _text(label: str, description: str) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"]}}
