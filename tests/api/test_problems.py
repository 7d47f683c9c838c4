"""Errors as problems."""

import pytest

from api.problems import described_problems, reason_of, slug, title
from api.reasons import STATUSES, InternalError
from events.errors import StoreUnavailable


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/users/not-an-id", 404),
        ("PUT", "/v1/users", 405),
        ("DELETE", "/livez", 405),
    ],
)
async def test_what_the_framework_refuses_is_a_problem_too(site, method, path, status):
    answer = await site.request(method, path, headers={"X-Request-Id": "this-one"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.keys() == {"type", "title", "status", "detail", "instance", "request_id"}
    assert (problem["status"], problem["instance"], problem["request_id"]) == (status, path, "this-one")


async def test_405_says_what_can_be_done(site):
    assert (await site.request("PUT", "/v1/users")).headers["allow"] == "GET, HEAD, OPTIONS, POST"


async def test_a_bug_is_a_problem_that_tells_nothing(site, somebody, monkeypatch):
    async def broken(*_arguments, **_named):
        raise RuntimeError("the secret is 1234")

    monkeypatch.setattr("queries.users.UserReads.user_by_id", broken)
    answer = await site.get("/v1/me", somebody)
    assert answer.status_code == 500
    assert answer.json()["type"].endswith("/problems/internal-error")
    assert "1234" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("row", described_problems(), ids=lambda row: row[0])
async def test_every_type_resolves_for_programs_and_for_people(site, row):
    name, status, words, meaning = row
    answer = await site.get(f"/problems/{name}")
    assert answer.json() == {
        "type": f"{site.settings.base_url}/problems/{name}",
        "title": words,
        "status": status,
        "meaning": meaning,
    }
    page = await site.get(f"/problems/{name}", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    assert words in page.text


async def test_a_type_that_there_is_not_does_not_resolve(site):
    answer = await site.get("/problems/<script>")
    assert answer.status_code == 404


def test_types_are_named_for_their_reasons():
    from commands.errors import LinkSpent

    assert (slug(LinkSpent), title(LinkSpent)) == ("link-spent", "Link spent")


def test_every_reason_says_what_it_means_and_has_a_name_of_its_own():
    assert all(meaning for _, _, _, meaning in described_problems())
    assert len({row[0] for row in described_problems()}) == len(STATUSES)


def test_every_refusal_of_a_command_has_a_status():
    from commands.errors import Refused

    assert {
        refusal for refusal in Refused.__subclasses__() if refusal.__module__ == "commands.errors"
    } <= STATUSES.keys()


def test_what_a_library_says_stays_with_us():
    error = StoreUnavailable("The store cannot take commands now: password of muster_writer")
    error.__cause__ = OSError("password of muster_writer")
    assert "muster_writer" not in str(reason_of(error))
    assert isinstance(reason_of(KeyError("x")), InternalError)
