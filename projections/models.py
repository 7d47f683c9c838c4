"""Which read models there are."""

from typing import Final

from projections.users import USERS

__all__ = ["MODELS"]

MODELS: Final = (USERS,)
