"""The connection: its fields checked, its secret kept, its test honest."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.sdk import Connection
from cryptography.hazmat.primitives.serialization import Encoding

from image_factory.hooks.azure import AzureSettings, shared_clients
from image_factory.provider import get_provider_info
from include.steps.errors import StepError
from tests.signing_key import SigningKey


def _connection(extra: dict[str, str] | None = None, **fields: str | None) -> Connection:
    fields = {"login": "client", "password": "hunter2hunter2", **fields}
    extra = {"tenantId": "tenant", "subscriptionId": "subscription"} if extra is None else extra
    return Connection(conn_id="azure", conn_type="azure_image_factory", extra=json.dumps(extra), **fields)  # type: ignore[arg-type]  # Any


def test_a_service_principal_needs_no_more_than_four_fields() -> None:
    settings = AzureSettings.of(_connection())

    assert settings.identity == "service_principal"
    assert settings.endpoint == "https://management.azure.com"
    assert settings.authority == "https://login.microsoftonline.com"


def test_without_a_secret_the_default_credential_chain_is_used() -> None:
    assert AzureSettings.of(_connection(login=None, password=None)).identity == "default"


@pytest.mark.parametrize(
    ("cloud", "endpoint"),
    [("AzureUSGovernment", "https://management.usgovcloudapi.net"), ("AzureChinaCloud", "https://management.chinacloudapi.cn")],
)
def test_a_sovereign_cloud_has_its_own_endpoints(cloud: str, endpoint: str) -> None:
    settings = AzureSettings.of(_connection({"tenantId": "t", "subscriptionId": "s", "cloud": cloud}))

    assert settings.endpoint == endpoint
    assert "microsoftonline.com" not in settings.authority


def test_every_problem_of_a_connection_is_reported_at_once() -> None:
    with pytest.raises(StepError, match="Connection 'azure'") as raised:
        AzureSettings.of(_connection({"cloud": "Mars", "identity": "password", "endpoint": "http://here", "ca_file": "/no/such/file"}))

    for field in ("cloud", "identity", "subscriptionId", "endpoint", "ca_file"):
        assert f"{field}:" in str(raised.value)


def test_a_service_principal_without_a_tenant_is_refused() -> None:
    with pytest.raises(StepError, match="tenantId: missing; a service principal needs it"):
        AzureSettings.of(_connection({"subscriptionId": "s"}))


def test_the_secret_is_not_in_what_is_printed() -> None:
    settings = AzureSettings.of(_connection())

    assert "hunter2" not in repr(settings)
    assert "hunter2" not in settings.key()


def test_a_rotated_secret_makes_new_clients() -> None:
    assert AzureSettings.of(_connection()).key() != AzureSettings.of(_connection(password="another-secret")).key()


def test_a_custom_endpoint_keeps_its_ca_file(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(SigningKey().certificate(datetime.now(UTC)).public_bytes(Encoding.PEM))

    settings = AzureSettings.of(
        _connection(
            {
                "tenantId": "t",
                "subscriptionId": "s",
                "endpoint": "https://localhost:1/",
                "authority": "https://localhost:1",
                "ca_file": str(ca),
            }
        )
    )

    assert (settings.endpoint, settings.ca_file) == ("https://localhost:1", str(ca))


def test_airflow_accepts_what_the_provider_declares() -> None:
    from importlib.resources import files

    from jsonschema import validate

    validate(get_provider_info(), json.loads(files("airflow").joinpath("provider_info.schema.json").read_text()))


def test_an_application_of_several_tenants_sends_a_token_of_each() -> None:
    extra = {"tenantId": "t", "subscriptionId": "s", "auxiliaryTenantIds": "u, v"}
    settings = AzureSettings.of(_connection(extra))

    assert settings.auxiliary_tenant_ids == ("u", "v")
    assert settings.key() != AzureSettings.of(_connection({"tenantId": "t", "subscriptionId": "s"})).key()


@pytest.mark.parametrize(
    ("extra", "fields", "said"),
    [
        ({"auxiliaryTenantIds": "a,b,c,d"}, {}, "4 tenants, and Azure takes 3 beside the first"),
        ({"auxiliaryTenantIds": "a", "identity": "managed_identity"}, {"password": None}, "a managed_identity has one tenant only"),
    ],
)
def test_auxiliary_tenants_that_cannot_be_are_refused(extra: dict[str, str], fields: dict[str, None], said: str) -> None:
    with pytest.raises(StepError, match=f"auxiliaryTenantIds: {said}"):
        AzureSettings.of(_connection({"tenantId": "t", "subscriptionId": "s", **extra}, **fields))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"tenantid": "t"}, "tenantid: the field is unknown; write tenantId"),
        ({"subscription_id": "s"}, "subscription_id: the field is unknown; write subscriptionId"),
        ({"shade": "red"}, "shade: the field is unknown; extra holds authority, "),
        ({"tenantId": "our tenant"}, "tenantId: 'our tenant' is neither an id nor a domain"),
        ({"ca_file": __file__}, "holds no certificate"),
    ],
)
def test_a_field_that_is_written_wrong_is_named_with_the_right_one(written: dict[str, str], said: str) -> None:
    with pytest.raises(StepError, match="Correct the connection azure") as raised:
        AzureSettings.of(_connection({"tenantId": "t", "subscriptionId": "s", **written}))

    assert said in str(raised.value)
    assert (raised.value.kind, raised.value.code) == ("permanent", "InvalidConnection")


def test_a_workload_identity_needs_the_file_of_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_FEDERATED_TOKEN_FILE", raising=False)
    with pytest.raises(StepError, match="identity: a workload_identity needs AZURE_FEDERATED_TOKEN_FILE"):
        AzureSettings.of(_connection({"tenantId": "t", "subscriptionId": "s", "identity": "workload_identity"}, password=None))


def test_a_file_without_a_certificate_is_refused_by_the_name_of_its_field() -> None:
    settings = AzureSettings.of(_connection({"tenantId": "t", "subscriptionId": "s", "certificate_file": __file__}))
    with pytest.raises(StepError, match=r"certificate_file: .*give a PEM or PKCS12 file with certificate and key"):
        settings.connect()


def test_a_connection_that_is_not_there_is_told_how_to_make_it() -> None:
    with pytest.raises(StepError, match=r"There is no Airflow connection 'nowhere'.*AIRFLOW_CONN_NOWHERE") as raised:
        AzureSettings.named("nowhere")

    assert raised.value.kind == "permanent"


async def test_triggers_that_start_at_once_share_one_set_of_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"login": "client", "password": "secret", "extra": {"tenantId": "t", "subscriptionId": "s"}}
    monkeypatch.setenv("AIRFLOW_CONN_SHARED", json.dumps({"conn_type": "azure_image_factory", **fields}))
    first, *others = await asyncio.gather(*(shared_clients("shared") for _ in range(5)))
    assert all(clients is first for clients in others)
    await first.close()
