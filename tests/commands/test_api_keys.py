"""API keys: how they are written, who may have which, and until when they open anything."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given as anything
from hypothesis import strategies as st

from commands import user as users
from commands.api_key import NO_API_KEY, fold
from commands.api_keys import PATTERN, made_key, prefix_of, read_key
from commands.api_keys_of_user import api_keys_of_user
from commands.end_all_sessions import EndAllSessions
from commands.errors import (
    InvalidExpiry,
    InvalidLabel,
    InvalidScope,
    NoSuchApiKey,
    NoSuchUser,
    ScopeNotHeld,
    TooManyApiKeys,
)
from commands.issue_api_key import MOST_API_KEYS, IssueApiKey
from commands.reads import Reads
from commands.revoke_api_key import RevokeApiKey
from commands.use_api_key import UseApiKey, bearer_of
from events.api_key import ApiKeyIssued, ApiKeyRevoked, ApiKeyUsed
from events.user import (
    EmailChanged,
    EmailChangeUndone,
    EmailVerified,
    PasswordChanged,
    PasswordReset,
    RoleGranted,
    RoleRevoked,
    SignedOutEverywhere,
    UserRegistered,
    UserReinstated,
    UserSuspended,
)
from tests.support import NOON, History

ADA, BOB, KEY = UUID(int=1), UUID(int=2), UUID(int=3)
PROVED = (UserRegistered("ada@example.com"), EmailVerified())
LATER = NOON + timedelta(days=7)
ISSUED = ApiKeyIssued(ADA, "report", ("account:read", "users:read"), LATER)


def issuing(**changes):
    return IssueApiKey(**{"user_id": ADA, "name": "report", "scopes": ("account:read",), "days": 7, **changes})


def asked(command, living=0):
    return lambda user: command.decide(user, living, NOON, 365)


class TestTheText:
    @anything(st.uuids(), st.data())
    def test_is_read_again_and_nothing_else_is(self, key_id, data):
        key, hashed = made_key(key_id)
        presented = read_key(key)
        assert presented is not None
        assert (presented.key_id, presented.hash) == (key_id, hashed)
        assert key.startswith(f"{prefix_of(key_id)}_")
        assert re.fullmatch(PATTERN, key)
        at = data.draw(st.integers(0, len(key) - 1))
        other = data.draw(st.sampled_from("0Az_-").filter(lambda one: one != key[at]))
        assert read_key(key[:at] + other + key[at + 1 :]) is None

    @pytest.mark.parametrize(
        "text", ["", "muster_", "muster_" + "z" * 72, "muster_0_0", "eyJ.x.y", "muster_" + "\u0660" * 72]
    )
    def test_of_another_form_is_none(self, text):
        assert read_key(text) is None

    def test_is_never_the_same(self):
        assert made_key(KEY)[0] != made_key(KEY)[0]


class TestIssuing:
    def test_gives_a_key_with_its_scopes_once_each(self, given):
        asked_twice = issuing(scopes=("users:read", "account:read", "users:read"))
        given(*PROVED, RoleGranted("auditor")).when(asked(asked_twice)).then(ISSUED)

    @pytest.mark.parametrize("scope", ["users:read", "users:write", "operations"])
    def test_refuses_what_the_user_may_not(self, given, scope):
        given(*PROVED, RoleGranted("analyst")).when(asked(issuing(scopes=(scope,)))).then_refused(ScopeNotHeld)

    @pytest.mark.parametrize("scopes", [(), ("everything",), ("account:read", "")])
    def test_refuses_what_is_no_scope(self, given, scopes):
        given(*PROVED).when(asked(issuing(scopes=scopes))).then_refused(InvalidScope)

    @pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\rb", "a\u202eb"])
    def test_refuses_names_that_do_harm(self, given, name):
        given(*PROVED).when(asked(issuing(name=name))).then_refused(InvalidLabel)

    @pytest.mark.parametrize("days", [0, -1, 366])
    def test_refuses_to_last_longer_than_is_allowed(self, given, days):
        given(*PROVED).when(asked(issuing(days=days))).then_refused(InvalidExpiry)

    def test_refuses_one_too_many(self, given):
        given(*PROVED).when(asked(issuing(), MOST_API_KEYS)).then_refused(TooManyApiKeys)

    @pytest.mark.parametrize("past", [(), PROVED[:1], (*PROVED, UserSuspended())])
    def test_refuses_who_cannot_sign_in(self, given, past):
        given(*past).when(asked(issuing())).then_refused(NoSuchUser)


def key_of(*more):
    return fold(History("api_key", KEY).of(ISSUED, *more))


class TestRevoking:
    def test_ends_it_once(self):
        command = RevokeApiKey(ADA, KEY)
        assert command.decide(key_of()) == [ApiKeyRevoked()]
        assert command.decide(key_of(ApiKeyRevoked())) == []

    @pytest.mark.parametrize(("owner", "key"), [(BOB, key_of()), (ADA, NO_API_KEY)])
    def test_refuses_anothers_and_what_never_was_alike(self, owner, key):
        with pytest.raises(NoSuchApiKey):
            RevokeApiKey(owner, KEY).decide(key)


class TestUse:
    def test_is_noted_once_a_day(self):
        command = UseApiKey(KEY)
        assert command.decide(key_of(), NOON) == [ApiKeyUsed()]
        assert command.decide(key_of(ApiKeyUsed()), NOON + timedelta(hours=11, minutes=59)) == []
        assert command.decide(key_of(ApiKeyUsed()), NOON + timedelta(hours=12)) == [ApiKeyUsed()]
        assert command.decide(key_of(ApiKeyRevoked()), NOON) == []
        assert command.decide(NO_API_KEY, NOON) == []


class TestLiving:
    @pytest.mark.parametrize(
        ("since", "lives"),
        [
            ((), True),
            ((PasswordChanged(),), True),
            ((SignedOutEverywhere(),), True),
            ((UserSuspended(),), False),
            ((UserSuspended(), UserReinstated()), True),
            ((PasswordReset(),), False),
            ((EmailChanged("b@example.com"), EmailChangeUndone("ada@example.com")), False),
        ],
    )
    def test_depends_on_what_happened_to_the_user_since(self, since, lives):
        user = fold_user(*PROVED, *since)
        key = fold(History("api_key", KEY).of(ApiKeyUsed(), ISSUED))  # at position 2, before what came since
        assert key.lives_for(user, NOON) is lives

    def test_ends_with_the_time_and_is_its_owners_alone(self):
        user, key = fold_user(*PROVED), key_of()
        assert key.lives_for(user, LATER - timedelta(seconds=1))
        assert not key.lives_for(user, LATER)
        assert not fold(History("api_key", KEY).of(ApiKeyIssued(BOB, "x", ("account:read",), LATER))).lives_for(
            user, NOON
        )

    def test_gives_no_more_than_the_user_has_at_the_moment(self):
        auditor = (*PROVED, RoleGranted("auditor"))
        assert key_of().permissions(fold_user(*auditor)) == {"account:read", "users:read"}
        assert key_of().permissions(fold_user(*auditor, RoleRevoked("auditor"))) == {"account:read"}


def fold_user(*events):
    return users.fold(History(stream_id=ADA).of(*events))


@pytest.fixture
def reads(muster):
    return Reads(muster.pool, muster.database.keys)


async def borne(muster, reads, key):
    presented = read_key(key)
    assert presented is not None
    return await bearer_of(reads, presented, muster.now)


async def test_a_key_is_known_again_by_its_hash_and_nothing_else_is_kept_of_it(muster, reads):
    user_id = await muster.registered()
    made = await muster.ask(IssueApiKey(user_id, "report", ("account:read",), 30))
    bearer = await borne(muster, reads, made.key)
    assert bearer is not None
    assert (bearer.user_id, bearer.key_id, bearer.permissions) == (user_id, made.id, {"account:read"})
    stranger = made_key(made.id)[0]
    assert await borne(muster, reads, stranger) is None
    assert await borne(muster, reads, made_key(user_id)[0]) is None
    dump = await muster.database.query("SELECT state::text || coalesce(metadata::text, '') FROM stored_events")
    secret = made.key.rpartition("_")[2]
    assert not [row for row in dump if secret in row[0] or "report" in row[0]]


async def test_what_has_expired_makes_room_and_leaves_nothing(muster, reads):
    user_id = await muster.registered()
    old = await muster.ask(IssueApiKey(user_id, "old", ("account:read",), 1))
    await muster.ask(UseApiKey(old.id))
    muster.now += timedelta(days=2)
    assert await borne(muster, reads, old.key) is None
    new = await muster.ask(IssueApiKey(user_id, "new", ("account:read",), 1))
    kept = await muster.database.query("SELECT owner_id FROM secrets WHERE kind = 'api-key'")
    assert [row["owner_id"] for row in kept] == [new.id]
    _, told = await api_keys_of_user(muster.pool, muster.database.keys, user_id, muster.now)
    assert [(key.name, key.status, key.last_used_on) for key in told] == [
        ("new", "active", None),
        ("old", "expired", datetime.now(UTC).date()),
    ]


async def test_nobody_has_more_than_there_may_be(muster):
    user_id = await muster.registered()
    for number in range(MOST_API_KEYS):
        last = await muster.ask(IssueApiKey(user_id, f"{number}", ("account:read",), 1))
    with pytest.raises(TooManyApiKeys):
        await muster.ask(IssueApiKey(user_id, "more", ("account:read",), 1))
    await muster.ask(RevokeApiKey(user_id, last.id))
    await muster.ask(IssueApiKey(user_id, "more", ("account:read",), 1))


async def test_the_id_of_something_else_is_no_keys(muster):
    user_id = await muster.registered()
    with pytest.raises(NoSuchApiKey):
        await muster.ask(RevokeApiKey(user_id, user_id))
    made = await muster.ask(IssueApiKey(user_id, "report", ("account:read",), 1))
    with pytest.raises(NoSuchUser):
        await muster.ask(EndAllSessions(made.id))
    with pytest.raises(NoSuchUser):
        await api_keys_of_user(muster.pool, muster.database.keys, made.id, muster.now)
