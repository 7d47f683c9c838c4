"""Whatever happened, however it is cut into batches and partitions, and however often it is divided anew: the same rows."""

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from events.codec import has_personal_fields, personal_fields
from events.data_keys import DataKeys
from events.event import Recorded
from events.personal import FORGOTTEN
from events.session import RefreshTokenReused, SessionContinued, SessionEnded, SessionStarted, SteppedUp
from events.store import read_log
from events.user import (
    DisplayNameChanged,
    EmailVerified,
    ErasureRequested,
    ErasureWithdrawn,
    PasskeyAdded,
    PasswordChanged,
    RecoveryCodeUsed,
    RegistrationSuperseded,
    RoleGranted,
    RoleRevoked,
    ServiceAccountCreated,
    SignedOutEverywhere,
    TotpConfirmed,
    UserErased,
    UserImported,
    UserLocked,
    UserRegistered,
    VerificationRequested,
)
from projections.folding import BLOCKED, Unreadable, fold, fold_whole
from projections.models import MODELS
from projections.read_model import Several
from tests.projections.terms import OPEN_TERMS, TERMS
from tests.support import NOON, History

PEOPLE = 3
superseded = RegistrationSuperseded(uuid7())
moments = st.none() | st.just(NOON - timedelta(days=400))
facts = st.one_of(
    st.builds(UserRegistered, st.sampled_from(["a@example.com", "b@example.com"])),
    st.builds(UserImported, st.sampled_from(["a@example.com", "c@example.com"]), st.booleans(), registered_at=moments),
    st.just(EmailVerified()),
    st.just(VerificationRequested()),
    st.builds(DisplayNameChanged, st.none() | st.text("abc", max_size=3)),
    st.builds(RoleGranted, st.sampled_from(["auditor", "analyst"])),
    st.builds(PasskeyAdded, st.just(UUID(int=7)), st.text("abc", min_size=1, max_size=3)),
    st.builds(RoleRevoked, st.sampled_from(["auditor", "analyst"])),
    st.sampled_from([SignedOutEverywhere(), UserLocked(NOON), PasswordChanged(), TotpConfirmed(), RecoveryCodeUsed(9)]),
    st.sampled_from([ErasureRequested(NOON), ErasureWithdrawn()]),
    st.sampled_from([superseded, UserErased()]),
    st.builds(ServiceAccountCreated, st.sampled_from(["billing", "reports"])),
)
SESSIONS_EACH = 2
of_sessions = st.tuples(
    st.integers(0, SESSIONS_EACH - 1),
    st.sampled_from(
        [
            SessionStarted(uuid7(), "password"),
            SessionContinued(),
            SteppedUp("totp"),
            SessionEnded(),
            RefreshTokenReused(),
        ]
    ),
)
histories = st.lists(st.tuples(st.integers(0, PEOPLE - 1), facts | of_sessions), max_size=40)
moves = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(0, 3) | st.none()), max_size=6)
few = [
    UserRegistered("a@example.com"),
    UserImported("a@example.com", email_verified=True),
    EmailVerified(),
    VerificationRequested(),
    RoleGranted("auditor"),
    RoleRevoked("auditor"),
    (0, SessionStarted(uuid7(), "password")),
    (0, SessionEnded()),
    superseded,
    UserErased(),
]
ranges = st.lists(st.tuples(st.integers(0, 8), st.integers(4, 12)), min_size=2, max_size=5)
models = pytest.mark.parametrize("model", [*MODELS, TERMS, OPEN_TERMS], ids=lambda model: model.name)


def once(model, history):
    """The rows that one fold over everything makes, told as plainly as can be: by key and identity."""
    keys: dict[Any, dict[Any, Any]] = {}
    for recorded in history:
        if type(recorded.event) not in model.events:
            continue
        rows = keys.setdefault(recorded.subject_id, {})
        if isinstance(model.evolve, Several):
            changes = model.evolve.evolve([row for row in rows.values() if model.is_open(row)], recorded)
        else:
            evolved = model.evolve(next(iter(rows.values()), None), recorded)
            changes = None if evolved is None else [evolved]
        if changes is None:
            rows.clear()
        else:
            rows.update({model.identify(row): row for row in changes})
    return {key: rows for key, rows in keys.items() if rows}


def on_one_log(told):
    """The history as the log holds it: people by turns."""
    versions: Counter[UUID] = Counter()
    for position, (person, fact) in enumerate(told, start=1):
        user_id, stream_type = UUID(int=person), "user"
        stream_id = user_id
        if isinstance(fact, tuple):
            number, fact = fact
            stream_id, stream_type = UUID(int=100 + person * SESSIONS_EACH + number), "session"
            fact = replace(fact, user_id=user_id) if isinstance(fact, SessionStarted) else fact
        versions[stream_id] += 1
        at = NOON + position * timedelta(hours=7)
        yield Recorded(fact, position, stream_id, stream_type, versions[stream_id], user_id, at)


async def record(log, people, told):
    """The history, in the store."""
    sessions = [[uuid7() for _ in range(SESSIONS_EACH)] for _ in people]
    for person, fact in told:
        if isinstance(fact, tuple):
            number, of_session = fact
            if isinstance(of_session, SessionStarted):
                of_session = SessionStarted(people[person], "password")
            await log.add_to_session(people[person], sessions[person][number], of_session)
        else:
            await log.add(people[person], fact)


class Table:
    """What a table does, in memory."""

    def __init__(self, model):
        self.model = model
        self.keys: dict[Any, dict[Any, Any]] = {}
        self.blocked: set[Any] = set()

    def take(self, facts, replaying):
        """A batch of the engine."""
        loaded = {key: [row for row in rows.values() if self.model.is_open(row)] for key, rows in self.keys.items()}
        seen = {key: max(row.position for row in rows.values()) for key, rows in self.keys.items()}
        folded = fold(
            self.model,
            {key: rows for key, rows in loaded.items() if rows},
            facts,
            dict.fromkeys(self.blocked, BLOCKED),
            seen if replaying else {},
        )
        self.blocked = (self.blocked - folded.freed) | {event.key for event in folded.parked}
        for key in folded.removed:
            self.keys.pop(key, None)
        for row in folded.changed:
            self.keys.setdefault(getattr(row, self.model.key), {})[self.model.identify(row)] = row


def unplaced(keys):
    """Rows without the positions that the engine keeps."""
    return {key: {identity: replace(row, position=0) for identity, row in rows.items()} for key, rows in keys.items()}


@models
@settings(max_examples=300)
@given(st.lists(st.tuples(st.just(0), st.sampled_from(few)), min_size=6, max_size=12), ranges)
def test_applied_again_from_anywhere_it_comes_out_the_same(model, told, ranges):
    history = [recorded for recorded in on_one_log(told) if type(recorded.event) in model.events]
    table, reached = Table(model), 0
    for begin, end in [*ranges, (12, 12)]:
        begin = min(begin, reached)
        end = max(end, reached)
        for start in range(begin, end, 3):
            table.take(history[start : min(start + 3, end)], start < reached)
        reached = end
    assert unplaced(table.keys) == once(model, history)


@models
@given(histories)
def test_a_key_folded_by_itself_has_the_rows_of_the_table(model, told):
    history = list(on_one_log(told))
    expected = once(model, history)
    table = Table(model)
    table.take([recorded for recorded in history if type(recorded.event) in model.events], replaying=False)
    for key in {recorded.subject_id for recorded in history}:
        rows = fold_whole(model, [recorded for recorded in history if recorded.subject_id == key])
        assert {model.identify(row): row for row in rows} == table.keys.get(key, {})
        assert {model.identify(row): replace(row, position=0) for row in rows} == expected.get(key, {})


@models
@given(
    st.lists(facts, max_size=20),
    st.sampled_from([superseded, UserErased()]),
    st.lists(facts.filter(lambda fact: not has_personal_fields(type(fact))), max_size=5),
)
def test_what_is_personal_makes_no_difference_once_all_is_gone(model, before, end, after):
    forgotten = [replace(fact, **dict.fromkeys(personal_fields(type(fact)), FORGOTTEN)) for fact in before]
    history = History()
    sealed, opened = ([*facts, end, *after] for facts in (before, forgotten))
    assert fold_whole(model, history.of(*sealed)) == fold_whole(model, history.of(*opened))


@models
@given(st.lists(st.tuples(facts, st.booleans()), max_size=20), st.lists(facts, max_size=5), st.integers(1, 7))
def test_an_erasure_waits_for_nothing_that_is_parked(model, before, after, size):
    history = History().of(*(fact for fact, _ in before), UserErased(), *after)
    broken = {number for number, (_, is_broken) in enumerate(before) if is_broken}
    told = [
        Unreadable(fact.position, history[0].stream_id, ValueError("broken")) if number in broken else fact
        for number, fact in enumerate(history)
        if type(fact.event) in model.events
    ]
    table = Table(model)
    for start in range(0, len(told), size):
        table.take(told[start : start + size], replaying=False)
    if not model.opens_seals:
        assert bool(table.blocked) == any(isinstance(fact, Unreadable) for fact in told)
        return
    assert not table.blocked
    rows = {model.identify(row): row for row in fold_whole(model, told)}
    assert table.keys == ({history[0].stream_id: rows} if rows else {})


@models
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories, moves, st.lists(st.integers(0, PEOPLE - 1), max_size=3))
async def test_any_batches_and_partitions_make_the_rows_of_one_fold(log, view, model, told, moves, forgotten):
    people = [uuid7() for _ in range(PEOPLE)]
    (before,) = await view.database.query("SELECT coalesce(max(notification_id), 0) FROM stored_events")
    await view.set_up(model, 1)
    await view.catch_up()
    await record(log, people, told)
    for partitions, most_events, steps in moves:
        await view.set_up(model, partitions)
        await view.catch_up(most_events, steps)
        if forgotten:
            person = people[forgotten.pop()]
            await log.add(person, superseded)
            await log.forget(person)
    await view.catch_up(most_events=3)
    history = await read_log(view.connection, DataKeys(view.database.master), after=before[0], limit=1_000)
    found = {key: {model.identify(row): row for row in rows} for key, rows in (await view.whole(people)).items()}
    assert unplaced(found) == once(model, history)
    assert min(await view.positions()) == before[0] + len(history)
    assert await view.parked() == []
