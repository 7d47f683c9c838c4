"""Users as they are stored."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from sqlalchemy import select

from tests.benchmarks.crud.database import SessionDep
from tests.benchmarks.crud.models import User

__all__ = ["RepositoryDep", "UserRepository"]


class UserRepository:
    def __init__(self, session: SessionDep) -> None:
        self._session = session

    async def get(self, user_id: UUID) -> User | None:
        return await self._session.get(User, user_id)

    async def by_email(self, email: str) -> User | None:
        return await self._session.scalar(select(User).where(User.email == email))

    async def page(self, *, offset: int, limit: int) -> Sequence[User]:
        found = await self._session.scalars(select(User).order_by(User.created_at.desc()).offset(offset).limit(limit))
        return found.all()

    async def add(self, user: User) -> User:
        self._session.add(user)
        await self._session.commit()
        return user


async def repository_of_request(session: SessionDep) -> UserRepository:
    return UserRepository(session)


RepositoryDep = Annotated[UserRepository, Depends(repository_of_request)]
