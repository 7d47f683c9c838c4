"""Roles, and the permissions that each maps to."""

from collections.abc import Iterable
from typing import Final

__all__ = ["ADMINISTRATOR", "ANALYST", "AUDITOR", "PERMISSIONS", "ROLES", "permissions"]

ADMINISTRATOR: Final = "administrator"
AUDITOR: Final = "auditor"
ANALYST: Final = "analyst"

ROLES: Final[dict[str, frozenset[str]]] = {
    ADMINISTRATOR: frozenset({"users:read", "users:write", "audit:read", "statistics:read", "operations"}),
    AUDITOR: frozenset({"users:read", "audit:read"}),
    ANALYST: frozenset({"statistics:read"}),
}
PERMISSIONS: Final = frozenset[str]().union(*ROLES.values())


def permissions(roles: Iterable[str]) -> frozenset[str]:
    """What the holder of these roles may do beyond their own account; a role unknown to this version gives nothing."""
    return frozenset[str]().union(*(ROLES.get(role, frozenset()) for role in roles))
