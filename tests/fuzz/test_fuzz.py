"""Whatever the OpenAPI document allows and forbids is asked; what is answered is what it declares."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import httpx
import pytest

from settings import Settings
from tests.api.site import in_one_task
from tests.fuzz.aftermath import everything_wrong
from tests.fuzz.house import House, house
from tests.fuzz.known import Known
from tests.fuzz.run import Asked, Report, fuzz

pytestmark = pytest.mark.timeout(300)
SEED: Final = 4
ROUNDS: Final = 3
"""How often an operation that was done to nobody is asked for again."""
# What the operator's one link is for was done to make the administrator. No code of an app, and no
# signature, is found by chance.
NEVER_DONE: Final = {
    "POST /v1/administrators",
    "POST /v1/users/{user_id}/totp/confirm",
    "POST /v1/invitations/accept",
    "POST /v1/users/{user_id}/recovery-codes",
    "POST /v1/users/{user_id}/passkeys",
    "DELETE /v1/users/{user_id}/passkeys/{passkey_id}",
}


@pytest.fixture(scope="module")
async def made(make_database: Callable[[], Any]) -> AsyncIterator[House]:
    async with in_one_task(house(await make_database())) as made:
        yield made


async def asked(made: House, known: Known, what: Asked) -> Report:
    """What is answered to all of it; nothing may be wrong with that, nor with what it leaves."""
    report = await asyncio.to_thread(fuzz, made, known, what)
    wrong = [*report.findings.values(), *await everything_wrong(made, known.secrets)]
    assert not wrong, "\n".join([*map(str, wrong), f"Again: {what}"])
    return report


async def test_keeps_what_the_document_says_to_administrators_who_can_do_everything(made):
    known = Known(made)
    report = await asked(made, known, Asked("administrator", SEED, examples=6))
    async with httpx.AsyncClient(base_url=made.url) as client:
        document = (await client.get("/openapi.json")).json()
    operations = {f"{method.upper()} {path}" for path, found in document["paths"].items() for method in found}
    left = operations - report.accepted
    for seed in range(SEED + 1, SEED + 1 + ROUNDS):
        # What was done to nobody by chance is asked alone, of other people and more often.
        for path in sorted({operation.partition(" ")[2] for operation in left - NEVER_DONE}):
            again = await asked(made, known, Asked("administrator", seed, 20, ("fuzzing",), path))
            left -= again.accepted
    assert left == NEVER_DONE


@pytest.mark.parametrize("caller", ["user", "auditor", "analyst"])
async def test_keeps_what_the_document_says_to_each(made, caller):
    await asked(made, Known(made), Asked(caller, SEED, 3, ("fuzzing",)))


async def test_keeps_what_the_document_says_to_anyone_also_when_they_ask_too_often(make_database, valkey):
    few: dict[str, Any] = {
        name: "3 per hour"
        for name in Settings.__struct_fields__
        if name.endswith("_by_address") and "sign_in" not in name  # the test's own people sign in as well
    }
    async with in_one_task(house(await make_database(), redis_url=valkey.url, **few)) as made:
        report = await asked(made, Known(made), Asked("anonymous", SEED, 5, ("fuzzing", "stateful")))
    assert 429 in {status for _, status in report.answers}
