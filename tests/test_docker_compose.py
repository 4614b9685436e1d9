"""docker-compose.yaml, as far as it can be judged without a container engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest
import yaml

from include.demo.settings import PROJECT

COMPOSE = PROJECT / "docker-compose.yaml"
COMPONENTS = {
    "airflow-apiserver": "api-server",
    "airflow-scheduler": "scheduler",
    "airflow-dag-processor": "dag-processor",
    "airflow-triggerer": "triggerer",
    "airflow-worker": "celery worker",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


def check_schema(text: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "--default-filetype", "yaml", "-"]
    return subprocess.run(command, input=text, text=True, capture_output=True, check=False)


def test_it_is_valid_by_the_compose_specification() -> None:
    checked = check_schema(COMPOSE.read_text())
    assert checked.returncode == 0, checked.stdout


def test_the_schema_refuses_a_misspelled_key() -> None:
    assert check_schema(COMPOSE.read_text().replace("healthcheck:", "healthchek:")).returncode == 1


def test_every_component_runs_and_is_watched(compose: dict[str, Any]) -> None:
    for name, command in COMPONENTS.items():
        service = compose["services"][name]
        assert service["command"] == command
        assert service["healthcheck"]["test"]
        assert service["restart"] == "always"
    assert compose["services"]["airflow-apiserver"]["environment"]["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"


def test_only_the_sandbox_is_under_a_profile(compose: dict[str, Any]) -> None:
    assert {name for name, service in compose["services"].items() if service.get("profiles") == ["sandbox"]} == {
        "sandbox",
        "sandbox-connection",
    }
    assert {name for name, service in compose["services"].items() if "profiles" not in service} == {
        "postgres", "redis", "airflow-init", *COMPONENTS,
    }  # fmt: skip


def test_every_service_waits_only_for_services_and_conditions_that_exist(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in services, f"{name} waits for {needed}"
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[needed], f"{name} waits for the health of {needed}"


def test_the_environment_sample_has_every_variable_and_no_other() -> None:
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", COMPOSE.read_text()))
    documented = set(re.findall(r"^([A-Z_]+)=", (PROJECT / ".env.example").read_text(), flags=re.MULTILINE))
    assert used == documented


def test_no_secret_has_a_default(compose: dict[str, Any]) -> None:
    for name in ("POSTGRES_PASSWORD", "FERNET_KEY", "JWT_SECRET", "API_SECRET_KEY", "ADMIN_PASSWORD"):
        uses = re.findall(rf"(?<!\$)\$\{{{name}([^}}]*)\}}", COMPOSE.read_text())
        assert uses
        assert all(use.startswith(":?") for use in uses)


def test_the_image_is_of_the_airflow_that_is_pinned() -> None:
    pinned = re.search(r"^apache-airflow==(\S+)", (PROJECT / "requirements.txt").read_text(), flags=re.MULTILINE)
    assert pinned
    assert f"FROM apache/airflow:{pinned[1]}-python3.11\n" in (PROJECT / "docker" / "Dockerfile").read_text()


def test_the_executor_starts_with_what_is_pinned() -> None:
    pinned = re.search(r"^celery==(\S+)", (PROJECT / "requirements.txt").read_text(), flags=re.MULTILINE)
    assert pinned
    if version("celery") != pinned[1]:
        pytest.skip(f"celery {version('celery')} is installed, and {pinned[1]} is pinned: make install")
    ask = "from airflow.providers.celery.executors.celery_executor import app; print(app.conf.broker_url, app.conf.result_backend)"
    settings = {
        "AIRFLOW__CELERY__BROKER_URL": "redis://redis:6379/0",
        "AIRFLOW__CELERY__RESULT_BACKEND": "db+postgresql://a:b@postgres/airflow",
    }
    ran = subprocess.run([sys.executable, "-c", ask], env={**os.environ, **settings}, capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines()[-1:] == [" ".join(settings.values())], ran.stderr


def test_the_sandboxs_connection_becomes_airflows() -> None:
    sandbox = {
        name: name.upper() for name in ("endpoint", "authority", "tenant_id", "subscription_id", "client_id", "client_secret", "ca_file")
    }
    command = [sys.executable, "-m", "include.demo", "connection"]
    printed = subprocess.run(command, input=json.dumps(sandbox), cwd=PROJECT, text=True, capture_output=True, check=True).stdout
    assert json.loads(printed) == {
        "conn_type": "azure_image_factory",
        "login": "CLIENT_ID",
        "password": "CLIENT_SECRET",
        "extra": {
            "tenantId": "TENANT_ID",
            "subscriptionId": "SUBSCRIPTION_ID",
            "authority": "AUTHORITY",
            "endpoint": "ENDPOINT",
            "ca_file": "CA_FILE",
        },
    }
