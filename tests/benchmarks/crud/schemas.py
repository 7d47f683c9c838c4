"""What comes in and what goes out."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, EmailStr, Field

__all__ = ["Credentials", "Token", "UserCreate", "UserRead"]

Password = Annotated[str, Field(min_length=12, max_length=1024)]


class UserCreate(BaseModel):
    model_config = ConfigDict(extra="forbid")

    email: EmailStr
    password: Password
    display_name: str | None = Field(default=None, max_length=200)
    locale: str | None = Field(default=None, max_length=35)


class UserRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: EmailStr
    display_name: str | None
    locale: str | None
    is_active: bool
    created_at: datetime
    updated_at: datetime


class Credentials(BaseModel):
    email: EmailStr
    password: Password


class Token(BaseModel):
    access_token: str
    token_type: str = "bearer"
