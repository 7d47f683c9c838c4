"""Imports over HTTP, as tests send and read them."""

import json
from collections.abc import Iterable
from typing import Any

import httpx

from tests.api.site import Person, Site

__all__ = ["NDJSON", "imported", "sent", "told"]

NDJSON = {"Content-Type": "application/x-ndjson"}


async def sent(site: Site, body: Any, person: Person | None = None, **headers: str) -> httpx.Response:
    """The answer to a body of bytes, by an administrator unless someone else is named."""
    asker = person or site.administrator
    return await site.request("POST", "/v1/imports", asker, content=body, headers=NDJSON | headers)


async def imported(site: Site, rows: Iterable[Any], **headers: str) -> list[dict[str, Any]]:
    """What is told of rows, the summary last; a row of bytes is sent as it is."""
    lines = (row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)
    answer = await sent(site, b"\n".join(lines), None, **headers)
    assert answer.status_code == 200, answer.text
    return told(answer)


def told(answer: httpx.Response) -> list[dict[str, Any]]:
    """The lines of an answer."""
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]
