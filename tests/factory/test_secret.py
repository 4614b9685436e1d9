from __future__ import annotations

import pytest

from include.factory.secret import secret_in_value, secret_under_name


@pytest.mark.parametrize(
    "name",
    ["PASSWORD", "db_password", "adminPassword", "API_KEY", "apiKey", "SAS", "ACCESS_TOKEN", "client-secret", "SSH_PRIVATE_KEY", "KEY"],
)
def test_a_literal_under_the_name_of_a_secret_is_one(name: str) -> None:
    assert secret_under_name(name, "x")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEY_VAULT_NAME", "kv-images"),
        ("SSH_PUBLIC_KEY", "ssh-ed25519 AAAA"),
        ("PASSWORD_FILE", "/etc/app/password"),
        ("SECRET_NAME", "database"),
        ("KEYBOARD", "us"),
        ("MONKEY", "yes"),
        ("PASSWORD", ""),
        ("URL", "https://example.com/path?signature=none"),
        ("PROXY", "http://user:${PASSWORD}@proxy"),
    ],
)
def test_what_only_points_at_a_secret_is_none(name: str, value: str) -> None:
    assert secret_under_name(name, value) is None


@pytest.mark.parametrize(
    "value",
    [
        "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijkl",
        "ghp_0123456789abcdefABCDEF",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "Endpoint=sb://x/;SharedAccessKey=abc",
    ],
)
def test_a_secret_is_known_by_its_shape_wherever_it_stands(value: str) -> None:
    assert secret_in_value(f"echo '{value}'")
