"""Which columns of read models are personal: what their events seal, in clear."""

from typing import Final

__all__ = ["PERSONAL_COLUMNS"]

PERSONAL_COLUMNS: Final = frozenset(
    {"email", "display_name", "locale", "time_zone", "picture_url", "metadata", "name", "sought"}
)
"""By name, in whatever model: analysts see them where that was granted, and exports hold them when asked to."""
