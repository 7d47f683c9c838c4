"""The first steps of the README and of the tutorial, run word for word."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.docs.steps import ROOT, Ran, run

PAGES = ("README.md", "docs/tutorial.md")


@pytest.fixture(scope="module", params=PAGES)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """What came of the blocks of a page."""
    folder: Path = tmp_path_factory.mktemp("steps")
    return run(ROOT / request.param, folder)


def documents(ran: Ran) -> list[dict[str, Any]]:
    """The JSON that the blocks printed."""
    found = []
    for printed in ran.printed:
        begin = printed.find("{")
        if begin != -1:
            found.append(json.JSONDecoder().raw_decode(printed[begin:])[0])
    return found


def test_the_mail_is_shown(ran: Ran) -> None:
    assert any("Subject: Is this your address?" in printed for printed in ran.printed)


def test_the_change_is_read(ran: Ran) -> None:
    names = [document["display_name"] for document in documents(ran) if "display_name" in document]
    assert names == ["Ada", "Ada Lovelace"]


def test_the_administrator_sees_both_users(ran: Ran) -> None:
    (page,) = [document for document in documents(ran) if "items" in document and "email" in document["items"][0]]
    assert [user["email"] for user in page["items"]] == ["grace@example.com", "ada@example.com"]


def test_the_auditor_sees_who_did_what_and_why(ran: Ran) -> None:
    (page,) = [document for document in documents(ran) if "items" in document and "actor" in document["items"][0]]
    assert [event["type"] for event in page["items"]][:5] == [
        "UserRegistered",
        "EmailVerified",
        "SessionStarted",
        "DisplayNameChanged",
        "RoleGranted",
    ]
    granted = page["items"][4]
    assert granted["command"] == "GrantRole"
    assert granted["reason"] == "reviews the quarter"
    assert granted["actor"]["type"] == "user"


def test_what_is_refused_is_refused_for_the_reason_that_is_told(ran: Ran) -> None:
    problems = [
        document["type"].rpartition("/")[2] for document in documents(ran) if isinstance(document.get("status"), int)
    ]
    told = ["invalid-fields", "link-spent", "stale-version", *["invalid-access-token"] * 3]
    assert problems in ([], told), ran.printed
    assert bool(problems) == ("append-only: DELETE" in ran.printed[-1])


def test_an_account_that_was_taken_away_is_taken_back(ran: Ran) -> None:
    (raw,) = [printed for printed in ran.printed if "notification_id" in printed]
    found = re.findall(r" (PasswordReset|EmailChanged|EmailChangeUndone) ", raw)
    assert found == (["PasswordReset", "EmailChanged", "EmailChangeUndone"] if "DELETE" in ran.printed[-1] else [])


def test_the_raw_events_tell_nothing_personal(ran: Ran) -> None:
    (raw,) = [printed for printed in ran.printed if "notification_id" in printed]
    assert "UserRegistered" in raw
    assert "sealed" in raw
    assert "lovelace" not in raw.lower()
    assert "example.com" not in raw
