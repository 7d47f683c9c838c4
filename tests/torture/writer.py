"""One process that appends as fast as it can and prints what was acknowledged: `python -m tests.torture.writer URL N`."""

import asyncio
import random
import sys

from uuid_utils.compat import uuid7

from events.append import Append, NewEvent
from events.codec import write_metadata
from events.committer import Committer
from events.connections import connect, is_lost
from events.event import ANONYMOUS, Metadata

CLIENTS = 64


def command() -> Append:
    """A command that appends one to four events to a stream of its own."""
    stream, command_id = uuid7(), uuid7()
    note = write_metadata(Metadata(actor=ANONYMOUS, command="Torture", correlation_id=command_id))
    events = [
        NewEvent(stream, "user", version, "EmailVerified", b"{}", stream, note)
        for version in range(1, random.randint(1, 4) + 1)
    ]
    return Append(command_id, events, {stream: 0})


async def _start(committer: Committer) -> None:
    """Start, also when its backend is killed before it is used: whoever runs a process would start it again."""
    while True:
        try:
            return await committer.start()
        except Exception as error:
            if not is_lost(error):
                raise


async def write(url: str, events: int) -> None:
    """Append until so many events were acknowledged, printing `command position count` for each command."""
    committer = Committer(lambda: connect(url, "torture committer"))
    await _start(committer)
    left = events

    async def client() -> None:
        nonlocal left
        while left > 0:
            append = command()
            left -= len(append.events)
            position = await committer.commit(append)
            print(append.command_id, position, len(append.events))  # noqa: T201 - what the parent reads

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    await committer.stop()


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], int(sys.argv[2])))
