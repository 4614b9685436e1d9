"""Airflow's configuration for one demo, by environment variables alone: there is no airflow.cfg to keep in step."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from include.demo.settings import PROJECT, USER, Settings, write_private

CONNECTION = "AIRFLOW_CONN_AZURE_IMAGE_FACTORY"


def base_environment(settings: Settings) -> dict[str, str]:
    """What every component gets: this process's environment without another Airflow's settings, and this project on the import path,
    before any other copy of it that may be installed."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "AIRFLOW__", "PYTHONPATH"))}
    if settings.recipes is not None:
        inherited["IMAGE_FACTORY_RECIPES"] = str(settings.recipes)
    return {**inherited, "PYTHONPATH": os.pathsep.join((str(PROJECT), str(PROJECT / "plugins"))), "PYTHONUNBUFFERED": "1"}


def airflow_environment(settings: Settings, database_urls: tuple[str, str | None]) -> dict[str, str]:
    """The settings of Airflow.

    :param database_urls: of the metadata database, for the synchronous and the asynchronous driver (None: Airflow derives it).
    """
    secrets = settings.secrets()
    home = settings.state / "airflow"
    url, async_url = database_urls
    values = {
        "CORE__DAGS_FOLDER": str(settings.dags),
        "CORE__PLUGINS_FOLDER": str(settings.plugins),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": str(settings.parallelism),
        # A thousand builds may wait for Azure at once; they hold no worker, so the usual limits would only hold them back.
        "CORE__MAX_ACTIVE_TASKS_PER_DAG": "1000",
        "CORE__MAX_ACTIVE_RUNS_PER_DAG": "200",
        "CORE__DEFAULT_POOL_TASK_SLOT_COUNT": "1000",
        "CORE__FERNET_KEY": secrets.fernet_key,
        "CORE__TEST_CONNECTION": "Enabled",
        "CORE__EXECUTION_API_SERVER_URL": f"{settings.url}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "API__HOST": "127.0.0.1",
        "API__PORT": str(settings.api_port),
        "API__BASE_URL": settings.url,
        "API__SECRET_KEY": secrets.secret_key,
        "API__INSTANCE_NAME": "Azure Image Factory",
        # An error is a paragraph, with its cure at the end: it must be read without scrolling to the right.
        "API__DEFAULT_WRAP": "true",
        "API_AUTH__JWT_SECRET": secrets.jwt_secret,
        "DATABASE__SQL_ALCHEMY_CONN": url,
        # A step ends in a tenth of a second; the scheduler should not sleep a second before the next.
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        # Five seconds, the default, fail a task where many tasks begin at once on two busy cores.
        "WORKERS__EXECUTION_API_TIMEOUT": "60",
        # How long a worker may sleep on after its task has ended (Airflow 3.3.2 misses the end of a task whose pipes close before it is
        # gone). Five seconds, the default, keep its slot, and fail an approval that is answered just then.
        "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        # A new recipe or DAG file shows up within seconds, at the price of one short parse.
        "DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "TRIGGERER__CAPACITY": "2000",
        "LOGGING__BASE_LOG_FOLDER": str(settings.logs / "tasks"),
        "LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(settings.logs / "dag_files"),
        "LOGGING__COLORED_CONSOLE_LOG": "False",
        # Showing progress asks the API server every second; those lines would bury the others.
        "LOGGING__NAMESPACE_LEVELS": "http.access=WARNING",
        "LOGGING__UVICORN_LOGGING_LEVEL": "WARNING",
    }
    if async_url:
        values["DATABASE__SQL_ALCHEMY_CONN_ASYNC"] = async_url
    return {"AIRFLOW_HOME": str(home), **{f"AIRFLOW__{name}": value for name, value in values.items()}, **settings.overrides}


def prepare_home(settings: Settings) -> None:
    """Make Airflow's folders and the password file of SimpleAuthManager."""
    home = settings.state / "airflow"
    for folder in (home, settings.logs / "tasks", settings.logs / "dag_files"):
        folder.mkdir(parents=True, exist_ok=True)
    write_private(home / "passwords.json", json.dumps({USER: settings.secrets().password}))


def airflow_connection(sandbox: dict[str, Any]) -> str:
    """The Airflow connection that points at a sandbox, as JSON for :data:`CONNECTION`.

    :param sandbox: what ``python -m include.sandbox connection`` prints.
    """
    return json.dumps(
        {
            "conn_type": "azure_image_factory",
            "login": sandbox["client_id"],
            "password": sandbox["client_secret"],
            "extra": {
                "tenantId": sandbox["tenant_id"],
                "subscriptionId": sandbox["subscription_id"],
                "authority": sandbox["authority"],
                "endpoint": sandbox["endpoint"],
                "ca_file": sandbox["ca_file"],
            },
        }
    )


def environment_file(state: Path) -> Path:
    """Where the environment of Airflow's components lies: the supervisor is started before all of it is known."""
    return state / "environment.json"
