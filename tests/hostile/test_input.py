"""What is put into bodies and parameters."""

import pytest

from tests.api.site import PASSWORD

BODIES = {
    "a NUL": b'{"email": "a\\u0000@example.com", "password": "a horse, a staple"}',
    "a NUL in a password": b'{"email": "a@example.com", "password": "a horse\\u0000, a staple"}',
    "no UTF-8": b'{"email": "\xff@example.com", "password": "a horse, a staple"}',
    "a lone surrogate": b'{"email": "a@example.com", "password": "a horse, a staple", "display_name": "\\ud800"}',
    "deep nesting": b"[" * 60_000,
    "a deep object": b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
    "a number without end": b'{"email": 1e400, "password": "a horse, a staple"}',
    "no number": b'{"email": NaN, "password": "a horse, a staple"}',
    "many digits": b'{"email": ' + b"9" * 60_000 + b"}",
    "equal names": b'{"email": "a@example.com", "email": "b@example.com", "password": "a horse, a staple"}',
    "a list": b'{"email": ["a@example.com", "b@example.com"], "password": "a horse, a staple"}',
    "an object": b'{"email": {"$ne": ""}, "password": {"$ne": ""}}',
    "several addresses": b'{"email": "a@example.com,b@example.com", "password": "a horse, a staple"}',
    "a header in an address": b'{"email": "a@example.com\\r\\nBcc: b@example.com", "password": "a horse, a staple"}',
    "an encoded word": b'{"email": "=?utf-8?q?a?=@example.com", "password": "a horse, a staple"}',
    "a local part of 65 octets": b'{"email": "' + b"a" * 65 + b'@example.com", "password": "a horse, a staple"}',
    "a body that is a string": b'"email"',
    "null": b"null",
    "nothing": b"",
    "white space": b"  \n ",
    "roles": b'{"email": "a@example.com", "password": "a horse, a staple", "roles": ["administrator"]}',
    "an id": b'{"email": "a@example.com", "password": "a horse, a staple", "id": "0190b0a6-ad31-7000-8000-61646d696e73"}',
    "a verified flag": b'{"email": "a@example.com", "password": "a horse, a staple", "email_verified": true}',
    "disclose": b'{"email": "a@example.com", "password": "a horse, a staple", "disclose": true}',
    "a version": b'{"email": "a@example.com", "password": "a horse, a staple", "version": 9}',
    "a date": b'{"email": "a@example.com", "password": "a horse, a staple", "registered_at": "2020-01-01T00:00:00Z"}',
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_with(site, name):
    before = await site.head()
    answer = await site.client.post("/v1/users", content=BODIES[name], headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in answer.text
    assert await site.head() == before


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/msgpack"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Type": "application/merge-patch+json"},
        {"Content-Type": "application/jsonp"},
    ],
    ids=str,
)
async def test_a_body_of_another_media_type(site, headers):
    before = await site.head()
    body = b'{"email": "media@example.com", "password": "a horse, a staple"}'
    answer = await site.client.post("/v1/users", content=body, headers=headers)
    assert answer.status_code == 415
    assert answer.json()["type"].endswith("/problems/unsupported-media-type")
    assert await site.head() == before


@pytest.mark.parametrize("media_type", ["application/json", "APPLICATION/JSON", 'application/json; charset="UTF-8"'])
async def test_json_said_in_other_words_is_taken(site, media_type):
    body = f'{{"email": "{site.new_email()}", "password": "{PASSWORD}"}}'.encode()
    answer = await site.client.post("/v1/users", content=body, headers={"Content-Type": media_type})
    assert answer.status_code == 202


@pytest.mark.parametrize(
    "name",
    [
        "a\r\nBcc: b@example.com",
        "a\u2028b",
        "a\u202eb",
        "a\u2066b",
        "a\x7f",
        "\ufeff",
        "Z" + "\u0301" * 10_000,
        "Z" + "\u0336" * 6,
        "x" * 101,
        " ",
        "",
        "\u200b",
        "\u200d",
        "\u200c\u200d",
        "\u3164",
        "\u0301",
        "a\u200d",
        "a" + "\u0903" * 9,
        "a" + ("\u0301" * 4 + "\u200d") * 19,
        "\ue000",
    ],
    ids=lambda name: ascii(name[:12]),
)
async def test_names_that_would_do_harm_where_they_are_shown(site, somebody, name):
    before = await site.head()
    for method, path, body in (
        ("PATCH", f"/v1/users/{somebody.id}/profile", {"display_name": name}),
        ("POST", "/v1/users", {"email": site.new_email(), "password": PASSWORD, "display_name": name}),
    ):
        answer = await site.request(method, path, somebody, json=body)
        assert answer.status_code == 400
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/display_name"]
    assert await site.head() == before


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=-1", "limit=201", "limit=1e3", "limit=x", "limit=", "limit=99999999999999999999", "limit=%00",
        "cursor=%00", "cursor=x", "cursor=", "cursor=" + "A" * 600, "cursor=%ff%fe", "cursor=18446744073709551616",
    ],
)  # fmt: skip
async def test_parameters_that_are_none(site, auditor, query):
    for path in ("/v1/users", "/v1/events", f"/v1/users/{auditor.id}/history"):
        answer = await site.get(f"{path}?{query}", auditor)
        assert answer.status_code == 400, (path, answer.text)


async def test_every_spelling_of_an_id_is_the_same_user(site, somebody):
    plain = (await site.get(f"/v1/users/{somebody.id}", somebody)).json()
    for spelling in (str(somebody.id).upper(), somebody.id.hex, f"urn:uuid:{somebody.id}", f"{{{somebody.id}}}"):
        answer = await site.get(f"/v1/users/{spelling}", somebody)
        assert answer.status_code in (200, 404)
        if answer.status_code == 200:
            assert answer.json() == plain


async def test_other_spellings_of_an_id_prove_no_second_address(site):
    user_id = await site.registered()
    token = {"token": site.link(user_id)}
    spelled = user_id.upper().replace("-", "")
    statuses = [
        (await site.post(f"/v1/users/{spelling}/email/verify", token)).status_code for spelling in (spelled, user_id)
    ]
    assert statuses.count(204) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("twin{n}@example.com", "TWIN{n}@EXAMPLE.com"),
        ("caf\u00e9{n}@example.com", "cafe\u0301{n}@example.com"),
        ("full{n}@example.com", "full{n}@\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45.com"),
        ("idn{n}@b\u00fccher.example", "idn{n}@xn--bcher-kva.example"),
    ],
)
async def test_two_spellings_of_one_address_make_one_account(site, one, other):
    number = await site.head()
    one, other = one.format(n=number), other.format(n=number)
    person = await site.person(email=one)
    answer = await site.post("/v1/users", {"email": other, "password": PASSWORD}, site.administrator)
    assert answer.status_code == 409
    assert (await site.signed_in(other)).id == person.id


@pytest.mark.parametrize(
    "addresses",
    [
        ("i{n}@example.com", "\u0131{n}@example.com", "\u0130{n}@example.com"),
        ("stra\u00dfe{n}@example.com", "strasse{n}@example.com"),
    ],
    ids=ascii,
)
async def test_two_addresses_make_two_accounts(site, addresses):
    number = await site.head()
    for one in addresses:
        body = {"email": one.format(n=number), "password": PASSWORD}
        assert (await site.post("/v1/users", body, site.administrator)).status_code == 201


async def test_a_bad_token_is_not_repeated(site, capsys):
    user_id = await site.registered()
    for path, body in (
        (f"/v1/users/{user_id}/email/verify", {"token": "verysecrettoken"}),
        ("/v1/sessions/refresh", {"refresh_token": "verysecrettoken"}),
        ("/v1/sessions", {"email": "verysecrettoken", "password": "verysecrettoken"}),
        ("/v1/administrators", {"token": "verysecrettoken", "email": "a@example.com", "password": "verysecrettoken"}),
    ):
        answer = await site.post(path, body)
        assert 400 <= answer.status_code < 500
        assert "verysecrettoken" not in answer.text
    answer = await site.get("/v1/me", headers={"Authorization": "Bearer verysecrettoken"})
    assert "verysecrettoken" not in answer.text + str(answer.headers)
    assert "verysecrettoken" not in capsys.readouterr().out
