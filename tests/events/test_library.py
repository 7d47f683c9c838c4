"""`eventsourcing`'s own tests of recorders, from its wheel, against our store; and its stock recorder reads ours."""

import asyncio
from collections.abc import Iterator
from typing import Any, cast
from uuid import UUID

import pytest
from eventsourcing.application import Application
from eventsourcing.persistence import Mapper, StoredEvent
from eventsourcing.tests.persistence import (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
)
from uuid_utils.compat import uuid7

from events.codec import decode
from events.user import EmailVerified
from tests.events.recorder import Recorder
from tests.events.test_committer import verified
from tests.library import library_settings
from tests.support import Database


def lend(database: Database, request: Any) -> Iterator[None]:
    """Give a test case a recorder on a database while it runs."""
    aggregate = issubclass(request.cls, AggregateRecorderTestCase)
    made = request.instance.recorder = Recorder(database.url("writer"), tells_positions=not aggregate)
    yield
    made.close()


@pytest.fixture
def on_18(database, request):
    yield from lend(database, request)


@pytest.fixture
def on_15(database15, request):
    yield from lend(database15, request)


class Ours:
    recorder: Any

    def create_recorder(self) -> Any:
        return self.recorder


@pytest.mark.usefixtures("on_18")
class TestAggregateRecorder(Ours, AggregateRecorderTestCase):
    pass


@pytest.mark.usefixtures("on_18")
class TestApplicationRecorder(Ours, ApplicationRecorderTestCase[Any]):
    def test_insert_subscribe(self) -> None:
        super().optional_test_insert_subscribe()


@pytest.mark.usefixtures("on_18")
class TestNonInterleaving(Ours, NonInterleavingNotificationIDsBaseCase):
    pass


@pytest.mark.usefixtures("on_15")
class TestAggregateRecorderOn15(Ours, AggregateRecorderTestCase):
    pass


@pytest.mark.usefixtures("on_15")
class TestApplicationRecorderOn15(Ours, ApplicationRecorderTestCase[Any]):
    def test_insert_subscribe(self) -> None:
        super().optional_test_insert_subscribe()


@pytest.mark.usefixtures("on_15")
class TestNonInterleavingOn15(Ours, NonInterleavingNotificationIDsBaseCase):
    pass


class OurMapper(Mapper[UUID]):
    """The library's place for a codec, with ours in it; events without personal fields need no key."""

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        stream, version = cast("UUID", stored_event.originator_id), stored_event.originator_version
        return decode(stored_event.topic, stored_event.state, stream, version, None)


class Stored(Application[UUID]):
    """A stock application, but for the name of its table and its mapper."""

    name = "stored"

    def construct_mapper(self) -> Mapper[UUID]:
        return OurMapper(self.construct_transcoder())


async def test_the_stock_recorder_and_a_stock_application_read_what_we_wrote(database, committer, writer_pool):
    stream = uuid7()
    await committer.commit(verified(stream, count=3))
    environment = library_settings(database.url("writer")) | {"CREATE_TABLE": "n"}

    def read() -> list[Any]:
        application = Stored(environment)
        try:
            log = application.recorder.select_notifications(start=1, limit=10)
            assert [item.id for item in log] == [1, 2, 3]
            return list(cast("Any", application.events).get(stream))
        finally:
            application.close()

    assert await asyncio.to_thread(read) == [EmailVerified()] * 3
