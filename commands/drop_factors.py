"""What is kept of second factors goes when they do."""

from collections.abc import Iterable, Sequence
from functools import reduce
from uuid import UUID

from commands import passkeys, recovery_codes, totp
from commands.factors import Factors, evolve
from commands.passkeys import Passkeys
from commands.unit import Unit
from events.user import PasskeyRemoved, TotpRemoved

__all__ = ["drop_factors"]


async def drop_factors(
    unit: Unit, user_id: UUID, factors: Factors, removed: Sequence[TotpRemoved | PasskeyRemoved]
) -> None:
    """Keep no secret of what is removed from these factors; with the last one the recovery codes are gone as well.

    Raises ValueError where passkeys are left, and what is kept of them does not open.
    """
    left = reduce(lambda now, event: evolve(now, event, now.version, unit.now), removed, factors)
    gone = [event.passkey_id for event in removed if isinstance(event, PasskeyRemoved)]
    if len(gone) < len(removed):
        await _drop_unopened(unit, user_id, totp.KIND)
    if gone and not left.passkeys:
        await _drop_unopened(unit, user_id, passkeys.KIND)
    elif gone:
        await _keep_others(unit, user_id, gone)
    if removed and not left.methods:
        await _drop_unopened(unit, user_id, recovery_codes.KIND)


async def _keep_others(unit: Unit, user_id: UUID, gone: Iterable[UUID]) -> None:
    if secret := await unit.secret(user_id, passkeys.KIND):
        others = reduce(Passkeys.without, gone, Passkeys.from_bytes(secret.plain))
        await unit.keep_secret(user_id, passkeys.KIND, user_id, others.to_bytes(), secret.revision)


async def _drop_unopened(unit: Unit, user_id: UUID, kind: str) -> None:
    """Whether or not it still opens: what was altered must be removable."""
    for owner_id, revision, _version in await unit.secrets_of(user_id, kind):
        unit.drop_secret_at(owner_id, kind, user_id, revision)
