"""Which read models there are."""

from typing import Any, Final

from projections.read_model import ReadModel
from projections.sessions import SESSIONS
from projections.user_days import USER_DAYS
from projections.user_history import USER_HISTORY
from projections.user_names import USER_NAMES
from projections.users import USERS

__all__ = ["BY_NAME", "MODELS"]

MODELS: Final[tuple[ReadModel[Any], ...]] = (USERS, USER_NAMES, SESSIONS, USER_HISTORY, USER_DAYS)
BY_NAME: Final = {model.name: model for model in MODELS}
