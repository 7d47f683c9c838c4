"""Which events a read model does without."""

from uuid_utils.compat import uuid7

from events.append import Append, NewEvent
from events.codec import encode
from events.discarded import discarded
from events.projection import STREAM_TYPE, ParkedEventDiscarded, ParkedEventsRetried, stream_id


async def test_tells_what_was_discarded_for_one_read_model(writer_pool, committer):
    for name, *decisions in (
        (
            "users",
            ParkedEventDiscarded("users", 17),
            ParkedEventsRetried("users", None),
            ParkedEventDiscarded("users", 4),
        ),
        ("sessions", ParkedEventDiscarded("sessions", 9)),
    ):
        stream = stream_id(name)
        new = [
            NewEvent(stream, STREAM_TYPE, version, *encode(decision, stream, version, None), None, "{}")
            for version, decision in enumerate(decisions, start=1)
        ]
        await committer.commit(Append(uuid7(), new, {stream: 0}))
    assert await discarded(writer_pool, "users") == {4, 17}
    assert await discarded(writer_pool, "sessions") == {9}
    assert await discarded(writer_pool, "nothing") == set()
