"""What every event is: a frozen fact with a registered short name, and the envelope it was recorded in."""

from datetime import datetime
from typing import Any, ClassVar, Final, Generic, TypeVar
from uuid import UUID

from eventsourcing.utils import register_topic
from msgspec import Struct

__all__ = ["ANONYMOUS", "Actor", "Event", "Metadata", "Recorded", "UnknownEvent", "event_class", "event_classes"]

_classes: Final[dict[str, type["Event"]]] = {}


class UnknownEvent(LookupError):
    """The log holds an event whose name, or whose version, this version of Muster does not know."""

    def __init__(self, topic: str, version: int | None = None) -> None:
        self.topic = topic
        what = f"event {topic!r}" if version is None else f"version {version} of event {topic!r}"
        super().__init__(f"This version of Muster does not know {what}: upgrade it before it reads this log.")


class Event(Struct, frozen=True, gc=False):
    """A fact. Its class name is its name on disk, for ever; a changed shape is a new `class_version` with an upcast.

    A field that is added with `UNSET` for its default is no changed shape: it is left out where it is not set, and versions
    that do not know it pass it over.

    An upcast from version 1 to 2 is a static method `upcast_v1_v2(state)` that changes the decoded state in place,
    as in `eventsourcing`, whose topic registry knows these names too.
    """

    class_version: ClassVar[int] = 1

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__name__ in _classes:
            msg = f"There are two events named {cls.__name__}."
            raise TypeError(msg)
        _classes[cls.__name__] = cls
        register_topic(cls.__name__, cls)


def event_class(topic: str) -> type[Event]:
    """The class of a name on disk. Raises `UnknownEvent`; never imports what a name may point to."""
    try:
        return _classes[topic]
    except KeyError:
        raise UnknownEvent(topic) from None


def event_classes() -> dict[str, type[Event]]:
    """Every event of ours, by name; what others define for themselves, as tests do, is known but not ours."""
    return {name: cls for name, cls in _classes.items() if cls.__module__.startswith(f"{__package__}.")}


class Actor(Struct, frozen=True, omit_defaults=True):
    """Who did it: a user, an API key of a user's, a part of the system, the operator at the console, or someone not signed in.

    `user_id` is whose key it was.
    """

    type: str
    id: UUID | None = None
    name: str | None = None
    user_id: UUID | None = None


ANONYMOUS: Final = Actor("anonymous")


class Metadata(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the server adds to every event of a command: by whom, by which command, in answer to what.

    `correlation_id` is the command's own id: all events of one command carry the same. `causation` is the position
    of the event that a reaction answers. `sealed` holds the reason, under the subject's data key; `client` the client's
    address and user agent, under the key of the month in `client_month`, which is destroyed sooner.
    """

    actor: Actor
    command: str
    correlation_id: UUID
    causation: int | None = None
    sealed: str | None = None
    client: str | None = None
    client_month: str | None = None


E_co = TypeVar("E_co", bound=Event, covariant=True)


class Recorded(Struct, Generic[E_co], frozen=True, gc=False):
    """An event in the log, with the envelope that says where and when.

    `position` is its place in the whole log, from 1 and without gaps; `version` its place in its stream, from 1.
    `subject_id` is the user whom it is about. `metadata` is the JSON text as it was written.
    """

    event: E_co
    position: int
    stream_id: UUID
    stream_type: str
    version: int
    subject_id: UUID | None
    recorded_at: datetime
    metadata: str = ""
