"""The read models that there are."""

from typing import Any, Final

from projections.read_model import ReadModel
from projections.users import USERS

__all__ = ["MODELS"]

MODELS: Final[tuple[ReadModel[Any], ...]] = (USERS,)
