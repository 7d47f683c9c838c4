"""A process that builds ranges of keys: what to build, and then range by range, stands on lines of its standard input.

It ends when its input does, which is when whoever started it has ended, however that came.
"""

import asyncio
import gc
import os
import sys
from typing import Any, Final

import msgspec
import uvloop

from projections.anew import KeyRange, Unfoldable
from projections.builders import Build, Refused, here
from projections.models import MODELS
from projections.read_model import ReadModel

__all__ = ["main"]

NICE: Final = 5
"""Those who answer and those who project live go first."""

MOST_LINE: Final = 2**26
COLLECT_EVERY: Final = 20


async def run(loop: asyncio.AbstractEventLoop) -> None:
    """Build what is asked for until the input ends."""
    lines = asyncio.StreamReader(MOST_LINE, loop)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines, loop=loop), sys.stdin)
    if not (first := await lines.readline()):
        return
    build = msgspec.json.decode(first, type=Build)
    async with here(build, _model(build)) as builder:
        gc.freeze()
        gc.disable()
        number = 0
        while line := await lines.readline():
            try:
                answer: int | Refused = await builder.build(msgspec.json.decode(line, type=KeyRange))
            except Unfoldable as refused:
                answer = Refused(refused.position, refused.key, refused.cause)
            sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
            sys.stdout.buffer.flush()
            number += 1
            if number % COLLECT_EVERY == 0:
                gc.collect()


def _model(build: Build) -> ReadModel[Any]:
    return next(model for model in MODELS if (model.name, model.version) == (build.name, build.version))


def main() -> None:
    """Run in this process."""
    os.nice(NICE)

    async def start() -> None:
        await run(asyncio.get_running_loop())

    uvloop.run(start())


if __name__ == "__main__":
    main()
