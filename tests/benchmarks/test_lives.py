"""People who are made for benchmarks: in the log as if they had asked for everything themselves."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from commands.errors import InvalidCredentials
from commands.handler import Context, Handler
from commands.passwords import Hasher
from commands.rules import rules
from commands.sign_in import SignIn
from commands.user import fold
from events.committer import Committer
from events.event import ANONYMOUS
from events.store import read_log, read_streams
from tests.api.site import settings_for
from tests.benchmarks.filling import fill_with, realm_of
from tests.benchmarks.lives import long_waves
from tests.benchmarks.names import email_of
from tests.benchmarks.requests import PASSWORD
from tests.support import Database

PEOPLE = 100
PASSED = Context(ANONYMOUS)


async def _made(database: Database) -> int:
    now = datetime.now(UTC)
    waves = long_waves(await realm_of(database, now), PEOPLE, now, block=5)
    return await fill_with(database, waves, PEOPLE * 5)


async def test_everyone_has_a_life_that_can_be_read(database: Database, writer_pool: Any) -> None:
    """In the order of time, over weeks, each stream as a command would read it."""
    count = await _made(database)
    log = await read_log(writer_pool, database.keys, after=0, limit=count + 10)
    lives: list[UUID] = [one.stream_id for one in log if type(one.event).__name__ == "UserRegistered"]
    streams = await read_streams(writer_pool, database.keys, lives)
    users = [fold(history) for history in streams.values() if not isinstance(history, Exception)]
    times = [one.recorded_at for one in log]
    assert len(lives) == len(users) == PEOPLE
    assert times == sorted(times)
    assert (times[-1] - times[-count]).days >= 25
    assert 4 * PEOPLE < count < 6 * PEOPLE
    assert 0 < sum(not user.active for user in users) < PEOPLE / 5


async def test_those_who_proved_their_address_can_sign_in(
    database: Database, writer_pool: Any, committer: Committer
) -> None:
    """By the claim on it and the password that was kept; the others cannot."""
    await _made(database)
    hasher = Hasher(threads=1, queue_size=PEOPLE)
    handler = Handler(writer_pool, committer, database.keys, rules(database.secret, settings_for(database)), hasher)
    proved = await database.query("SELECT count(*) AS people FROM claims WHERE proven")
    let_in = 0
    for number in range(PEOPLE):
        try:
            await handler.handle(SignIn(email_of(number), PASSWORD), PASSED)
            let_in += 1
        except InvalidCredentials:
            continue
    hasher.close()
    assert let_in == proved[0]["people"] > PEOPLE / 2
