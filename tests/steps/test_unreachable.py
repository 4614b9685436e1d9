"""A request that finds no way to its host: an outage is waited out, and what a person must put right is said at once."""

from __future__ import annotations

import socket
import ssl
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientConnectorCertificateError, ClientConnectorDNSError, ClientConnectorError, ClientHttpProxyError
from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError
from azure.core.rest import HttpRequest

from include.steps.arm_error import of_exception
from include.steps.retry import PatientRetryPolicy

KEY = SimpleNamespace(host="arm.example.com", port=443, ssl=True, is_ssl=True)


def unknown_name(errno: int) -> AzureError:
    cause = ClientConnectorDNSError(KEY, socket.gaierror(errno, "as the resolver says it"))  # type: ignore[arg-type]  # a stand-in
    return ServiceRequestError(cause, error=cause)


def untrusted(code: int) -> AzureError:
    reason = ssl.SSLCertVerificationError(1, "certificate verify failed")
    reason.verify_code, reason.verify_message = code, "as OpenSSL says it"
    cause = ClientConnectorCertificateError(KEY, reason)  # type: ignore[arg-type]
    return ServiceRequestError(cause, error=cause)


def refused() -> AzureError:
    cause = ClientConnectorError(KEY, ConnectionRefusedError(111, "Connection refused"))  # type: ignore[arg-type]
    return ServiceRequestError(cause, error=cause)


def by_proxy(status: int) -> AzureError:
    request: Any = SimpleNamespace(headers={"Host": "arm.example.com"}, real_url="http://proxy")
    cause = ClientHttpProxyError(request, (), status=status, message="No way")
    return ServiceResponseError(cause, error=cause)


@pytest.mark.parametrize(
    ("error", "kind", "code", "cure"),
    [
        (unknown_name(socket.EAI_NONAME), "permanent", "HostNotFound", "Correct cloud (or endpoint and authority)"),
        (unknown_name(socket.EAI_AGAIN), "transient", "ServiceUnreachable", "tried again"),
        (untrusted(20), "permanent", "CertificateNotTrusted", "ca_file"),
        (untrusted(10), "permanent", "CertificateNotTrusted", "this machine's clock"),
        (untrusted(62), "permanent", "CertificateNotTrusted", "the host name that the certificate is for"),
        (refused(), "transient", "ServiceUnreachable", "tried again"),
        (by_proxy(403), "permanent", "ProxyRefused", "NO_PROXY"),
        (by_proxy(407), "permanent", "ProxyRefused", "user and password"),
        (by_proxy(502), "transient", "ProxyRefused", "HTTPS_PROXY"),
    ],
)
def test_each_reason_has_its_kind_and_its_cure(error: AzureError, kind: str, code: str, cure: str) -> None:
    step_error = of_exception(error)

    assert (step_error.kind, step_error.code) == (kind, code)
    assert cure in step_error.cure
    assert "arm.example.com" in step_error.message
    assert "object at 0x" not in str(step_error)


@pytest.mark.parametrize(("error", "again"), [(unknown_name(socket.EAI_NONAME), False), (by_proxy(403), False), (refused(), True)])
def test_only_an_outage_is_tried_again(error: AzureError, again: bool) -> None:
    policy = PatientRetryPolicy()
    request = SimpleNamespace(http_request=HttpRequest("GET", "https://arm.example.com"))

    assert policy.increment(policy.configure_retries({}), response=request, error=error) is again


def test_a_name_that_was_known_a_moment_ago_is_an_outage_of_the_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("include.steps.unreachable._answered", set())
    assert of_exception(unknown_name(socket.EAI_NONAME)).kind == "permanent"

    policy = PatientRetryPolicy()
    response = SimpleNamespace(
        http_request=HttpRequest("GET", "https://arm.example.com/subscriptions"), http_response=SimpleNamespace(status_code=200)
    )
    assert not policy.is_retry(policy.configure_retries({}), response)

    assert of_exception(unknown_name(socket.EAI_NONAME)).kind == "transient"
