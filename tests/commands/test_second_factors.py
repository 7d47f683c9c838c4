"""Second factors on a store: enrolled, asked for, spent and removed."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from commands.change_password import ChangePassword
from commands.end_all_sessions import EndAllSessions
from commands.enrol_totp import ConfirmTotp, EnrolTotp
from commands.errors import (
    FactorThere,
    InvalidChallenge,
    InvalidCredentials,
    InvalidSecondFactor,
    NoSecondFactor,
    NoSuchPasskey,
    NoSuchUser,
    NotEnrolled,
    SecondFactorRequired,
    TooManyAttempts,
    WrongSecondFactor,
)
from commands.issue_recovery_codes import IssueRecoveryCodes
from commands.remove_factors import RemoveFactors
from commands.remove_passkey import RemovePasskey
from commands.remove_totp import RemoveTotp
from commands.sign_in import SignIn
from commands.suspend_user import SuspendUser
from commands.take_second_step import TakeSecondStep
from events.user import (
    EmailVerified,
    PasskeyAdded,
    PasskeyRemoved,
    RecoveryCodesIssued,
    TotpConfirmed,
    TotpEnrolled,
    TotpRemoved,
    UserRegistered,
    UserSuspended,
)
from tests.apps import App
from tests.muster import PASSWORD

ada, KEY = UUID(int=1), UUID(int=7)
PROVED = (UserRegistered("ada@example.com"), EmailVerified())
ENROLLED = (*PROVED, TotpEnrolled())
CONFIRMED = (*ENROLLED, TotpConfirmed(), RecoveryCodesIssued(10))
OTHER = "another horse another battery"


class TestRules:
    def test_a_secret_is_shown_again_until_it_is_confirmed(self, given):
        given(*PROVED).when(EnrolTotp(ada)).then(TotpEnrolled())
        given(*ENROLLED).when(EnrolTotp(ada)).then(TotpEnrolled())
        given(*CONFIRMED).when(EnrolTotp(ada)).then_refused(FactorThere)

    def test_nobody_enrols_who_cannot_sign_in(self, given):
        for past in ((), (PROVED[0],), (*PROVED, UserSuspended())):
            given(*past).when(EnrolTotp(ada)).then_refused(NoSuchUser)

    def test_a_first_code_confirms_and_brings_recovery_codes(self, given):
        confirm = ConfirmTotp(ada, "123456")
        given(*ENROLLED).when(confirm, right=True).then(TotpConfirmed(), RecoveryCodesIssued(10))
        given(*ENROLLED).when(confirm, right=False).then_refused(WrongSecondFactor)
        given(*PROVED).when(confirm, right=True).then_refused(NotEnrolled)
        given(*CONFIRMED).when(confirm, right=True).then_refused(FactorThere)

    def test_what_is_there_is_removed_confirmed_or_not(self, given):
        for past in (ENROLLED, CONFIRMED):
            for command in (RemoveTotp(ada), RemoveFactors(ada)):
                given(*past).when(command).then(TotpRemoved())
                given(*past, TotpRemoved()).when(command).then_nothing()
        both = (*CONFIRMED, PasskeyAdded(KEY, "A key"))
        given(*both).when(RemoveFactors(ada)).then(TotpRemoved(), PasskeyRemoved(KEY))
        given(*both).when(RemovePasskey(ada, KEY)).then(PasskeyRemoved(KEY))
        given(*CONFIRMED).when(RemovePasskey(ada, KEY)).then_refused(NoSuchPasskey)
        given(*PROVED).when(RemoveTotp(ada)).then_nothing()

    @pytest.mark.parametrize(
        ("past", "codes"),
        [
            ((TotpRemoved(),), 0),
            ((PasskeyAdded(UUID(int=7), "A key"), TotpRemoved()), 10),
            ((PasskeyAdded(UUID(int=7), "A key"), TotpRemoved(), PasskeyRemoved(UUID(int=7))), 0),
            ((PasskeyAdded(UUID(int=7), "A key"), PasskeyRemoved(UUID(int=7))), 10),
        ],
    )
    def test_recovery_codes_go_with_the_last_factor(self, given, past, codes):
        assert given(*CONFIRMED, *past).user.factors.recovery_codes == codes

    def test_recovery_codes_stand_in_for_a_factor_that_is_there(self, given):
        given(*CONFIRMED).when(IssueRecoveryCodes(ada)).then(RecoveryCodesIssued(10))
        given(*ENROLLED).when(IssueRecoveryCodes(ada)).then_refused(NoSecondFactor)

    def test_the_password_alone_opens_nothing_where_there_is_a_factor(self, given):
        given(*CONFIRMED).when(SignIn("", ""), matches=True).then_nothing()
        given(*CONFIRMED).when(SignIn("", ""), matches=False).then_refused(InvalidCredentials)


class Person:
    """Somebody with an app and recovery codes, on a store whose clock stands."""

    def __init__(self, muster, user_id, app, codes):
        self.muster, self.id, self.app, self.codes = muster, user_id, app, codes

    def code(self):
        self.muster.now += timedelta(seconds=30)
        return self.app.code(self.muster.now)

    async def challenge(self, password=PASSWORD):
        with pytest.raises(SecondFactorRequired) as asked:
            await self.muster.ask(SignIn("ada@example.com", password))
        return asked.value

    async def step(self, challenge=None, **given):
        challenge = challenge or (await self.challenge()).challenge
        return await self.muster.ask(TakeSecondStep(challenge, **given))


@pytest.fixture
async def person(muster):
    user_id = await muster.registered()
    app = App((await muster.ask(EnrolTotp(user_id))).secret)
    confirmed = await muster.ask(ConfirmTotp(user_id, app.code(muster.now)))
    return Person(muster, user_id, app, confirmed.recovery_codes)


async def test_a_secret_that_was_not_confirmed_is_asked_for_by_nobody(muster):
    user_id = await muster.registered()
    await muster.ask(EnrolTotp(user_id))
    assert (await muster.ask(SignIn("ada@example.com", PASSWORD))).user_id == user_id


async def test_the_secret_that_was_shown_last_is_the_one_that_counts(muster):
    user_id = await muster.registered()
    first, last = [App((await muster.ask(EnrolTotp(user_id))).secret) for _ in range(2)]
    with pytest.raises(WrongSecondFactor):
        await muster.ask(ConfirmTotp(user_id, first.code(muster.now)))
    assert len((await muster.ask(ConfirmTotp(user_id, last.code(muster.now)))).recovery_codes) == 10


async def test_a_code_opens_the_session_that_the_password_was_for(muster, person):
    asked = await person.challenge()
    assert (asked.methods, asked.expires_in) == (("totp", "recovery_code"), 300)
    before = len(await muster.topics())
    signed_in = await person.step(asked.challenge, totp=person.code())
    assert signed_in.user_id == person.id
    assert signed_in.refresh_token
    assert signed_in.device
    assert (await muster.topics())[before:] == ["SessionStarted"]


async def test_the_code_that_confirmed_is_spent(muster, person):
    with pytest.raises(InvalidSecondFactor):
        await person.step(totp=person.app.at(person.app.last))


async def test_a_code_opens_once_whoever_else_has_it(muster, person):
    code = person.code()
    await person.step(totp=code)
    with pytest.raises(InvalidSecondFactor):
        await person.step(totp=code)


async def test_a_recovery_code_opens_once_and_is_recorded(muster, person):
    before = len(await muster.topics())
    await person.step(recovery_code=person.codes[0].upper())
    assert sorted((await muster.topics())[before:]) == ["RecoveryCodeUsed", "SessionStarted"]
    with pytest.raises(InvalidSecondFactor):
        await person.step(recovery_code=person.codes[0])
    await person.step(recovery_code=person.codes[1])


async def test_other_recovery_codes_end_those_of_before(muster, person):
    issued = await muster.ask(IssueRecoveryCodes(person.id))
    with pytest.raises(InvalidSecondFactor):
        await person.step(recovery_code=person.codes[0])
    await person.step(recovery_code=issued.recovery_codes[0])


async def test_without_recovery_codes_none_is_asked_for(muster, person):
    for code in person.codes:
        await person.step(recovery_code=code)
    assert (await person.challenge()).methods == ("totp",)


async def test_a_challenge_is_good_for_one_session(muster, person):
    challenge = (await person.challenge()).challenge
    await person.step(challenge, totp=person.code())
    with pytest.raises(InvalidChallenge):
        await person.step(challenge, totp=person.code())
    with pytest.raises(InvalidChallenge):
        await person.step(challenge, recovery_code=person.codes[0])


async def test_a_challenge_is_good_for_five_minutes(muster, person):
    challenge = (await person.challenge()).challenge
    muster.now += timedelta(minutes=5)
    with pytest.raises(InvalidChallenge):
        await person.step(challenge, totp=person.code())


@pytest.mark.parametrize(
    "end",
    [
        lambda user_id: ChangePassword(user_id, PASSWORD, OTHER),
        lambda user_id: SuspendUser(user_id),
        lambda user_id: RemoveTotp(user_id),
        lambda user_id: RemoveFactors(user_id),
    ],
)
async def test_a_challenge_ends_with_what_it_was_based_on(muster, person, end):
    challenge = (await person.challenge()).challenge
    await muster.ask(end(person.id))
    with pytest.raises(InvalidChallenge):
        await person.step(challenge, totp=person.code())


async def test_signing_out_everywhere_ends_a_sign_in_half_way(muster, person):
    await person.step(totp=person.code())
    challenge = (await person.challenge()).challenge
    await muster.ask(EndAllSessions(person.id))
    with pytest.raises(InvalidChallenge):
        await person.step(challenge, totp=person.code())


async def test_the_last_attempt_is_told_to_the_owner_and_the_next_waits(muster, person):
    before = len(await muster.topics())
    for _ in range(5):
        with pytest.raises(InvalidSecondFactor):
            await person.step(totp="000000")
    assert (await muster.topics())[before:] == ["SecondFactorRefused"]
    with pytest.raises(TooManyAttempts):
        await person.step(totp=person.code())
    with pytest.raises(TooManyAttempts):
        await person.step(recovery_code=person.codes[0])


async def test_a_right_one_gives_the_attempts_back(muster, person):
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(InvalidSecondFactor):
                await person.step(totp="000000")
        await person.step(totp=person.code())
    assert "SecondFactorRefused" not in await muster.topics()


async def test_the_password_is_no_success_before_the_second_step(muster, person):
    for _ in range(20):
        await person.challenge()
    with pytest.raises(InvalidCredentials):
        await muster.ask(SignIn("ada@example.com", PASSWORD))


async def test_one_code_twenty_times_at_once_opens_one_session(muster, person):
    challenges = [(await person.challenge()).challenge for _ in range(10)]
    code, before = person.code(), len(await muster.topics())
    asked = [person.step(challenge, totp=code) for challenge in challenges * 2]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    signed_in = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(signed_in) == 1
    assert {type(answer) for answer in answers if isinstance(answer, BaseException)} <= {
        InvalidSecondFactor,
        InvalidChallenge,
        TooManyAttempts,
    }
    assert (await muster.topics())[before:] == ["SessionStarted"]


async def test_a_factor_that_was_removed_is_asked_for_no_more_and_leaves_nothing(muster, person):
    await muster.ask(RemoveTotp(person.id))
    rows = await muster.database.query("SELECT kind FROM secrets WHERE subject_id = $1", person.id)
    assert [row["kind"] for row in rows] == ["password"]
    assert (await muster.ask(SignIn("ada@example.com", PASSWORD))).user_id == person.id
    app = App((await muster.ask(EnrolTotp(person.id))).secret)
    await muster.ask(ConfirmTotp(person.id, app.code(muster.now)))
    await person.challenge()


async def test_what_is_kept_is_neither_secret_nor_code_in_clear(muster, person):
    rows = await muster.database.query("SELECT sealed FROM secrets WHERE subject_id = $1", person.id)
    log = await muster.database.query("SELECT state, metadata::text AS metadata FROM stored_events")
    kept = b"".join([row["sealed"] for row in rows] + [row["state"] + row["metadata"].encode() for row in log])
    assert person.app.secret not in kept
    for code in person.codes:
        assert code.encode() not in kept
