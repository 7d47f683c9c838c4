"""The owner that compose.yaml's PostgreSQL is given: no superuser, and yet all that the migration needs."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from api.embedded import Postgres
from api.installation import account_for, postgres_programs
from events.connections import connect
from events.migrations.upgrade import migrate

SCRIPT = Path(__file__).parents[2] / "docs" / "compose" / "make-owner.sh"
PASSWORD = "it's a \\ password"


async def rows(url: str, question: str) -> list[tuple[object, ...]]:
    connection = await connect(url, "tests")
    try:
        return [tuple(row) for row in await connection.fetch(question)]
    finally:
        await connection.close()


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_the_owner_can_migrate_and_is_no_superuser(tmp_path) -> None:
    server = Postgres(tmp_path / "data", superuser_password="superuser", owner_password="other", durable=False)
    server.start()
    try:
        # The image makes the script's owner in a cluster that has none; this cluster has one of the same name.
        server.drop("muster")
        as_superuser = f"postgresql://postgres:superuser@127.0.0.1:{server.port}/postgres"
        asyncio.run(rows(as_superuser, "DROP ROLE muster"))
        subprocess.run(
            ["sh", str(SCRIPT)],
            env={
                "PATH": f"{postgres_programs(account_for(tmp_path))}:{os.environ['PATH']}",
                "PGHOST": "127.0.0.1",
                "PGPORT": str(server.port),
                "PGPASSWORD": "superuser",
                "OWNER_PASSWORD": PASSWORD,
            },
            check=True,
        )
        owner = f"postgresql://muster:it%27s%20a%20%5C%20password@127.0.0.1:{server.port}/muster"
        assert asyncio.run(migrate(owner, b"a secret of tests, 32 bytes long"))
        assert not asyncio.run(migrate(owner, b"a secret of tests, 32 bytes long"))
        assert asyncio.run(rows(owner, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")) == [(False,)]
        provider = "SELECT datlocprovider::text, datlocale FROM pg_database WHERE datname = 'muster'"
        assert asyncio.run(rows(owner, provider)) == [("b", "C.UTF-8")]
    finally:
        server.stop()
