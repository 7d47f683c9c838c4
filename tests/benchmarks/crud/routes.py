"""The routes: registering, signing in, a user, a page of users."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query, status
from fastapi.security import OAuth2PasswordBearer

from tests.benchmarks.crud.models import User
from tests.benchmarks.crud.schemas import Credentials, Token, UserCreate, UserRead
from tests.benchmarks.crud.security import access_token, subject
from tests.benchmarks.crud.service import EmailTaken, ServiceDep

__all__ = ["router"]

router = APIRouter()
bearer = OAuth2PasswordBearer(tokenUrl="token")


async def current_user(token: Annotated[str, Depends(bearer)], service: ServiceDep) -> User:
    user_id = subject(token)
    user = None if user_id is None else await service.get(user_id)
    if user is None or not user.is_active:
        raise HTTPException(
            status.HTTP_401_UNAUTHORIZED, "Could not validate credentials", headers={"WWW-Authenticate": "Bearer"}
        )
    return user


CurrentUser = Annotated[User, Depends(current_user)]


@router.post("/users", response_model=UserRead, status_code=status.HTTP_201_CREATED)
async def register(asked: UserCreate, service: ServiceDep) -> User:
    try:
        return await service.register(asked)
    except EmailTaken:
        raise HTTPException(status.HTTP_409_CONFLICT, "Email already registered") from None


@router.post("/token", response_model=Token)
async def sign_in(credentials: Credentials, service: ServiceDep) -> Token:
    user = await service.authenticate(credentials)
    if user is None:
        raise HTTPException(
            status.HTTP_401_UNAUTHORIZED, "Incorrect email or password", headers={"WWW-Authenticate": "Bearer"}
        )
    return Token(access_token=access_token(user.id))


@router.get("/users/{user_id}", response_model=UserRead)
async def user_by_id(user_id: UUID, _caller: CurrentUser, service: ServiceDep) -> User:
    user = await service.get(user_id)
    if user is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "User not found")
    return user


@router.get("/users", response_model=list[UserRead])
async def users(
    _caller: CurrentUser,
    service: ServiceDep,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[User]:
    return list(await service.page(offset=offset, limit=limit))
