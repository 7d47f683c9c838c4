"""People who come from elsewhere, over HTTP."""

import asyncio
import json
from uuid import uuid4

import pytest
from passlib.hash import bcrypt, django_pbkdf2_sha256
from uuid_utils.compat import uuid7

from api.import_rows import ImportRow
from api.importing import ROWS_AT_ONCE
from tests.api.conftest import whole as whole_muster
from tests.api.imported import imported, sent, told
from tests.api.site import PASSWORD, in_one_task
from tests.docs.steps import ROOT

WHOLE = {
    "external_id": "crm:4711",
    "email_verified": True,
    "display_name": "Ada Lovelace",
    "locale": "en-GB",
    "time_zone": "Europe/London",
    "picture_url": "https://example.com/ada.png",
    "metadata": {"own": {"theme": "dark"}, "admin": {"plan": "gold"}},
    "roles": ["auditor"],
    "registered_at": "2019-05-04T11:30:00+02:00",
}


def whole(**changes):
    number = uuid4()
    return WHOLE | {"email": f"{number}@example.com", "external_id": f"crm:{number}", "id": str(uuid7())} | changes


async def viewed(site, row):
    headers = {"Min-Position": str(await site.head()), "Prefer": "wait=10"}
    return (await site.get(f"/v1/users/{row['user_id']}", site.administrator, headers=headers)).json()


async def test_what_is_told_of_a_user_is_what_is_shown(site):
    row = whole()
    first, summary = await imported(site, [row])
    assert first == {"line": 1, "outcome": "imported", "external_id": row["external_id"], "user_id": row["id"]}
    assert summary["summary"] | {"position": 0} == {
        "rows": 1, "imported": 1, "unchanged": 0, "differs": 0, "refused": 0, "position": 0, "dry_run": False,
    }  # fmt: skip
    view = await viewed(site, first)
    assert {name: view[name] for name in row if name not in ("external_id", "registered_at")} == {
        name: row[name] for name in row if name not in ("external_id", "registered_at")
    }
    assert (view["registered_at"], view["status"], view["version"]) == ("2019-05-04T09:30:00Z", "active", 2)
    history = (await site.get(f"/v1/users/{row['id']}/history", site.administrator)).json()["items"]
    assert [(event["type"], event["command"]) for event in history] == [
        ("UserImported", "ImportUser"),
        ("RoleGranted", "ImportUser"),
    ]
    assert history[0]["actor"] == {"type": "user", "id": str(site.administrator.id)}
    assert history[0]["data"]["external_id"] == row["external_id"]


async def test_each_line_is_told_of_in_its_order_whatever_became_of_it(site):
    taken = whole()
    rows = [
        taken,
        {"email": site.new_email()},
        b"{",
        b"",
        {"email": "nowhere", "locale": "x", "roles": ["king"], "id": "no", "strange": 1},
        taken,
        {"email": taken["email"]},
        taken | {"display_name": "Countess", "roles": []},
    ]
    *lines, summary = await imported(site, rows)
    assert [(line["line"], line["outcome"]) for line in lines] == [
        (1, "imported"),
        (2, "imported"),
        (3, "refused"),
        (5, "refused"),
        (6, "unchanged"),
        (7, "refused"),
        (8, "differs"),
    ]
    assert lines[2]["reason"] == "malformed-body"
    assert lines[3]["reason"] == "invalid-fields"
    pointers = {error["pointer"] for error in lines[3]["errors"]}
    assert pointers == {"/email", "/locale", "/roles", "/id", "/strange"}
    assert (lines[5]["reason"], lines[5]["errors"][0]["pointer"]) == ("address-taken", "/email")
    assert lines[6]["differs"] == ["display_name", "roles"]
    counts = {"rows": 7, "imported": 2, "unchanged": 1, "differs": 1, "refused": 3}
    assert {name: summary["summary"][name] for name in counts} == counts


async def test_why_somebody_is_brought_in_stands_in_their_history(site):
    why = "taken over with the shop"
    brought, silent, wrong, _ = await imported(
        site, [whole(reason=why), whole(), {"email": site.new_email(), "reason": ""}]
    )
    for row, reason in ((brought, why), (silent, None)):
        history = (await site.get(f"/v1/users/{row['user_id']}/history", site.administrator)).json()["items"]
        assert [event["reason"] for event in history] == [reason] * 2
    assert (wrong["outcome"], wrong["errors"][0]["pointer"]) == ("refused", "/reason")


async def test_what_was_done_in_part_is_sent_again_whole(site):
    rows = [whole() for _ in range(3 * ROWS_AT_ONCE)]
    await imported(site, rows[: len(rows) // 2])
    *lines, summary = await imported(site, rows)
    assert [line["outcome"] for line in lines] == ["unchanged"] * (len(rows) // 2) + ["imported"] * (len(rows) // 2)
    *_, again = await imported(site, rows)
    assert again["summary"]["unchanged"] == summary["summary"]["rows"] == len(rows)


async def test_two_imports_of_the_same_at_once_make_everyone_once(site):
    rows = [whole(id=None) for _ in range(60)]
    answers = await asyncio.gather(imported(site, rows), imported(site, rows), imported(site, reversed(rows)))
    assert sum(summary["summary"]["imported"] for *_, summary in answers) == len(rows)
    assert sum(summary["summary"]["unchanged"] for *_, summary in answers) == 2 * len(rows)


async def test_an_empty_one_is_taken(site):
    for body in (b"", b"\n\n", b"  \r\n"):
        answer = await sent(site, body)
        assert told(answer) == [{"summary": told(answer)[0]["summary"]}]
        assert answer.headers["event-position"] == str(await site.head())


async def test_a_dry_run_tells_and_does_nothing(site):
    known = whole()
    await imported(site, [known])
    before = await site.head()
    new = whole(id=None)
    answer = await sent(
        site,
        b"\n".join(json.dumps(row).encode() for row in (known, new, whole(), {"email": "x"}, known | {"roles": []})),
        Prefer="dry-run",
    )
    *lines, summary = told(answer)
    assert [line["outcome"] for line in lines] == ["unchanged", "imported", "imported", "refused", "differs"]
    assert "user_id" not in lines[1]
    assert summary["summary"]["dry_run"] is True
    assert answer.headers["preference-applied"] == "dry-run"
    assert await site.head() == before


@pytest.mark.parametrize(
    "hashed",
    [bcrypt.using(rounds=4).hash(PASSWORD), django_pbkdf2_sha256.using(rounds=10).hash(PASSWORD)],
    ids=["bcrypt", "Django's"],
)
async def test_people_sign_in_with_the_password_that_they_had(site, hashed):
    row = whole(password_hash=hashed)
    await imported(site, [row])
    for _ in range(2):
        assert str((await site.signed_in(row["email"])).id) == row["id"]
    refused = await site.post("/v1/sessions", {"email": row["email"], "password": "not the password"})
    assert refused.status_code == 401


async def test_an_address_that_is_not_proved_is_proved_by_a_link_like_any_other(site):
    row = whole(email_verified=False, roles=[], password_hash=bcrypt.using(rounds=4).hash(PASSWORD))
    await imported(site, [row])
    refused = await site.post("/v1/sessions", {"email": row["email"], "password": PASSWORD})
    assert refused.status_code == 401
    token = await site.newest_link(row["id"], "VerificationRequested")
    assert (await site.post(f"/v1/users/{row['id']}/email/verify", {"token": token})).status_code == 204
    await site.signed_in(row["email"])


async def test_the_answer_comes_under_the_limits_of_commands_once(make_database, valkey):
    made = whole_muster(await make_database(), redis_url=valkey.url, limit_commands_by_account="3 per hour")
    async with in_one_task(made) as limited:
        statuses = [
            (await sent(limited, b"\n".join(b'{"email": "a%d@example.com"}' % n for n in range(20)))).status_code
            for _ in range(4)
        ]
    assert statuses == [200, 200, 200, 429]


async def test_the_document_says_what_is_taken_and_answered(site):
    described = (await site.get("/openapi.json")).json()["paths"]["/v1/imports"]["post"]
    assert described["requestBody"]["content"].keys() == {"application/x-ndjson"}
    assert described["responses"]["200"]["content"].keys() == {"application/x-ndjson"}
    assert "Idempotency-Key" not in {parameter["name"] for parameter in described["parameters"]}


def test_every_field_of_a_row_stands_in_the_documentation():
    page = (ROOT / "docs" / "moving-in.md").read_text("utf-8")
    for name in ImportRow.__struct_fields__:
        assert f"| `{name}` |" in page
