"""People who were users elsewhere."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from msgspec.structs import replace
from passlib.hash import argon2
from uuid_utils.compat import uuid4, uuid7

from commands.claims import rebuild_claims
from commands.errors import (
    AddressNotProved,
    AddressTaken,
    IdTaken,
    InvalidAddress,
    InvalidCredentials,
    InvalidExternalId,
    InvalidId,
    InvalidMetadata,
    InvalidPasswordHash,
    InvalidRegistrationTime,
    LinkSpent,
    NoSuchRole,
)
from commands.first_administrator import InviteFirstAdministrator, SignUpFirstAdministrator
from commands.grant_role import GrantRole, RevokeRole
from commands.import_user import Imported, ImportUser
from commands.register_user import RegisterUser
from commands.request_password_reset import RequestPasswordReset
from commands.sign_in import SignIn
from commands.suspend_user import ReinstateUser, SuspendUser
from commands.user import Mail
from commands.verify_email import VerifyEmail
from events.administrators import STREAM_ID as ADMINISTRATORS
from events.connections import connect
from events.store import read_stream
from events.user import (
    EmailVerified,
    RegistrationSuperseded,
    RoleGranted,
    UserImported,
    UserRegistered,
    UserSuspended,
    VerificationRequested,
)
from tests.muster import PASSWORD

told = UserImported("ada@example.com", email_verified=True)
ask = ImportUser(email="ada@example.com", email_verified=True)
unproved = ImportUser(email="ada@example.com")
registered, proved = UserRegistered("ada@example.com"), EmailVerified()
ADA = UUID("0190b0a6-ad31-7000-8000-00000000ada1")
LONG_AGO = datetime(2019, 5, 4, 9, 30, tzinfo=UTC)
WHOLE = ImportUser(
    email="Ada@Example.com",
    email_verified=True,
    external_id="crm:4711",
    id=ADA,
    display_name=" Ada Lovelace ",
    locale="EN-gb",
    time_zone="europe/london",
    picture_url="https://example.com/ada.png",
    own={"theme": "dark", "nothing": None},
    admin={"plan": {"seats": 3}},
    roles=("auditor", "analyst"),
    registered_at=LONG_AGO,
    password_hash=argon2.using(type="ID", memory_cost=8, time_cost=1, parallelism=1).hash(PASSWORD),
)


def test_imports_whoever_is_new(given):
    given().when(ask, told=told).then(told)


def test_roles_and_a_suspension_are_facts_of_their_own(given):
    with_roles = replace(ask, roles=("auditor", "analyst", "auditor"), suspended=True)
    given().when(with_roles, told=told).then(told, RoleGranted("analyst"), RoleGranted("auditor"), UserSuspended())


def test_whoever_proved_the_address_keeps_it(given):
    given(registered, proved).when(ask, told=told).then_refused(AddressTaken)
    given(told).when(ask, told=told).then_refused(AddressTaken)


def test_who_only_registered_it_gives_way_to_one_that_is_proved(given):
    given(registered).when(ask, told=told).then(told)
    given(registered).when(unproved, told=told).then_refused(AddressTaken)
    given(registered, RegistrationSuperseded(UUID(int=1))).when(unproved, told=told).then(told)


def test_who_was_imported_gives_way_to_no_other_row(given):
    given(UserImported("ada@example.com", email_verified=False)).when(ask, told=told).then_refused(AddressTaken)


def test_no_link_that_proves_the_address_is_out(given):
    user = given(UserImported("ada@example.com", email_verified=False)).user
    assert (user.verification_version, user.mailed) == (0, {})
    assert user.may_be_mailed(Mail.VERIFICATION, user.registered_at)
    given(UserImported("ada@example.com", email_verified=False)).when(
        VerifyEmail(UUID(int=1), ""), answered_version=1
    ).then_refused(LinkSpent)


async def events(muster, user_id):
    return [recorded.event for recorded in await read_stream(muster.pool, muster.database.keys, user_id)]


async def test_records_everything_at_once_by_the_rules_of_each_field(muster):
    assert await muster.ask(WHOLE) == Imported(ADA, "imported")
    assert await events(muster, ADA) == [
        UserImported(
            "Ada@example.com",
            True,
            "Ada Lovelace",
            "en-GB",
            "Europe/London",
            "https://example.com/ada.png",
            (("theme", "dark"),),
            (("plan", {"seats": 3}),),
            "crm:4711",
            LONG_AGO,
        ),
        RoleGranted("analyst"),
        RoleGranted("auditor"),
    ]
    signed_in = await muster.ask(SignIn("ada@EXAMPLE.com", PASSWORD))
    assert (signed_in.user_id, signed_in.roles) == (ADA, {"auditor", "analyst"})


async def test_the_same_again_records_nothing(muster):
    bare = ImportUser(email="eve@example.com", display_name="Eve")
    for row in (WHOLE, replace(WHOLE, email="bob@example.com", external_id=None, id=uuid4()), bare):
        first = await muster.ask(row)
        before = await muster.topics()
        assert await muster.ask(row) == Imported(first.user_id, "unchanged")
        assert await muster.topics() == before


async def test_the_same_at_once_is_done_once(muster):
    rows = [replace(WHOLE, id=None, external_id=external) for external in ("crm:1", None)]
    for row, email in zip(rows, ("a@example.com", "b@example.com"), strict=True):
        told = await asyncio.gather(*(muster.ask(replace(row, email=email)) for _ in range(10)))
        assert sorted(one.outcome for one in told) == ["imported", *["unchanged"] * 9]
        assert len({one.user_id for one in told}) == 1


async def test_it_is_unchanged_whatever_became_of_the_user_since(muster):
    administrator = replace(WHOLE, roles=("analyst",))
    user_id = (await muster.ask(administrator)).user_id
    await muster.ask(GrantRole(user_id, "auditor"))
    await muster.ask(RevokeRole(user_id, "analyst"))
    await muster.ask(SuspendUser(user_id))
    assert await muster.ask(administrator) == Imported(user_id, "unchanged")
    assert await muster.ask(replace(administrator, roles=("auditor",), suspended=True)) == Imported(
        user_id, "unchanged"
    )


async def test_names_what_is_told_otherwise_and_changes_nothing(muster):
    user_id = (await muster.ask(WHOLE)).user_id
    before = await muster.topics()
    for changed, fields in (
        ({"display_name": "Countess", "locale": None}, ("display_name", "locale")),
        ({"own": {"theme": "light"}}, ("metadata",)),
        ({"roles": ()}, ("roles",)),
        ({"suspended": True}, ("suspended",)),
        ({"email": "countess@example.com", "email_verified": False}, ("email", "email_verified")),
        ({"registered_at": LONG_AGO + timedelta(days=1)}, ("registered_at",)),
        ({"id": uuid7()}, ("id",)),
        ({"external_id": "crm:1"}, ("external_id",)),
        ({"external_id": None, "registered_at": None, "password_hash": None}, ()),
    ):
        told = await muster.ask(replace(WHOLE, **changed))
        assert told == Imported(user_id, "differs" if fields else "unchanged", fields)
    assert await muster.topics() == before


async def test_someone_who_registered_here_is_known_again_by_the_id(muster):
    user_id = await muster.registered()
    assert await muster.ask(replace(ask, id=user_id)) == Imported(user_id, "unchanged")
    other = replace(ask, id=user_id, display_name="Ada", external_id="crm:1")
    assert await muster.ask(other) == Imported(user_id, "differs", ("display_name", "external_id"))


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"email": "ada@example.com,b@example.com"}, InvalidAddress),
        ({"external_id": " 4711"}, InvalidExternalId),
        ({"id": UUID(int=1)}, InvalidId),
        ({"id": UUID("0190b0a6-ad31-5000-8000-00000000ada1")}, InvalidId),
        ({"own": {"deep": [[[[[[[1]]]]]]]}}, InvalidMetadata),
        ({"roles": ("king",)}, NoSuchRole),
        ({"registered_at": datetime(2999, 1, 1, tzinfo=UTC)}, InvalidRegistrationTime),
        ({"registered_at": datetime(1969, 12, 31, tzinfo=UTC)}, InvalidRegistrationTime),
        ({"password_hash": "5f4dcc3b5aa765d61d8327deb882cf99"}, InvalidPasswordHash),
        ({"email_verified": False, "roles": ("administrator",)}, AddressNotProved),
    ],
    ids=str,
)
async def test_refuses_what_is_not_by_the_rules_also_of_who_is_here(muster, changes, refusal):
    for _ in range(2):
        with pytest.raises(refusal):
            await muster.ask(replace(WHOLE, **changes))
        assert (await muster.topics())[:1] in ([], ["UserImported"])
        await muster.ask(WHOLE)


async def test_an_id_that_is_or_was_anothers_is_not_given_again(muster):
    gone = (await muster.ask(RegisterUser("gone@example.com", PASSWORD))).user_id
    await muster.ask(RegisterUser("gone@example.com", PASSWORD))
    await muster.ask(InviteFirstAdministrator())
    for taken in (gone, ADMINISTRATORS):
        with pytest.raises(IdTaken):
            await muster.ask(replace(ask, id=taken))


async def test_an_id_from_elsewhere_of_someone_who_is_gone_is_free(muster):
    row = ImportUser(email="ada@example.com", external_id="crm:1")
    first = (await muster.ask(row)).user_id
    await muster.ask(RegisterUser("ada@example.com", PASSWORD))
    again = await muster.ask(replace(row, email_verified=True))
    assert again.outcome == "imported"
    assert again.user_id != first
    assert await muster.ask(replace(row, email_verified=True)) == Imported(again.user_id, "unchanged")


async def test_whoever_registered_the_address_without_proving_it_is_out(muster):
    squatter = (await muster.ask(RegisterUser("ada@example.com", PASSWORD))).user_id
    with pytest.raises(AddressTaken):
        await muster.ask(unproved)
    imported = (await muster.ask(ask)).user_id
    assert (await events(muster, squatter))[-1] == RegistrationSuperseded(imported)
    with pytest.raises(InvalidCredentials):
        await muster.ask(SignIn("ada@example.com", PASSWORD))


async def test_who_has_no_password_asks_for_one_by_mail(muster):
    user_id = (await muster.ask(unproved)).user_id
    with pytest.raises(InvalidCredentials):
        await muster.ask(SignIn("ada@example.com", PASSWORD))
    await muster.ask(RequestPasswordReset("ada@example.com"))
    assert type((await events(muster, user_id))[-1]).__name__ == "PasswordResetRequested"


async def test_who_knows_the_password_of_an_address_that_is_not_proved_is_mailed_the_link(muster):
    user_id = (await muster.ask(replace(WHOLE, email_verified=False))).user_id
    with pytest.raises(InvalidCredentials):
        await muster.ask(SignIn("ada@example.com", PASSWORD))
    assert (await events(muster, user_id))[-1] == VerificationRequested()


async def test_administrators_are_counted_as_such(muster):
    token = await muster.ask(InviteFirstAdministrator())
    suspended = replace(ask, email="bob@example.com", roles=("administrator",), suspended=True)
    bob = (await muster.ask(suspended)).user_id
    assert await muster.ask(InviteFirstAdministrator()) == token, "who is shut out administers nothing"
    await muster.ask(replace(ask, roles=("administrator",)))
    assert await muster.ask(InviteFirstAdministrator()) is None
    with pytest.raises(LinkSpent):
        await muster.ask(SignUpFirstAdministrator(token, "eve@example.com", PASSWORD))
    await muster.ask(ReinstateUser(bob))
    assert (await muster.topics()).count("AdministratorAdded") == 2


async def test_claims_computed_again_are_those_that_are_there(muster):
    await muster.ask(RegisterUser("ada@example.com", PASSWORD))
    await muster.ask(WHOLE)
    await muster.ask(ImportUser(email="bob@example.com", external_id="crm:1"))
    await muster.ask(RegisterUser("bob@example.com", PASSWORD))
    await muster.ask(ImportUser(email="carl@example.com", external_id="crm:1", email_verified=True))
    await muster.ask(ImportUser(email="dora@example.com"))
    connection = await connect(muster.database.owner_url, "tests")
    for claims_key, changed in ((b"claims", 0), (b"another", 6), (b"another", 0), (b"claims", 6)):
        *_, last = [step async for step in rebuild_claims(connection, muster.database.keys, claims_key)]
        assert (last.added, last.removed, last.changed) == (changed, changed, 0)
    await connection.close()
    assert (await muster.ask(WHOLE)).outcome == "unchanged"
