"""Whatever happened, however it is cut into batches and partitions, and however often it is divided anew: the same rows."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from events.store import read_log
from events.user import (
    DisplayNameChanged,
    EmailVerified,
    RegistrationSuperseded,
    RoleGranted,
    RoleRevoked,
    UserRegistered,
    VerificationRequested,
)
from projections.folding import fold
from projections.users import USERS, evolve
from tests.support import NOON, History

facts = st.one_of(
    st.builds(UserRegistered, st.sampled_from(["a@example.com", "b@example.com"])),
    st.just(EmailVerified()),
    st.just(VerificationRequested()),
    st.builds(DisplayNameChanged, st.none() | st.text("abc", max_size=3)),
    st.builds(RoleGranted, st.sampled_from(["auditor", "analyst"])),
    st.builds(RoleRevoked, st.sampled_from(["auditor", "analyst"])),
    st.just(RegistrationSuperseded(uuid7())),
)
histories = st.lists(st.tuples(st.integers(0, 5), facts), max_size=40)
moves = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(0, 3) | st.none()), max_size=6)


def once(history):
    """The rows that one fold over everything makes, by who they are."""
    rows: dict[Any, Any] = {}
    for recorded in history:
        if type(recorded.event) in USERS.events:
            rows[recorded.subject_id] = evolve(rows.get(recorded.subject_id), recorded)
    return {key: row for key, row in rows.items() if row is not None}


def on_one_log(told):
    """The history as the log holds it: people by turns."""
    people = [History() for _ in range(6)]
    versions = [0] * 6
    for position, (person, fact) in enumerate(told, start=1):
        versions[person] += 1
        (recorded,) = people[person].of(fact)
        yield replace(recorded, position=position, version=versions[person], recorded_at=NOON)


@given(histories, st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8))
def test_folding_again_what_was_folded_changes_nothing(told, ranges):
    history = [recorded for recorded in on_one_log(told) if type(recorded.event) in USERS.events]
    expected = once(history)
    rows: dict[Any, Any] = {}
    for begin, end in [*ranges, (0, 40)]:
        begun = fold(USERS, rows, history[: max(begin, end)], {})
        rows = {**{key: row for key, row in rows.items() if key not in begun.removed}, **begun.changed}
    assert {key: replace(row, position=0) for key, row in rows.items()} == expected


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories, moves)
async def test_any_batches_and_partitions_make_the_rows_of_one_fold(log, view, told, moves):
    people = [uuid7() for _ in range(6)]
    (before,) = await view.database.query("SELECT coalesce(max(notification_id), 0) FROM stored_events")
    await view.set_up(USERS, 1)
    await view.catch_up()
    for person, fact in told:
        await log.add(people[person], fact)
    for partitions, most_events, steps in moves:
        await view.set_up(USERS, partitions)
        await view.catch_up(most_events, steps)
    await view.catch_up(most_events=3)
    expected = once(
        recorded for recorded in await read_log(view.connection, view.database.keys, after=before[0], limit=1_000)
    )
    rows = {key: row for key, row in (await view.rows()).items() if key in people}
    assert {key: shown(row) for key, row in rows.items()} == {key: shown(row) for key, row in expected.items()}
    assert min(await view.positions()) == before[0] + len(told)


def shown(row):
    """What is the same of a row in the table and one in memory."""
    get = row.__getitem__ if not hasattr(row, "email") else lambda name: getattr(row, name)
    names = ("email", "email_verified", "display_name", "status", "registered_at", "updated_at", "version")
    return [*(get(name) for name in names), list(get("roles"))]
