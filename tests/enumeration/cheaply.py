"""`muster api` with hashes that cost next to nothing, so that what else an answer takes shows: a diagnosis, not the figure."""

from api.cli import main
from commands import passwords

__all__ = ["cheapen"]


def cheapen() -> None:
    """Hash at a thousandth of the cost from now on, in this process, on threads that wait for nobody."""
    passwords._context.update(argon2__memory_cost=8, argon2__time_cost=1)
    passwords._be_nice = lambda: None


if __name__ == "__main__":
    cheapen()
    main(["api"], prog_name="muster")
