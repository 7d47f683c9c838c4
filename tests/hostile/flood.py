"""A process that signs in to so many addresses at once, each on a connection of its own, and tells the statuses."""

import asyncio
import json
import sys
from collections import Counter

from tests.enumeration.wire import Wire, request


async def flood(port: int, count: int) -> Counter[str]:
    """How often each status was answered, and each problem."""
    wires = [await Wire.to(port) for _ in range(count)]
    bodies = [{"email": f"a{number}@example.com", "password": "four oars and a lantern"} for number in range(count)]
    asked = [wire.ask(request("POST", "/v1/sessions", body)) for wire, body in zip(wires, bodies, strict=True)]
    answers = await asyncio.gather(*asked)
    told = Counter(str(answer.status) for answer in answers)
    told.update(json.loads(answer.raw.partition(b"\r\n\r\n")[2])["type"].rpartition("/")[2] for answer in answers)
    told["retry-after"] = sum(b"\r\nretry-after: " in answer.raw.lower() for answer in answers)
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(flood(int(sys.argv[1]), int(sys.argv[2])))))
