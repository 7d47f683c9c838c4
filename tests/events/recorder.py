"""A facade that lets `eventsourcing`'s own tests, which are synchronous, ask our store; it translates types only."""

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Any

import asyncpg
from eventsourcing.persistence import ApplicationRecorder, IntegrityError, Notification, StoredEvent, Subscription
from eventsourcing.persistence import ListenNotifySubscription as Listening
from uuid_utils.compat import uuid7

from events.append import Append, NewEvent
from events.codec import write_metadata
from events.committer import Committer
from events.connections import connect, open_pool
from events.event import ANONYMOUS, Metadata
from events.rows import log_rows, stream_rows
from events.tail import Wakeups

__all__ = ["Recorder"]


class Recorder(ApplicationRecorder):
    def __init__(self, writer_url: str, *, tells_positions: bool = True) -> None:
        self.tells_positions = tells_positions
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.committer = Committer(lambda: connect(writer_url, "committer"))
        self.wakeups = Wakeups(lambda: connect(writer_url, "listener"))
        self.pool = self.run(open_pool(writer_url, "reader", 4))
        self.run(self.committer.start())
        self.run(self.wakeups.start())

    def run(self, asked: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(asked, self.loop).result()

    def close(self) -> None:
        for part in (self.committer.stop(), self.wakeups.stop(), self.pool.close()):
            self.run(part)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        if not stored_events:
            return None
        command = uuid7()
        note = write_metadata(Metadata(actor=ANONYMOUS, command="Test", correlation_id=command))
        events = [
            NewEvent(e.originator_id, "test", e.originator_version, e.topic, e.state, None, note)  # type: ignore[arg-type]
            for e in stored_events
        ]
        try:
            last = self.run(self.committer.commit(Append(command, events)))
        except asyncpg.UniqueViolationError as error:
            raise IntegrityError(error) from error
        return list(range(last - len(events) + 1, last + 1)) if self.tells_positions else None

    def select_events(self, originator_id, *, gt=None, lte=None, desc=False, limit=None):
        rows = self.run(stream_rows(self.pool, originator_id, after=gt, until=lte, descending=desc, limit=limit))
        return [StoredEvent(*list(row.values())[:4]) for row in rows]

    def select_notifications(self, start, limit, stop=None, topics=(), *, inclusive_of_start=True):
        after = (start or 0) - (1 if inclusive_of_start else 0)
        rows = self.run(log_rows(self.pool, after=after, until=stop, limit=limit, topics=topics))
        return [Notification(*list(row.values())[:5]) for row in rows]

    def max_notification_id(self):
        return self.run(self.pool.fetchval("SELECT max(notification_id) FROM stored_events"))

    def subscribe(self, gt=None, topics=()) -> Subscription["Recorder"]:
        subscription = Listening(self, gt, topics)
        self.wakeups.on_announcement(lambda _payload: subscription._has_been_notified.set())
        return subscription
