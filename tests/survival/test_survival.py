"""What must hold whatever dies: a whole `muster up` of real processes, durable, under load, and real kills."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from msgspec import Struct

from tests.support import until
from tests.up.processes import MUSTER, Up

PASSWORD = "four oars and a lantern"
TOKEN = re.compile(r"^[A-Za-z0-9_-]{60,}$", re.MULTILINE)


class House(Struct):
    """A running Muster and how to reach its parts."""

    up: Up
    parts: dict[str, Any]
    client: httpx.AsyncClient

    def kill(self, name: str) -> None:
        """SIGKILL a process of it."""
        os.kill(self.parts["pids"][name], signal.SIGKILL)

    async def query(self, sql: str, *arguments: Any) -> list[Any]:
        """Ask the database as its owner."""
        connection = await asyncpg.connect(self.parts["database"])
        try:
            rows: list[Any] = await connection.fetch(sql, *arguments)
            return rows
        finally:
            await connection.close()

    async def register(self, email: str) -> httpx.Response:
        """Ask to become a user."""
        return await self.client.post("/v1/users", json={"email": email, "password": PASSWORD})

    def mails(self) -> list[Any]:
        """All mail that arrived."""
        folder = Path(self.parts["mail"]) / "new"
        return [message_from_bytes(path.read_bytes(), policy=default) for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Up, dict[str, Any]]]:
    # Hundreds register from this one address.
    limits = ("REGISTRATION_BY_ADDRESS", "REGISTRATION_BY_ACCOUNT", "VERIFICATION_BY_ADDRESS")
    unlimited = dict.fromkeys((f"MUSTER_LIMIT_{name}" for name in limits), "none")
    with Up(tmp_path_factory.mktemp("survival") / "data", command=MUSTER, environ=unlimited) as running:
        yield running, running.ready()
        assert running.stop() == 0


@pytest.fixture
async def house(up: tuple[Up, dict[str, Any]]) -> AsyncIterator[House]:
    running, parts = up
    async with httpx.AsyncClient(base_url=parts["api"], timeout=30) as client:
        yield House(running, parts, client)


async def under_load(
    house: House, name: str, disturb: Callable[[], Awaitable[None]]
) -> tuple[dict[str, str], set[int]]:
    """Register people while something is disturbed: address to id of those that were acknowledged; all statuses seen."""
    acknowledged: dict[str, str] = {}
    statuses: set[int] = set()
    over = asyncio.Event()

    async def client(number: int) -> None:
        count = 0
        while not over.is_set():
            count += 1
            email = f"{name}{number}.{count}@example.com"
            try:
                answer = await house.register(email)
            except httpx.TransportError:
                continue
            statuses.add(answer.status_code)
            if answer.status_code == 202:
                acknowledged[email] = answer.json()["id"]

    clients = [asyncio.create_task(client(number)) for number in range(8)]

    async def enough(more: int) -> None:
        target = len(acknowledged) + more

        async def reached() -> bool:
            return len(acknowledged) >= target

        await until(reached, 30)

    await enough(30)
    await disturb()
    await enough(30)
    over.set()
    await asyncio.gather(*clients)
    return acknowledged, statuses


async def test_fifty_registrations_of_one_address_leave_one_account_that_can_sign_in(house):
    email = "ada@example.com"
    answers = await asyncio.gather(*(house.register(email) for _ in range(50)))
    taken = [answer for answer in answers if answer.status_code == 202]
    assert {answer.status_code for answer in answers} <= {202, 503}
    assert taken

    def mails(subject: str) -> list[Any]:
        return [mail for mail in house.mails() if mail["To"] == email and mail["Subject"] == subject]

    async def settled() -> bool:
        """Whether all mail that is owed for them was sent, or is of no use any more."""
        rows = await house.query("SELECT status FROM deliveries WHERE slot = 'verification'")
        return len(rows) >= len(taken) and all(row["status"] != "waiting" for row in rows)

    async def resets() -> list[Any]:
        return mails("Choose a new password")

    def token(mail: Any) -> str:
        found = TOKEN.search(mail.get_body(["plain"]).get_content())
        assert found
        return found[0]

    await until(settled)
    proving = mails("Is this your address?")
    assert len(proving) <= 5, "an address is not flooded, however often others register with it"
    proofs = [
        await house.client.post(f"/v1/users/{answer.json()['id']}/email/verify", json={"token": token(mail)})
        for answer in taken
        for mail in proving
    ]
    proved = [proof.status_code for proof in proofs].count(204)
    assert proved <= 1
    if not proved:  # the last one was not written to any more: there is another way in
        await house.client.post("/v1/password/reset", json={"email": email})
        (reset,) = await until(resets)
        chosen = {"token": token(reset), "password": PASSWORD}
        assert (await house.client.post("/v1/password/reset/complete", json=chosen)).status_code == 204
    signed_in = await house.client.post("/v1/sessions", json={"email": email, "password": PASSWORD})
    assert signed_in.status_code == 201
    assert len(await house.query("SELECT FROM secrets WHERE kind = 'password'")) == 1


async def test_what_was_acknowledged_before_postgres_was_killed_is_there_afterwards(house):
    async def disturb() -> None:
        house.kill("postgres")

    acknowledged, statuses = await under_load(house, "postgres", disturb)
    assert statuses <= {202, 503}
    rows = await house.query("SELECT originator_id::text AS id FROM stored_events WHERE topic = 'UserRegistered'")
    there = [row["id"] for row in rows]
    assert len(there) == len(set(there))
    assert set(acknowledged.values()) <= set(there)
    positions = await house.query("SELECT count(*) AS n, max(notification_id) AS head FROM stored_events")
    assert positions[0]["n"] == positions[0]["head"]


async def test_a_worker_that_is_killed_under_load_loses_nothing_and_does_nothing_twice(house):
    async def disturb() -> None:
        house.kill("worker")

    acknowledged, statuses = await under_load(house, "worker", disturb)
    assert statuses == {202}

    async def settled() -> bool:
        waiting = await house.query(
            "SELECT FROM deliveries WHERE status = 'waiting' UNION ALL SELECT FROM checkpoints WHERE position < "
            "(SELECT max(notification_id) FROM stored_events)"
        )
        return not waiting

    await until(settled, 30)
    rows = await house.query("SELECT id::text AS id, version FROM views.users_v4 WHERE email LIKE 'worker%'")
    assert {row["id"] for row in rows} >= set(acknowledged.values())
    assert {row["version"] for row in rows} == {1}
    to = [mail["To"] for mail in house.mails()]
    assert {email: to.count(email) for email in acknowledged} == dict.fromkeys(acknowledged, 1)
