"""What nobody may read, wherever an Airflow has written: after all other tests of it."""

from __future__ import annotations

import pytest

from tests.end_to_end.conftest import Factory
from tests.workers import AIRFLOWS

pytestmark = [pytest.mark.airflow, pytest.mark.looks_back, pytest.mark.parametrize("airflow", AIRFLOWS)]


def secrets(factory: Factory) -> list[str]:
    """Of whoever signs in, in both tenants."""
    names = ("client_secret", "colleague_client_secret", "partner_client_secret")
    return [str(factory.airflow.stack.connection[name]) for name in names]


def test_a_secret_is_in_no_log(factory: Factory, airflow: str) -> None:
    files = [path for path in factory.airflow.settings.logs.rglob("*") if path.is_file()]

    assert len(files) > 100, f"the other tests of the {airflow} were not run"
    assert [path for path in files for secret in secrets(factory) if secret.encode() in path.read_bytes()] == []


def test_a_secret_is_in_no_row_of_the_database(factory: Factory, airflow: str) -> None:
    """XCom, rendered fields and trigger rows among them."""
    with factory.airflow.database() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'")
        tables = [row[0] for row in cursor.fetchall()]
        assert {"xcom", "trigger", "rendered_task_instance_fields"} <= set(tables)
        found = []
        for table in tables:
            for secret in secrets(factory):
                cursor.execute(f'SELECT count(*) FROM "{table}" AS row WHERE position(%s in row::text) > 0', (secret,))
                found += [table] if cursor.fetchone()[0] else []

    assert found == []
