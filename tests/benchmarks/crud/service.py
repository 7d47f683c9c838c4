"""What can be done with users."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from sqlalchemy.exc import IntegrityError

from tests.benchmarks.crud.models import User
from tests.benchmarks.crud.repository import RepositoryDep
from tests.benchmarks.crud.schemas import Credentials, UserCreate
from tests.benchmarks.crud.security import hashed, verified

__all__ = ["EmailTaken", "ServiceDep", "UserService"]


class EmailTaken(Exception):
    """Somebody has this address."""


class UserService:
    def __init__(self, users: RepositoryDep) -> None:
        self._users = users

    async def register(self, asked: UserCreate) -> User:
        """Asks first, as the tutorials do, and leaves races to the unique index."""
        if await self._users.by_email(asked.email):
            raise EmailTaken
        user = User(
            email=asked.email,
            hashed_password=await hashed(asked.password),
            display_name=asked.display_name,
            locale=asked.locale,
        )
        try:
            return await self._users.add(user)
        except IntegrityError:
            raise EmailTaken from None

    async def authenticate(self, credentials: Credentials) -> User | None:
        user = await self._users.by_email(credentials.email)
        if user is None or not await verified(credentials.password, user.hashed_password):
            return None
        return user

    async def get(self, user_id: UUID) -> User | None:
        return await self._users.get(user_id)

    async def page(self, *, offset: int, limit: int) -> Sequence[User]:
        return await self._users.page(offset=offset, limit=limit)


async def service_of_request(users: RepositoryDep) -> UserService:
    return UserService(users)


ServiceDep = Annotated[UserService, Depends(service_of_request)]
