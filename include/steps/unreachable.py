"""Why no request could be sent: names that nobody knows, certificates that nobody trusts, ports where nobody listens, proxies that refuse.

What a person must put right fails at once; an outage is waited out. The two differ in what the resolver, TLS and the proxy say.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any

from include.steps.errors import StepError

_AGAIN = "Nothing: it is tried again. If it lasts, check the connection's endpoint and authority, and this machine's DNS and proxy."
_NO_NAME = (
    "Correct cloud (or endpoint and authority) in the connection; where they are right, this machine's DNS does not know Azure: "
    "a network without a way out needs a proxy (HTTPS_PROXY)."
)
_UNTRUSTED = (
    "Name in the connection's ca_file the PEM file of the authority that signed the certificate: the sandbox's ca.pem, or that of a proxy "
    "that looks into TLS, together with the public ones."
)
_OTHER_NAME = "Write endpoint and authority of the connection with the host name that the certificate is for."
_EXPIRED = "Have the certificate renewed, or check this machine's clock."
_NO_TLS = "Correct endpoint and authority in the connection: the port must speak https."
_PROXY = "Let the proxy (HTTPS_PROXY) open that host, name it in NO_PROXY, or correct cloud (or endpoint and authority) in the connection."
_PROXY_SIGN_IN = "Give the proxy's user and password: HTTPS_PROXY=http://user:password@host:port."

# getaddrinfo's "there is no such name". EAI_AGAIN, the resolver did not answer, is an outage.
_NAMELESS = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}

# https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/
_EXPIRY = {9, 10}  # not yet valid, expired
_HOST = {62, 64}  # host name, IP address mismatch

# Hosts that have answered this process: a name that was known and is not for a moment is an outage of the resolver's.
_answered: set[str] = set()


def has_answered(host: str | None) -> None:
    """Remember a host that is there."""
    if host:
        _answered.add(host)


def why_unreachable(error: Exception) -> StepError | None:
    """The error of a request that found no way to its host; None when `error` (azure-core's, or what it was raised from) is another one.

    Kind ``permanent`` when only a person can change it: no such name (nor was there one before), no trust in the certificate, no TLS, a
    proxy that refuses.
    """
    cause: Any = getattr(error, "inner_exception", None) or error
    host, port = getattr(cause, "host", None), getattr(cause, "port", None)
    place = f"{host}:{port}" if host else "the host"
    # aiohttp: what went wrong with the certificate, or with the socket.
    reason = getattr(cause, "certificate_error", None) or getattr(cause, "os_error", None) or cause
    if isinstance(reason, ssl.SSLCertVerificationError):
        cure = _OTHER_NAME if reason.verify_code in _HOST else _EXPIRED if reason.verify_code in _EXPIRY else _UNTRUSTED
        return StepError("permanent", "CertificateNotTrusted", f"The certificate of {place} is not trusted: {reason.verify_message}", cure)
    if isinstance(reason, ssl.SSLError) and reason.reason == "WRONG_VERSION_NUMBER":
        return StepError("permanent", "NoTls", f"{place} does not speak TLS", _NO_TLS)
    if isinstance(reason, socket.gaierror) and reason.errno in _NAMELESS and host not in _answered:
        return StepError("permanent", "HostNotFound", f"There is no host {host or 'of that name'}: {reason.strerror}", _NO_NAME)
    refused = getattr(cause, "status", None) if type(cause).__name__ == "ClientHttpProxyError" else None
    if refused is not None:
        said = f"The proxy did not open {_target(cause)}: {getattr(cause, 'message', '')}"
        if refused == 407:
            return StepError("permanent", "ProxyRefused", said, _PROXY_SIGN_IN, status=refused)
        return StepError("transient" if refused >= 500 else "permanent", "ProxyRefused", said, _PROXY, status=refused)
    if isinstance(reason, OSError) and host:
        return StepError("transient", "ServiceUnreachable", f"No connection to {place}: {reason.strerror or reason}", _AGAIN)
    return None


def no_connection(error: Exception) -> StepError:
    """The error of a request that was not sent, whatever the reason."""
    return why_unreachable(error) or StepError("transient", "ServiceUnreachable", f"No connection to Azure: {error}", _AGAIN)


def _target(error: Any) -> str:
    """The host that the proxy was asked to open: the request that aiohttp tells of is the one to the proxy itself."""
    headers = getattr(getattr(error, "request_info", None), "headers", None) or {}
    return str(headers.get("Host") or "the host")
