"""What is sent as an import."""

import asyncio
import json
import time

import pytest
from uuid_utils.compat import uuid4

from events.administrators import STREAM_ID as ADMINISTRATORS
from tests.api.imported import NDJSON, imported, sent, told
from tests.api.site import PASSWORD
from tests.hostile.test_network import CLOSE, HOST, status
from tests.support import until

GOOD = b'"email": "row@example.com"'
MALFORMED = {
    "no JSON": b"{",
    "a NUL": b'{"email": "a\\u0000@example.com"}',
    "a NUL as it is": b'{"email": "a\0@example.com"}',
    "no UTF-8": b'{"email": "\xff@example.com"}',
    "UTF-16": '{"email": "a@example.com"}'.encode("utf-16"),
    "a lone surrogate": b"{" + GOOD + b', "display_name": "\\ud800"}',
    "deep nesting": b"[" * 60_000,
    "a deep object": b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
    "a number without end": b'{"email": 1e400}',
    "no number": b'{"email": NaN}',
    "equal names": b"{" + GOOD + b", " + GOOD + b"}",
    "two rows": b"{" + GOOD + b"} {" + GOOD + b"}",
}
INVALID = {
    "a list": (b"[]", ""),
    "a string": (b'"email"', ""),
    "null": (b"null", ""),
    "no address": (b"{}", "/email"),
    "many digits": (b'{"email": ' + b"9" * 4_000 + b"}", "/email"),
    "a list of addresses": (b'{"email": ["a@example.com", "b@example.com"]}', "/email"),
    "several addresses": (b'{"email": "a@example.com,b@example.com"}', "/email"),
    "a header in an address": (b'{"email": "a@example.com\\r\\nBcc: b@example.com"}', "/email"),
    "an encoded word": (b'{"email": "=?utf-8?q?a?=@example.com"}', "/email"),
    "a local part of 65 octets": (b'{"email": "' + b"a" * 65 + b'@example.com"}', "/email"),
    "a name that would do harm": (b"{" + GOOD + b', "display_name": "a\\u202eb"}', "/display_name"),
    "a date without a zone": (b"{" + GOOD + b', "registered_at": "2019-05-04T09:30:00"}', "/registered_at"),
    "a date that there is not in UTC": (
        b"{" + GOOD + b', "registered_at": "0001-01-01T00:00:00+14:00"}',
        "/registered_at",
    ),
    "a date that there will not be in UTC": (
        b"{" + GOOD + b', "registered_at": "9999-12-31T23:59:59-14:00"}',
        "/registered_at",
    ),
    "an id that is foreseen": (
        b"{" + GOOD + b', "id": "0190b0a6-ad31-5000-8000-61646d696e73"}',
        "/id",
    ),
    "a role that there is not": (b"{" + GOOD + b', "roles": ["king"]}', "/roles"),
    "roles without end": (b"{" + GOOD + b', "roles": [' + b'"auditor",' * 5_000 + b'"auditor"]}', "/roles"),
    "a number that nobody can read": (b"{" + GOOD + b', "metadata": {"own": {"n": 9007199254740993}}}', "/metadata"),
    "metadata that are too deep": (b"{" + GOOD + b', "metadata": {"own": {"n": [[[[[[[1]]]]]]]}}}', "/metadata"),
    "a compartment of its own": (b"{" + GOOD + b', "metadata": {"root": {}}}', "/metadata"),
    "a password": (b"{" + GOOD + b', "password": "a horse, a staple"}', "/password"),
    "a version": (b"{" + GOOD + b', "version": 9}', "/version"),
    "a hash that takes minutes": (
        b"{" + GOOD + b', "password_hash": "$2b$31$AAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA."}',
        "/password_hash",
    ),
    "a hash that takes gigabytes": (
        b"{" + GOOD + b', "password_hash": "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$' + b"A" * 43 + b'"}',
        "/password_hash",
    ),
    "an id from elsewhere that cannot be seen": (b"{" + GOOD + b', "external_id": "\\u200b"}', "/external_id"),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_row_with(site, name):
    before = await site.head()
    row, after, summary = await imported(site, [MALFORMED[name], {"email": "nowhere"}])
    assert (row["outcome"], row["reason"]) == ("refused", "malformed-body")
    assert after["outcome"] == "refused"
    assert summary["summary"]["refused"] == 2
    assert await site.head() == before


@pytest.mark.parametrize("name", INVALID)
async def test_a_row_that_says(site, name):
    line, pointer = INVALID[name]
    before = await site.head()
    row, _ = await imported(site, [line])
    assert (row["outcome"], row["reason"]) == ("refused", "invalid-fields")
    assert [error["pointer"] for error in row["errors"]] == [pointer]
    assert await site.head() == before


async def test_rows_that_claim_what_is_anothers(site):
    person = await site.person()
    elsewhere = site.new_email()
    before = await site.head()
    for row, reason, pointer in (
        ({"email": person.email}, "address-taken", "/email"),
        ({"email": person.email.upper(), "email_verified": True}, "address-taken", "/email"),
        ({"email": elsewhere, "id": str(ADMINISTRATORS)}, "id-taken", "/id"),
        ({"email": elsewhere, "id": person.session_id}, "id-taken", "/id"),
        ({"email": elsewhere, "roles": ["administrator"]}, "address-not-proved", "/email_verified"),
    ):
        told, _ = await imported(site, [row])
        assert (told["outcome"], told["reason"]) == ("refused", reason)
        assert [error["pointer"] for error in told["errors"]] == [pointer]
    assert await site.head() == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("twin{n}@example.com", "TWIN{n}@EXAMPLE.com"),
        ("caf\u00e9{n}@example.com", "cafe\u0301{n}@example.com"),
        ("idn{n}@b\u00fccher.example", "idn{n}@xn--bcher-kva.example"),
    ],
)
async def test_two_spellings_of_one_address_in_one_file(site, one, other):
    number = await site.head()
    emails = enumerate((one, other))
    rows = [{"email": email.format(n=number), "external_id": f"{number} {which}"} for which, email in emails]
    first, second, _ = await imported(site, rows)
    assert (first["outcome"], second["outcome"], second["reason"]) == ("imported", "refused", "address-taken")


async def test_one_address_a_thousand_times_in_one_file(site):
    email = site.new_email()
    rows = [{"email": email, "email_verified": True, "external_id": f"{email} {n}"} for n in range(1_000)]
    *lines, _ = await imported(site, rows)
    assert [line["outcome"] for line in lines] == ["imported", *["refused"] * 999]


async def test_one_id_for_many_in_one_file(site):
    shared = str(uuid4())
    rows = [{"email": site.new_email(), "id": shared} for _ in range(50)]
    *lines, _ = await imported(site, rows)
    assert [line["outcome"] for line in lines] == ["imported", *["differs"] * 49]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": ""},
        {"Content-Type": "application/json"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-ndjson; charset=utf-16"},
        {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"},
    ],
    ids=str,
)
async def test_a_body_of_another_media_type(site, headers):
    before = await site.head()
    body = b'{"email": "media@example.com"}'
    answer = await site.request("POST", "/v1/imports", site.administrator, content=body, headers=headers)
    assert answer.status_code == 415
    assert answer.headers.get("accept", answer.headers.get("accept-encoding")) in ("application/x-ndjson", "identity")
    assert await site.head() == before


async def test_whoever_may_not_grant_a_role_grants_none_by_a_row(site, auditor, somebody):
    before = await site.head()
    body = json.dumps({"email": "king@example.com", "email_verified": True, "roles": ["administrator"]}).encode()
    for person, expected in ((auditor, 403), (somebody, 403)):
        assert (await sent(site, body, person)).status_code == expected
    assert (await site.request("POST", "/v1/imports", content=body, headers=NDJSON)).status_code == 401
    assert await site.head() == before


async def test_a_line_without_end_is_one_row_that_is_refused(site):
    async def endless():
        for _ in range(400):
            yield b"x" * 65536
        yield b'\n{"email": "nowhere"}\n'

    first, second, _ = told(await sent(site, endless()))
    assert (first["line"], first["reason"]) == (1, "body-too-large")
    assert (second["line"], second["reason"]) == (2, "invalid-fields")


async def test_others_are_answered_meanwhile(site, somebody):
    rows = b"".join(json.dumps({"email": f"{uuid4()}@example.com"}).encode() + b"\n" for _ in range(2_000))
    importing = asyncio.create_task(sent(site, rows))
    slowest = 0.0
    while not importing.done():
        began = time.perf_counter()
        assert (await site.get("/livez")).status_code == 200
        slowest = max(slowest, time.perf_counter() - began)
        assert (await site.post("/v1/users", {"email": site.new_email(), "password": PASSWORD})).status_code == 202
    assert importing.result().status_code == 200
    assert slowest < 2


def head(person) -> bytes:
    lines = [b"POST /v1/imports HTTP/1.1", HOST.strip(), CLOSE.strip(), b"Content-Type: application/x-ndjson"]
    lines += [b"Transfer-Encoding: chunked", b"Authorization: " + person.headers["Authorization"].encode()]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def test_a_body_that_comes_on_is_waited_for(site, wire):
    rows = chunk((b'{"email": "nowhere"}' + b" " * 2_000 + b"\n") * 4)
    answer = await wire.said(head(site.administrator), *[rows] * 10, b"0\r\n\r\n", pause=0.15)
    assert status(answer) == 200
    assert b'"rows":40' in answer


async def test_a_body_that_drips_is_hung_up_on(site, wire):
    began = time.monotonic()
    answer = await wire.said(head(site.administrator), *[chunk(b"x")] * 40, pause=0.1, wait=10)
    assert status(answer) == 0
    assert time.monotonic() - began < 6


async def test_whoever_may_not_import_is_not_waited_for(somebody, wire):
    began = time.monotonic()
    answer = await wire.said(head(somebody), pause=0.1, wait=10)
    assert status(answer) == 403
    assert time.monotonic() - began < 6


async def test_whoever_goes_away_leaves_what_was_done(site, wire):
    number = uuid4()
    rows = b"".join(b'{"email": "%d.%s@example.com"}\n' % (n, str(number).encode()) for n in range(200))
    before = await site.head()

    async def some() -> bool:
        return bool(await site.head() > before)

    _, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    writer.write(head(site.administrator) + chunk(rows))
    await writer.drain()
    await until(some)
    writer.transport.abort()
    *lines, summary = told(await sent(site, rows))
    assert len(lines) == 200
    assert summary["summary"]["imported"] + summary["summary"]["unchanged"] == 200


async def test_whoever_does_not_read_the_answer_is_not_answered_from_memory(site, wire):
    """The answer of some megabytes waits on disk, and the import is done."""
    number = uuid4()
    rows = b"".join(b'{"email": "%d"}\n' % n for n in range(20_000))
    rows += b'{"email": "%s@example.com"}\n' % str(number).encode()
    before = await site.head()

    async def done() -> bool:
        return bool(await site.head() > before)

    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port, limit=1024)
    writer.write(head(site.administrator) + chunk(rows) + b"0\r\n\r\n")
    await writer.drain()
    await until(done)
    assert (await site.get("/livez")).status_code == 200
    answer = b""
    async with asyncio.timeout(30):
        while more := await reader.read(65536):
            answer += more
    writer.close()
    assert b'"refused":20000' in answer
