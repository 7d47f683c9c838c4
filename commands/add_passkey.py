"""Having one more passkey: a browser is told what to make, and what it has made is taken."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from msgspec import Struct

from commands.ceremonies import ALGORITHMS, Made, answered, made, rp_id
from commands.challenges import ADD_PASSKEY, Challenge, issue
from commands.errors import InvalidChallenge, InvalidPasskey, NoSuchUser, PasskeyThere, TooManyPasskeys
from commands.factors import PASSKEY
from commands.issue_recovery_codes import keep_recovery_codes
from commands.labels import label
from commands.passkey_options import CreationOptions, creation_options
from commands.passkeys import KIND, MOST, Passkey, Passkeys, transports_of
from commands.recovery_codes import COUNT
from commands.secrets import Secret
from commands.step_up import note_step_up
from commands.unit import Unit
from commands.user import User
from events.user import PasskeyAdded, RecoveryCodesIssued, UserEvent

__all__ = ["AddPasskey", "Added", "OfferPasskey"]


class OfferPasskey(Struct, frozen=True):
    """Be told what a browser needs to make a passkey. Nothing is recorded."""

    user_id: UUID

    async def perform(self, unit: Unit) -> CreationOptions:
        """Name the passkey that will be, and the moment, in a challenge."""
        user = await unit.user(self.user_id)
        if not user.may_sign_in:
            raise NoSuchUser
        assert isinstance(user.email, str), "an account that is active has not been forgotten"
        name = user.display_name if isinstance(user.display_name, str) else user.email
        challenge = issue(unit, ADD_PASSKEY, Challenge(self.user_id, unit.new_id(), user.version))
        _, kept = await _kept(unit, self.user_id)
        return creation_options(
            rp_id(unit.rules.base_url), self.user_id, (user.email, name), challenge, kept.items, ALGORITHMS
        )


class Added(Struct, frozen=True):
    """The passkey; and recovery codes, shown this once, where it is the first second factor."""

    id: UUID
    label: str
    recovery_codes: tuple[str, ...]


class AddPasskey(Struct, frozen=True):
    """Have a passkey that a browser has made, under a name of one's own.

    From now on it is asked for beside the password, or signs in without one. The session in which it is added has been
    stepped up by it.
    """

    user_id: UUID
    label: str
    credential: Mapping[str, Any]
    session_id: UUID | None = None

    def decide(self, user: User, challenge: Challenge, kept: Passkeys, new: Made) -> list[UserEvent]:
        """It is added, if it was asked for since the factors last changed; and there are recovery codes with the first."""
        if not user.may_sign_in:
            raise NoSuchUser
        if challenge.user_id != self.user_id or challenge.version < user.factors.version:
            raise InvalidPasskey
        if kept.of(new.credential_id) is not None:
            raise PasskeyThere
        if len(kept.items) >= MOST:
            raise TooManyPasskeys
        added = PasskeyAdded(challenge.opens, label(self.label))
        return [added] if user.factors.methods else [added, RecoveryCodesIssued(COUNT)]

    async def perform(self, unit: Unit) -> Added:
        """Verify what was made, and keep the public half of its key."""
        user = await unit.user(self.user_id)
        name = label(self.label)
        try:
            token, challenge = answered(unit, ADD_PASSKEY, self.credential)
        except InvalidChallenge:
            raise InvalidPasskey from None
        new = made(self.credential, token, unit.rules.base_url)
        secret, kept = await _kept(unit, self.user_id)
        events = self.decide(user, challenge, kept, new)
        unit.record_user(self.user_id, *events)
        passkey = Passkey(
            challenge.opens,
            new.credential_id,
            new.public_key,
            new.sign_count,
            name,
            unit.now,
            transports=transports_of(self.credential),
        )
        revision = secret.revision if secret else 0
        await unit.keep_secret(self.user_id, KIND, self.user_id, kept.having(passkey).to_bytes(), revision)
        if self.session_id is not None:
            await note_step_up(unit, self.session_id, user, PASSKEY)
        first = len(events) > 1
        codes = (await keep_recovery_codes(unit, self.user_id)).recovery_codes if first else ()
        return Added(passkey.id, name, codes)


async def _kept(unit: Unit, user_id: UUID) -> tuple[Secret | None, Passkeys]:
    secret = await unit.secret(user_id, KIND)
    return secret, Passkeys.from_bytes(secret.plain) if secret else Passkeys()
