"""Who may administer: one stream for all of them, so that one always remains."""

from typing import TypeAlias
from uuid import UUID

from events.event import Event

__all__ = [
    "STREAM_ID",
    "STREAM_TYPE",
    "AdministratorAdded",
    "AdministratorRemoved",
    "AdministratorsEvent",
    "FirstAdministratorInvited",
]

STREAM_TYPE = "administrators"
STREAM_ID = UUID("0190b0a6-ad31-7000-8000-61646d696e73")


class FirstAdministratorInvited(Event, frozen=True):
    """The operator set Muster up and was shown the one link with which its first administrator signs up."""


class AdministratorAdded(Event, frozen=True):
    """The user became an administrator, or is one again after having been suspended."""

    user_id: UUID


class AdministratorRemoved(Event, frozen=True):
    """The user is an administrator no longer, or is one that was suspended; another one remains."""

    user_id: UUID


AdministratorsEvent: TypeAlias = FirstAdministratorInvited | AdministratorAdded | AdministratorRemoved
