"""Stands in for `muster migrate`, `muster api` and `muster worker` where a test is about who keeps them running."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
    writer.close()


async def serve() -> None:
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    server = await asyncio.start_server(answer, os.environ["MUSTER_HOST"], int(os.environ["MUSTER_PORT"]))
    await asked.wait()
    server.close()


def main(part: str) -> None:
    given = {name: value for name, value in os.environ.items() if name.startswith("MUSTER_")}
    Path(f"{part}.environment").write_text(json.dumps(given))
    if part == os.environ.get("DYING"):
        sys.exit(f"{part} has had enough")
    sys.stderr.write(f"{part} begins\n")
    if part == "migrate":
        sys.stdout.write(f"Migrating\n{json.dumps({'admin_signup': 'http://127.0.0.1/first'})}\n")
    elif part == "api":
        asyncio.run(serve())
    else:
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1])
