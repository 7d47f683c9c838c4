"""Roles, and the permissions that each maps to."""

from collections.abc import Iterable
from typing import Final

__all__ = [
    "ADMINISTRATOR",
    "ANALYST",
    "AUDITOR",
    "OWN_ACCOUNT",
    "PERMISSIONS",
    "READ_OWN",
    "ROLES",
    "SCOPES",
    "WRITE_OWN",
    "permissions",
]

ADMINISTRATOR: Final = "administrator"
AUDITOR: Final = "auditor"
ANALYST: Final = "analyst"

ROLES: Final[dict[str, frozenset[str]]] = {
    ADMINISTRATOR: frozenset({"users:read", "users:write", "audit:read", "statistics:read", "operations"}),
    AUDITOR: frozenset({"users:read", "audit:read"}),
    ANALYST: frozenset({"statistics:read"}),
}
PERMISSIONS: Final = frozenset[str]().union(*ROLES.values())

READ_OWN: Final = "account:read"
WRITE_OWN: Final = "account:write"
OWN_ACCOUNT: Final = frozenset({READ_OWN, WRITE_OWN})
"""What everyone may do who has signed in, and an API key only where its scopes say so."""

SCOPES: Final = PERMISSIONS | OWN_ACCOUNT
"""What an API key can be given."""


def permissions(roles: Iterable[str]) -> frozenset[str]:
    """What the holder of these roles may do beyond their own account; a role unknown to this version gives nothing."""
    return frozenset[str]().union(*(ROLES.get(role, frozenset()) for role in roles))
