"""Whatever happened, however it is cut into batches and partitions, and however often it is divided anew: the same rows."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from itertools import groupby
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from events.codec import has_personal_fields, personal_fields
from events.data_keys import DataKeys
from events.event import Event, Recorded
from events.personal import FORGOTTEN
from events.session import SessionEnded, SessionEvent, SessionStarted, SteppedUp
from events.store import read_log
from events.user import (
    AdministratorsMetadataChanged,
    DisplayNameChanged,
    EmailChanged,
    EmailChangeRequested,
    EmailChangeUndone,
    EmailVerified,
    ErasureRequested,
    FormerAddressReleased,
    LocaleChanged,
    OwnMetadataChanged,
    PasskeyAdded,
    PasskeyCountWentBack,
    PasskeyRemoved,
    PictureChanged,
    RecoveryCodesIssued,
    RecoveryCodeUsed,
    RegistrationSuperseded,
    RoleGranted,
    RoleRevoked,
    ServiceAccountCreated,
    TimeZoneChanged,
    UserErased,
    UserEvent,
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
SESSIONS_EACH = 2
OF_USERS: tuple[type[Event], ...] = get_args(UserEvent)
OF_SESSIONS: tuple[type[Event], ...] = get_args(SessionEvent)

addresses = st.sampled_from(["a@example.com", "b@example.com", "c@example.com"])
names = st.none() | st.text("abc", max_size=3)
locales = st.sampled_from([None, "de", "pt-BR"])
time_zones = st.sampled_from([None, "Europe/Berlin"])
pictures = st.sampled_from([None, "https://example.com/a.png"])
values = st.sampled_from([None, True, 7, 0.5, "seven", {"of": [7, None]}])
entries = st.dictionaries(st.sampled_from(["team", "note"]), values).map(lambda noted: tuple(noted.items()))
roles = st.sampled_from(["auditor", "analyst"])
passkeys = st.sampled_from([UUID(int=7), UUID(int=8)])
methods = st.sampled_from(["password", "passkey"])
superseded = RegistrationSuperseded(uuid7())
FIELDS: dict[type[Event], dict[str, st.SearchStrategy[Any]]] = {
    UserRegistered: {
        "email": addresses,
        "display_name": names,
        "locale": locales,
        "mailed": st.sampled_from([UNSET, {"verification": (NOON,)}]),
    },
    UserImported: {
        "email": addresses,
        "email_verified": st.booleans(),
        "display_name": names,
        "locale": locales,
        "time_zone": time_zones,
        "picture_url": pictures,
        "own_metadata": entries,
        "administrators_metadata": entries,
        "external_id": st.sampled_from([None, "17"]),
        "registered_at": st.sampled_from([None, NOON - timedelta(days=400)]),
    },
    ServiceAccountCreated: {"name": st.sampled_from(["billing", "reports"])},
    RegistrationSuperseded: {"by": st.just(superseded.by)},
    EmailChangeRequested: {"email": addresses},
    EmailChanged: {"email": addresses},
    EmailChangeUndone: {"email": addresses},
    FormerAddressReleased: {"email": addresses},
    DisplayNameChanged: {"display_name": names},
    LocaleChanged: {"locale": locales},
    TimeZoneChanged: {"time_zone": time_zones},
    PictureChanged: {"picture_url": pictures},
    OwnMetadataChanged: {"changes": entries},
    AdministratorsMetadataChanged: {"changes": entries},
    RoleGranted: {"role": roles},
    RoleRevoked: {"role": roles},
    UserLocked: {"until": st.just(NOON)},
    ErasureRequested: {"due_at": st.just(NOON)},
    RecoveryCodesIssued: {"count": st.just(10)},
    RecoveryCodeUsed: {"left": st.integers(0, 9)},
    PasskeyAdded: {"passkey_id": passkeys, "label": st.text("abc", min_size=1, max_size=3)},
    PasskeyRemoved: {"passkey_id": passkeys},
    PasskeyCountWentBack: {"passkey_id": passkeys},
    SessionStarted: {"user_id": st.just(UUID(int=0)), "method": methods},
    SteppedUp: {"method": methods},
}
"""What events say beside that they happened; whose session it is, is told when it is known."""

OFTEN: tuple[type[Event], ...] = (
    UserRegistered,
    UserImported,
    EmailVerified,
    VerificationRequested,
    DisplayNameChanged,
    RoleGranted,
    RoleRevoked,
    SessionStarted,
)
LIKELY: tuple[type[Event], ...] = (*OF_USERS, *OF_SESSIONS, *OFTEN * 3)
"""All events there are, and those again on which others build: little comes of what happens to nobody."""


def happening(event: type[Event]) -> st.SearchStrategy[Any]:
    """An event of a user, or the number of a session of theirs and an event of that."""
    made = st.builds(event, **FIELDS.get(event, {}))
    return st.tuples(st.integers(0, SESSIONS_EACH - 1), made) if event in OF_SESSIONS else made


def any_of(events: Iterable[type[Event]]) -> st.SearchStrategy[Any]:
    """One of these events, the likelier the more often it is named."""
    named = [*events]
    return st.sampled_from(named).flatmap({event: happening(event) for event in named}.__getitem__)


persons = st.integers(0, PEOPLE - 1)
facts = any_of(event for event in LIKELY if event in OF_USERS)
impersonal = any_of(event for event in LIKELY if event in OF_USERS and not has_personal_fields(event))
turns = st.lists(st.tuples(persons, st.lists(any_of(LIKELY), min_size=1, max_size=3)), max_size=12)
histories = turns.map(lambda told: [(person, fact) for person, turn in told for fact in turn])
ends = st.sampled_from([superseded, UserErased()])
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
    """The history, in the store: what follows each other in one stream, in one commit."""
    sessions = [[uuid7() for _ in range(SESSIONS_EACH)] for _ in people]

    def stream(one):
        person, fact = one
        return person, fact[0] if isinstance(fact, tuple) else None

    for (person, number), together in groupby(told, stream):
        happened = [fact for _, fact in together]
        if number is None:
            await log.add(people[person], *happened)
            continue
        of_session = [
            replace(fact, user_id=people[person]) if isinstance(fact, SessionStarted) else fact for _, fact in happened
        ]
        await log.add_to_session(people[person], sessions[person][number], *of_session)


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


def test_every_event_with_all_that_it_says_is_among_what_may_happen():
    assert {event: {*FIELDS.get(event, ())} for event in LIKELY} == {
        event: {*event.__struct_fields__} for event in (*get_args(UserEvent), *get_args(SessionEvent))
    }


@models
@settings(max_examples=300)
@given(st.lists(st.tuples(st.just(0), st.sampled_from(few) | any_of(LIKELY)), min_size=6, max_size=12), ranges)
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
@given(st.lists(facts, max_size=20), ends, st.lists(impersonal, max_size=5))
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
@given(histories, moves, st.lists(st.tuples(persons, ends), max_size=3))
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
            person, end = forgotten.pop()
            await log.add(people[person], end)
            await log.forget(people[person])
    await view.catch_up(most_events=3)
    history = await read_log(view.connection, DataKeys(view.database.master), after=before[0], limit=1_000)
    found = {key: {model.identify(row): row for row in rows} for key, rows in (await view.whole(people)).items()}
    assert unplaced(found) == once(model, history)
    assert min(await view.positions()) == before[0] + len(history)
    assert await view.parked() == []
