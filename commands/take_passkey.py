"""Taking what a passkey has signed, once."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from commands.ceremonies import credential_id_of, signed, user_handle_of
from commands.errors import InvalidPasskey
from commands.passkeys import KIND, Passkeys
from commands.unit import Unit
from events.user import PasskeyCountWentBack

__all__ = ["take_passkey"]


async def take_passkey(unit: Unit, user_id: UUID, credential: Mapping[str, Any], challenge: str) -> bool:
    """Whether one of the user's passkeys signed this challenge. How often it has signed is kept when the command is recorded.

    A count that went back is recorded, also when the command is refused for it: somebody may have a copy.
    """
    secret = await unit.secret(user_id, KIND)
    if secret is None:
        return False
    kept = Passkeys.from_bytes(secret.plain)
    try:
        passkey = kept.of(credential_id_of(credential))
        if passkey is None or user_handle_of(credential) not in (b"", user_id.bytes):
            return False
        count = signed(credential, challenge, unit.rules.base_url, passkey)
    except InvalidPasskey:
        return False
    used = passkey.used(count, unit.now)
    if used is None:
        unit.record_user(user_id, PasskeyCountWentBack(passkey.id))
        return False
    await unit.keep_secret(user_id, KIND, user_id, kept.having(used).to_bytes(), secret.revision)
    return True
