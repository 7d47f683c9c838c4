"""A worker process: read models and reactions kept at the log's end, mails sent and robots run, until it is asked to stop."""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

import asyncpg
import structlog
import uvloop

from events.connections import TROUBLE, connect, open_pool
from events.data_keys import FORGOTTEN_CHANNEL, DataKeys
from events.epochs import NotReconciled, current_epoch
from events.keys import derived, local_keyring
from events.migrations.roles import role_names, role_url
from events.tail import Wakeups
from projections import logs
from projections.asked import AskedFor
from projections.causes import told
from projections.checkpoints import prepare
from projections.concerns import REACTIONS
from projections.forgetting import forget_regularly
from projections.keeping import Store
from projections.models import MODELS
from projections.pausing import pause
from projections.published import publish_regularly
from projections.queue import Queue
from projections.reactions.emails import Emails
from projections.reactions.mails import Links
from projections.reactions.robots import ROBOTS, Robots
from projections.reactions.sending import MOST_CONVERSATIONS, Sending
from projections.reactions.smtp import MailServer
from projections.schedules import prepare_schedules
from projections.slices import PLANNED_ONCE
from projections.sweeping import sweep_regularly
from projections.tables import Tables, open_view
from projections.tasks import Tasks
from settings import Settings, key_bytes, master_keys

__all__ = ["main", "run"]

START_AGAIN_SECONDS: Final = 0.5
TABLES_AT_ONCE: Final = 3
"""Of one view: the table that serves, the one that did before, and one that is built."""

_log = structlog.get_logger()


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT. Waits for a database that is not there yet, or not migrated."""
    finished = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, finished.set)
    secret = key_bytes(settings.secret)
    url = role_url(settings.database_url, "projector", secret)
    database = urlsplit(settings.database_url).path.lstrip("/")
    keyring = local_keyring(master_keys(settings))
    keys = DataKeys(keyring)
    store = Store(url, role_names(database)["reader"], master_keys(settings))
    tables = Tables(MODELS, keys)
    asked = AskedFor(store, tables.models, settings.partitions)
    name = f"muster worker {socket.gethostname()}:{os.getpid()}"[:63]
    holds = settings.partitions * len(MODELS) * TABLES_AT_ONCE + len(REACTIONS)

    async def prepared() -> asyncpg.Pool:
        connection = await connect(url, "muster worker")
        try:
            await current_epoch(connection)
            await prepare(connection, {}, dict.fromkeys((reaction.name for reaction in REACTIONS), 1))
            for model in MODELS:
                await open_view(connection, model, settings.partitions, store.reader)
            await prepare_schedules(connection, [robot.name for robot in ROBOTS])
        finally:
            await connection.close()
        return await open_pool(url, name, holds + MOST_CONVERSATIONS + 4, **PLANNED_ONCE)

    pool = await _patiently(prepared, finished)
    if pool is None:
        return
    wakeups = Wakeups(lambda: connect(url, "muster worker wakeups"))
    queue = Queue(settings.redis_url, f"muster:{database}")
    links = Links(
        settings.base_url.rstrip("/"),
        derived(secret, "links"),
        settings.verification_hours,
        settings.password_reset_minutes,
        settings.email_undo_hours,
    )
    emails = Emails(settings.mail_from, links)
    sending = Sending(pool, keys, emails, MailServer(settings.smtp_url))
    robots = Robots.of(pool, settings.database_url, secret, keyring, settings)
    tasks = Tasks(pool, wakeups, queue, sending, robots, tables, asked, REACTIONS)
    forgotten = Wakeups(lambda: connect(url, "muster worker forgotten keys"), FORGOTTEN_CHANNEL)
    forgotten.on_announcement(keys.heard)
    listening = [asyncio.create_task(one.start()) for one in (wakeups, forgotten)]
    sweeping = asyncio.create_task(sweep_regularly(pool, settings.client_retention_days, finished))
    forgetting = asyncio.create_task(forget_regularly(pool, MODELS, finished))
    publishing = asyncio.create_task(publish_regularly(pool, MODELS, settings.smallest_group, finished))
    _log.info("worker started", partitions=settings.partitions)
    await tasks.work(finished, holds + len(MODELS) + len(ROBOTS) + 8)
    await asyncio.gather(sweeping, forgetting, publishing)
    for start, one in zip(listening, (wakeups, forgotten), strict=True):
        start.cancel()
        await one.stop()
    await queue.close()
    pool.terminate()
    _log.info("worker stopped")


async def _patiently(prepared: Callable[[], Awaitable[asyncpg.Pool]], finished: asyncio.Event) -> asyncpg.Pool | None:
    """What comes of it once it succeeds; None when there was no time for it."""
    waiting = False
    while not finished.is_set():
        try:
            return await prepared()
        except (*TROUBLE, NotReconciled) as error:
            if not waiting:
                cause = str(error) if isinstance(error, NotReconciled) else told(error)
                _log.warning("waiting for the database", error=cause)
            waiting = True
            await pause(START_AGAIN_SECONDS, finished)
    return None


def main(settings: Settings) -> None:
    """Run a worker in this process, in its main thread, and return when it has stopped."""
    logs.configure(settings.log_level)
    gc.freeze()  # what was imported stays: no collection, and not the last one either, looks through it again
    uvloop.run(run(settings))
