"""What the operator decided, as commands ask for it: keys for each purpose, and how long things last."""

from commands.unit import Rules
from events.keys import derived
from settings import Settings, key_bytes

__all__ = ["rules"]


def rules(settings: Settings) -> Rules:
    """The rules that these settings make."""
    secret = key_bytes(settings.secret)
    return Rules(
        claims_key=derived(secret, "claims"),
        links_key=derived(secret, "links"),
        devices_key=derived(secret, "devices"),
        refresh_token_days=settings.refresh_token_days,
        verification_hours=settings.verification_hours,
        password_reset_minutes=settings.password_reset_minutes,
        email_undo_hours=settings.email_undo_hours,
        sign_in_attempts=settings.sign_in_attempts,
        lock_minutes=settings.lock_minutes,
    )
