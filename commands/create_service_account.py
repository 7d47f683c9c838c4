"""Making an account for a program."""

from uuid import UUID

from msgspec import Struct

from commands.labels import label
from commands.unit import Unit
from events.user import AdministratorsMetadataChanged, ServiceAccountCreated, UserEvent

__all__ = ["CreateServiceAccount", "Created"]


class Created(Struct, frozen=True):
    """The id of the new account."""

    user_id: UUID


class CreateServiceAccount(Struct, frozen=True):
    """Have an account that is no person's, for a program: nobody can sign in to it, and it may do what its roles say.

    What it is for is noted among the administrators' metadata.
    """

    name: str
    description: str | None = None

    def decide(self) -> list[UserEvent]:
        """There is one. Two may have one name: they are told apart by their ids."""
        noted: list[UserEvent] = []
        if self.description is not None:
            noted.append(AdministratorsMetadataChanged((("description", self.description),)))
        return [ServiceAccountCreated(label(self.name)), *noted]

    async def perform(self, unit: Unit) -> Created:
        """Begin a new subject, whose key seals what there will be of secrets."""
        user_id = unit.new_id()
        unit.expected.setdefault(user_id, 0)
        unit.begin_subject(user_id)
        unit.record_user(user_id, *self.decide())
        return Created(user_id)
