"""One engine with a pool, one maker of sessions, and a session for each request."""

import os
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

__all__ = ["SessionDep", "engine"]

CONNECTIONS: Final = int(os.environ.get("CRUD_CONNECTIONS", "20"))

engine = create_async_engine(os.environ["CRUD_DATABASE_URL"], pool_size=CONNECTIONS, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)


async def session_of_request() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(session_of_request)]
