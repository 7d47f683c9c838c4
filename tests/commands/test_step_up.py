"""When somebody last proved who they are: kept with the session, told by its tokens, and proved anew."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from uuid_utils.compat import uuid7

from commands.authentication import Authentication
from commands.change_password import ChangePassword
from commands.end_session import EndSession
from commands.enrol_totp import ConfirmTotp, EnrolTotp
from commands.errors import (
    NoSecondFactor,
    NoSuchSession,
    SecondFactorRequired,
    TooManyAttempts,
    WrongPassword,
    WrongSecondFactor,
)
from commands.refresh_session import RefreshSession
from commands.refresh_tokens import Family
from commands.session import Session
from commands.sign_in import SignIn
from commands.step_up import StepUp
from commands.take_second_step import TakeSecondStep
from commands.user import fold
from events.connections import connect
from events.session import SteppedUp
from events.user import EmailVerified, PasswordChanged, TotpConfirmed, UserRegistered
from tests.apps import App
from tests.muster import PASSWORD
from tests.support import NOON, History

ada, laptop = UUID(int=1), UUID(int=2)
PROVED = (UserRegistered("ada@example.com"), EmailVerified())
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("methods", "acr", "amr"),
    [
        (("password",), "one-factor", ("pwd",)),
        (("password", "totp"), "two-factors", ("pwd", "otp", "mfa")),
        (("password", "recovery_code"), "two-factors", ("pwd", "otp", "mfa")),
        (("password", "passkey"), "two-factors", ("pwd", "pop", "mfa")),
        (("passkey",), "two-factors", ("pop", "mfa")),
    ],
)
def test_methods_have_registered_names(methods, acr, amr):
    authentication = Authentication(NOON, methods)
    assert (authentication.acr, authentication.amr) == (acr, amr)


class TestFamilies:
    def test_those_of_before_are_read(self):
        class Former(msgspec.Struct):
            seed: bytes
            generation: int
            rotated_at: Any
            expires_at: Any
            address: str = ""
            user_agent: str = ""

        former = Former(b"s" * 32, 7, NOON, NOON + HOUR, "192.0.2.1", "curl")
        family = Family.from_bytes(msgspec.msgpack.encode(former))
        assert (family.generation, family.address, family.authenticated_at) == (7, "192.0.2.1", None)
        assert family.methods == ("password",)

    def test_a_refresh_is_no_proof(self):
        family = Family.begun(NOON, HOUR)
        assert family.rotated(NOON + HOUR, HOUR).authenticated_at == NOON

    @pytest.mark.parametrize(
        ("begun", "method", "methods"),
        [
            (("password",), "password", ("password",)),
            (("password",), "totp", ("password", "totp")),
            (("password", "totp"), "recovery_code", ("password", "recovery_code")),
            (("password", "totp"), "password", ("password",)),
            (("passkey",), "passkey", ("passkey",)),
            (("passkey",), "totp", ("passkey", "totp")),
        ],
    )
    def test_what_was_proved_last_counts_beside_what_came_first(self, begun, method, methods):
        family = Family.begun(NOON, HOUR, methods=begun).stepped_up(NOON + HOUR, method)
        assert (family.methods, family.authenticated_at) == (methods, NOON + HOUR)


class TestRules:
    living = Session(1, ada, began=3)

    def decide(self, *past, session=living, **given):
        user = fold(History(stream_id=ada).of(*PROVED, *past))
        return StepUp(laptop, ada, **given).decide(user, session, "password")

    def test_the_password_will_do_where_there_is_nothing_else(self):
        assert self.decide(password="") == [SteppedUp("password")]

    def test_a_second_factor_is_asked_for_where_there_is_one(self):
        with pytest.raises(SecondFactorRequired) as asked:
            self.decide(TotpConfirmed(), password="")
        assert (asked.value.methods, asked.value.challenge) == (("totp",), "")
        with pytest.raises(NoSecondFactor):
            self.decide(totp="123456")

    @pytest.mark.parametrize("session", [Session(), Session(1, laptop), Session(2, ada, ended=True)])
    def test_only_a_session_of_ones_own_that_lives(self, session):
        with pytest.raises(NoSuchSession):
            self.decide(session=session, password="")

    def test_not_one_that_ended_with_all_others(self):
        with pytest.raises(NoSuchSession):
            self.decide(PasswordChanged(), session=Session(1, ada, began=2), password="")


@pytest.fixture
async def signed_in(muster):
    await muster.registered()
    return await muster.ask(SignIn("ada@example.com", PASSWORD))


async def test_a_session_tells_when_it_was_opened_and_keeps_that_when_it_is_refreshed(muster, signed_in):
    began = muster.now
    assert signed_in.authentication == Authentication(began, ("password",), factor_expected=False)
    muster.now += HOUR
    refreshed = await muster.ask(RefreshSession(signed_in.refresh_token))
    assert refreshed.authentication == signed_in.authentication
    again = await muster.ask(RefreshSession(refreshed.refresh_token))
    assert again.authentication == signed_in.authentication


async def test_the_password_proves_it_anew_and_the_refresh_token_stays(muster, signed_in):
    muster.now += HOUR
    before = len(await muster.topics())
    proved = await muster.ask(StepUp(signed_in.session_id, signed_in.user_id, password=PASSWORD))
    assert proved.authentication == Authentication(muster.now, ("password",), factor_expected=False)
    assert proved.refresh_token == ""
    assert (await muster.topics())[before:] == ["SteppedUp"]
    refreshed = await muster.ask(RefreshSession(signed_in.refresh_token))
    assert refreshed.authentication == proved.authentication


async def test_a_session_of_before_was_proved_when_it_began(muster, signed_in):
    (row,) = await muster.database.query(
        "SELECT revision, sealed FROM secrets WHERE owner_id = $1", signed_in.session_id
    )
    key = await muster.database.keys.key_of(muster.pool, signed_in.user_id)
    place = signed_in.session_id.bytes + row["revision"].to_bytes(8, "big") + b"secret refresh"
    kept = msgspec.msgpack.decode(key.open(row["sealed"], place))
    former = {name: value for name, value in kept.items() if name not in ("authenticated_at", "methods")}
    owner = await connect(muster.database.owner_url, "tests")
    sealed = key.seal(msgspec.msgpack.encode(former), place)
    await owner.execute("UPDATE secrets SET sealed = $2 WHERE owner_id = $1", signed_in.session_id, sealed)
    (began,) = await owner.fetchrow(
        "SELECT recorded_at FROM stored_events WHERE originator_id = $1", signed_in.session_id
    )
    await owner.close()
    muster.now += HOUR
    refreshed = await muster.ask(RefreshSession(signed_in.refresh_token))
    assert refreshed.authentication == Authentication(began, ("password",), factor_expected=False)


async def test_a_wrong_password_proves_nothing(muster, signed_in):
    with pytest.raises(WrongPassword):
        await muster.ask(StepUp(signed_in.session_id, signed_in.user_id, password="something else"))
    assert (await muster.topics())[-1] == "SessionStarted"


async def test_a_session_that_ended_is_not_stepped_up(muster, signed_in):
    other = await muster.ask(SignIn("ada@example.com", PASSWORD))
    await muster.ask(EndSession(signed_in.session_id, signed_in.user_id))
    await muster.ask(ChangePassword(other.user_id, PASSWORD, "another horse another battery"))
    for session_id in (signed_in.session_id, other.session_id, signed_in.user_id, uuid7()):
        with pytest.raises(NoSuchSession):
            await muster.ask(StepUp(session_id, signed_in.user_id, password="another horse another battery"))


async def test_confirming_a_factor_proves_it_for_the_session_in_which_that_is_done(muster, signed_in):
    app = App((await muster.ask(EnrolTotp(signed_in.user_id))).secret)
    muster.now += HOUR
    await muster.ask(ConfirmTotp(signed_in.user_id, app.code(muster.now), signed_in.session_id))
    refreshed = await muster.ask(RefreshSession(signed_in.refresh_token))
    assert refreshed.authentication == Authentication(muster.now, ("password", "totp"), factor_expected=True)


async def test_a_session_of_before_the_factor_is_expected_to_give_it(muster, signed_in):
    app = App((await muster.ask(EnrolTotp(signed_in.user_id))).secret)
    await muster.ask(ConfirmTotp(signed_in.user_id, app.code(muster.now)))
    refreshed = await muster.ask(RefreshSession(signed_in.refresh_token))
    assert refreshed.authentication.factor_expected
    assert refreshed.authentication.acr == "one-factor"
    muster.now += HOUR
    code = app.code(muster.now)
    proved = await muster.ask(StepUp(signed_in.session_id, signed_in.user_id, totp=code))
    assert proved.authentication == Authentication(muster.now, ("password", "totp"), factor_expected=True)
    with pytest.raises(WrongSecondFactor):
        await muster.ask(StepUp(signed_in.session_id, signed_in.user_id, totp=code))


async def test_whoever_has_a_token_shuts_out_nobody_who_signs_in(muster, signed_in):
    app = App((await muster.ask(EnrolTotp(signed_in.user_id))).secret)
    codes = (await muster.ask(ConfirmTotp(signed_in.user_id, app.code(muster.now)))).recovery_codes
    for _ in range(5):
        with pytest.raises(WrongSecondFactor):
            await muster.ask(StepUp(signed_in.session_id, signed_in.user_id, totp="000000"))
    with pytest.raises(TooManyAttempts):
        await muster.ask(StepUp(signed_in.session_id, signed_in.user_id, recovery_code=codes[0]))
    with pytest.raises(SecondFactorRequired) as asked:
        await muster.ask(SignIn("ada@example.com", PASSWORD))
    assert (await muster.ask(TakeSecondStep(asked.value.challenge, recovery_code=codes[0]))).user_id
