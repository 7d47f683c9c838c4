"""Requests as bytes. Each person comes from an address of their own, as a proxy tells it, so that no limit refuses them."""

import itertools
from collections.abc import Iterator
from typing import Final
from uuid import UUID

import msgspec

__all__ = ["PASSWORD", "get", "registrations", "rename", "sign_in"]

PASSWORD: Final = "four oars and a lantern"
_numbers: Final = itertools.count(1)
_NUMBER: Final = "%(number)09d"
_ADDRESS: Final = "%(address)s"


def get(path: str, token: str | None = None, *headers: str) -> bytes:
    """A GET, perhaps in someone's name."""
    authorization = () if token is None else (f"Authorization: Bearer {token}",)
    lines = (f"GET {path} HTTP/1.1", "Host: localhost", "User-Agent: load/1", *authorization, *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def rename(user_id: UUID, token: str, name: str) -> bytes:
    """Someone is called something else from now on."""
    body = msgspec.json.encode({"display_name": name})
    lines = (
        f"PATCH /v1/users/{user_id}/profile HTTP/1.1",
        "Host: localhost",
        "User-Agent: load/1",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def sign_in(path: str, number: int, email: str) -> bytes:
    """A sign-in of the person of this number."""
    return _post(path, {"email": email, "password": PASSWORD}) % _of(number)


def registrations(path: str, *headers: str) -> Iterator[bytes]:
    """People without end, each with an e-mail address of their own; `%(number)d` in a header is a number of their own."""
    person = {
        "email": f"person{_NUMBER}@example.com",
        "password": PASSWORD,
        "display_name": "Ada Lovelace",
        "locale": "en-GB",
    }
    template = _post(path, person, *headers)
    for number in _numbers:
        yield template % _of(number)


def _post(path: str, document: object, *headers: str) -> bytes:
    """A POST as a template, of which every request is as long."""
    body = msgspec.json.encode(document)
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "User-Agent: load/1",
        f"X-Forwarded-For: {_ADDRESS}",
        "Content-Type: application/json",
        f"Content-Length: {len(body % _of(0))}",
        *headers,
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _of(number: int) -> dict[bytes, object]:
    """What is a person's own: a number, and a client address in 10.0.0.0/8."""
    return {b"number": number, b"address": b"10.%d.%d.%d" % (number >> 16 & 255, number >> 8 & 255, number & 255)}
