"""Requests as bytes, made before they are sent."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

__all__ = ["PASSWORD", "get", "post", "registrations"]

PASSWORD: Final = "four oars and a lantern"
_numbers = itertools.count(1)


def get(path: str, token: str | None = None) -> bytes:
    """A GET, perhaps in someone's name."""
    authorization = "" if token is None else f"Authorization: Bearer {token}\r\n"
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load/1\r\n{authorization}\r\n".encode()


def post(path: str, document: object, *headers: str) -> bytes:
    """A POST of a JSON document."""
    body = msgspec.json.encode(document)
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "User-Agent: load/1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def registrations(path: str, headers: Iterable[str] = ()) -> Iterator[bytes]:
    """People without end, each with an address of their own; `%d` in a header is a number of their own too."""
    template = post(
        path,
        {"email": "person%09d@example.com", "password": PASSWORD, "display_name": "Ada Lovelace", "locale": "en-GB"},
        *(header.replace("%d", "%09d") for header in headers),
    )
    # Each %09d is four bytes long and stands for nine.
    length = len(template.partition(b"\r\n\r\n")[2])
    template = template.replace(f"Content-Length: {length}".encode(), f"Content-Length: {length + 5}".encode())
    places = template.count(b"%09d")
    for number in _numbers:
        yield template % ((number,) * places)
