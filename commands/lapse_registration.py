"""Letting a registration lapse whose address nobody proved in time."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from commands.addresses import EMAIL_SCOPE, any_key
from commands.secrets import PASSWORD
from commands.unit import Rules, Unit
from commands.user import User
from events.connections import Reading
from events.user import RegistrationLapsed, UserEvent

__all__ = ["LapseRegistration", "lapsing", "lapsing_before", "lapsing_count"]

PAGE: Final = 500


class LapseRegistration(Struct, frozen=True):
    """Free the address of a registration once the newest link that could prove it has expired."""

    user_id: UUID

    def decide(self, user: User, now: datetime, hours: int) -> list[UserEvent]:
        """The registration is over, unless it is already, is proved, or still has a link that lives.

        Who was imported did not register here, and stays.
        """
        if not user.active or user.email_verified or user.imported or user.verification_asked_at is None:
            return []
        return [RegistrationLapsed()] if now >= user.verification_asked_at + timedelta(hours=hours) else []

    async def perform(self, unit: Unit) -> bool:
        """Let it lapse, release its claim and drop its password; whether it did."""
        user = await unit.user(self.user_id)
        events = self.decide(user, unit.now, unit.rules.verification_hours)
        if not events:
            return False
        unit.record_user(self.user_id, *events)
        if isinstance(user.email, str):
            key = any_key(unit.rules.claims_key, user.email)
            unit.claim(EMAIL_SCOPE, key, expected=self.user_id, owner=None)
        if secret := await unit.secret(self.user_id, PASSWORD):
            unit.drop_secret(secret)
        return True


# Who was imported without a proof of the address, and has had no other, waits for nothing.
_WAITING: Final = """
    FROM claims WHERE scope = $1 AND NOT proven AND claimed_at <= $2 AND (
        (SELECT topic FROM stored_events WHERE originator_id = owner_id AND originator_version = 1) <> 'UserImported'
        OR EXISTS (SELECT FROM stored_events WHERE originator_id = owner_id AND topic = 'EmailChanged')
    )
"""


def lapsing_before(rules: Rules, now: datetime) -> datetime:
    """When what lapses now, of registrations and of former addresses, was claimed at the latest."""
    return now - timedelta(hours=min(rules.verification_hours, rules.email_undo_hours))


async def lapsing_count(pool: Reading, claimed_before: datetime) -> int:
    """How many claims from before a moment are not proven: those of registrations, and those on former addresses."""
    count: int = await pool.fetchval(f"SELECT count(*) {_WAITING}", EMAIL_SCOPE, claimed_before)
    return count


async def lapsing(pool: Reading, claimed_before: datetime) -> AsyncIterator[UUID]:
    """Their owners, one for each claim, a page at a time; what lapses is for the commands to say."""
    after = b""
    while rows := await pool.fetch(
        f"SELECT key, owner_id {_WAITING} AND key > $3 ORDER BY key LIMIT {PAGE}", EMAIL_SCOPE, claimed_before, after
    ):
        for row in rows:
            yield row["owner_id"]
        after = rows[-1]["key"]
