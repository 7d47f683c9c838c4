"""Which events concern each consumer of the log, for whoever asks how far it is behind."""

from typing import Final

from msgspec import Struct

from projections.decisions import DECISIONS
from projections.models import MODELS
from projections.reactions.emails import EMAILS

__all__ = ["CONCERNS", "REACTIONS", "Concern"]

REACTIONS: Final = (EMAILS,)


class Concern(Struct, frozen=True):
    """The events that a consumer takes, by their topics, and whether it parks those that this version does not know."""

    topics: tuple[str, ...]
    parks_unknown: bool


CONCERNS: Final = {
    **{model.name: Concern((*(e.__name__ for e in model.events), *DECISIONS), parks_unknown=True) for model in MODELS},
    **{reaction.name: Concern(reaction.topics, parks_unknown=False) for reaction in REACTIONS},
}
"""By the consumer's name, which is a read model's without the version of its table."""
