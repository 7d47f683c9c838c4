"""The names of all events that this version knows, so that one from a newer version is told from one that does not matter."""

import importlib
import pkgutil
from functools import cache

import events
from events.event import event_classes

__all__ = ["known_topics"]


@cache
def known_topics() -> tuple[str, ...]:
    """Every event that the modules of `events` define; they are all imported, since one left out would seem unknown."""
    for module in pkgutil.iter_modules(events.__path__, "events."):
        if not module.ispkg:
            importlib.import_module(module.name)
    return tuple(sorted(event_classes()))
