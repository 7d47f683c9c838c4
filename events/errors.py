"""Why something was not recorded, or could not be told."""

__all__ = ["Conflict", "KeyGone", "QueueFull", "StoreUnavailable"]


class Conflict(Exception):
    """Someone else was first: what the decision was based on is no longer so. Nothing was recorded; read and decide again.

    `about` says what moved: a `stream`, a `claim`, a `secret` or a data `key`.
    """

    def __init__(self, about: str) -> None:
        self.about = about
        super().__init__(f"A {about} that the decision was based on has moved on.")


class KeyGone(Conflict):
    """The data key of a subject is destroyed: they were erased since the decision read about them."""

    def __init__(self) -> None:
        super().__init__("key")


class StoreUnavailable(Exception):
    """The store cannot take commands now. Nothing was recorded, unless the message says that the outcome is unknown."""


class QueueFull(StoreUnavailable):
    """More commands wait to be committed than this process keeps. Nothing was recorded."""

    def __init__(self) -> None:
        super().__init__("Too many commands are waiting to be committed; try again shortly.")
