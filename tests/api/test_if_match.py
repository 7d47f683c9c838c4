"""`If-Match` on whatever answers a version: refused and nothing done when somebody was quicker, done when nobody was."""

from uuid import UUID

import pytest

from tests.api.accepted import VERSIONED, about_a_view, operation_of


async def version_of(site, stream):
    (row,) = await site.database.query(
        "SELECT coalesce(max(originator_version), 0) AS version FROM stored_events WHERE originator_id = $1",
        UUID(str(stream)),
    )
    return row["version"]


async def is_compared(site, asked):
    version, before = await version_of(site, asked.stream), await site.head()
    for stale in (f'"{version + 1}"', f'"{version - 1}.1."', f'W/"{version}"'):
        answer = await asked.sent(site, {"If-Match": stale})
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (412, "stale-version"), answer.text
    assert await site.head() == before
    answer = await asked.sent(site, {"If-Match": f'"{version}"'})
    assert answer.status_code == asked.status, answer.text
    assert answer.headers["etag"].startswith(f'"{version + asked.facts}.')
    assert await version_of(site, asked.stream) == version + asked.facts


@pytest.mark.parametrize("name", VERSIONED)
async def test_is_compared_with_the_stream_whose_version_is_answered(site, name):
    await is_compared(site, await VERSIONED[name](site))


async def test_is_compared_with_what_was_decided_about_a_view(fresh):
    for asked in (await about_a_view(fresh)).values():
        if asked.stream is not None:
            await is_compared(fresh, asked)


async def test_stands_in_the_document_where_it_is_compared_and_nowhere_else(site):
    described = (await site.get("/openapi.json")).json()["paths"]
    taking = {
        operation["operationId"]
        for methods in described.values()
        for operation in methods.values()
        if "If-Match" in [parameter["name"] for parameter in operation.get("parameters", ())]
    }
    assert {*map(operation_of, VERSIONED), "retry_parked_events", "discard_parked_event"} == taking
