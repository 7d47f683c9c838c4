"""A backup as the documentation describes it, restored into a new cluster: the same log, the same keys, the same link."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from api.embedded import Postgres
from api.installation import account_for, postgres_programs
from api.migrating import migrated
from events.connections import connect
from events.migrations.roles import ROLES, role_url
from settings import Settings, key_bytes, load
from tests.deployment.test_compose import ENVIRONMENT


def settings(database_url: str) -> Settings:
    """Those of an operator whose database is there."""
    return load(
        {
            "MUSTER_DATABASE_URL": database_url,
            "MUSTER_REDIS_URL": "redis://valkey",
            "MUSTER_SMTP_URL": "smtp://mail",
            "MUSTER_BASE_URL": "https://users.example.com",
            "MUSTER_MAIL_FROM": ENVIRONMENT["MUSTER_MAIL_FROM"],
            "MUSTER_MASTER_KEY": ENVIRONMENT["MUSTER_MASTER_KEY"],
            "MUSTER_SECRET": ENVIRONMENT["MUSTER_SECRET"],
        }
    )


async def answer(url: str, question: str) -> object:
    connection = await connect(url, "tests")
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def as_superuser(server: Postgres, database: str = "muster") -> str:
    return f"postgresql://postgres:superuser@127.0.0.1:{server.port}/{database}"


@pytest.fixture
def clusters(tmp_path: Path):
    """Two clusters; the second knows nothing of the first."""
    servers = [Postgres(tmp_path / name, superuser_password="superuser", durable=False) for name in ("old", "new")]
    for server in servers:
        server.start()
    yield servers
    for server in servers:
        server.stop()


def test_a_restored_copy_goes_on(clusters, tmp_path: Path) -> None:
    old, new = clusters
    programs = postgres_programs(account_for(tmp_path))
    link = asyncio.run(migrated(settings(old.url)))
    assert link

    dump = tmp_path / "muster.dump"
    subprocess.run([programs / "pg_dump", "--format=custom", f"--file={dump}", as_superuser(old)], check=True)
    for role in ROLES:
        asyncio.run(answer(as_superuser(new), f"CREATE ROLE muster_{role} LOGIN"))
        asyncio.run(answer(as_superuser(new), f"GRANT muster_{role} TO muster WITH ADMIN OPTION"))
    restored = subprocess.run(
        [programs / "pg_restore", f"--dbname={as_superuser(new)}", str(dump)], capture_output=True, text=True
    )
    assert restored.returncode == 0, restored.stderr

    assert asyncio.run(migrated(settings(new.url))) == link
    assert asyncio.run(answer(new.url, "SELECT count(*) FROM stored_events")) == 1
    writer = role_url(new.url, "writer", key_bytes(settings(new.url).secret))
    assert asyncio.run(answer(writer, "SELECT count(*) FROM signing_keys")) == 1
    with pytest.raises(Exception, match="append-only"):
        asyncio.run(answer(new.url, "DELETE FROM stored_events"))
