"""`muster api` as benchmarks need it: with hashing or other parts taken out, or watched. The product has no such switches."""

import signal
import sys
from pathlib import Path

import click

import api.runtime
from api.server import serve
from commands.passwords import Hasher
from settings import load
from tests.benchmarks.left_out import PARTS, leave_out
from tests.benchmarks.samples import sampled
from tests.benchmarks.spans import spanned


class PlainHasher(Hasher):
    """Hashes nothing, and hands nothing to a thread."""

    async def hash(self, password: str) -> str:
        """The password as it is."""
        return _plain(password)

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Whether it is the same."""
        return hashed == _plain(password)


class HandingHasher(PlainHasher):
    """Hashes nothing, but hands it to a thread and waits."""

    async def hash(self, password: str) -> str:
        """The password as it is, by way of a thread."""
        return await self._run(_plain, password)


def _plain(password: str) -> str:
    return f"plain:{password}"


@click.command()
@click.option("--hashing", type=click.Choice(["whole", "handed over", "none"]), default="none")
@click.option("--without", multiple=True, type=click.Choice(sorted(PARTS)))
@click.option("--spans", type=click.Path(path_type=Path), help="Where to put how long each part of a request took.")
@click.option("--samples", type=click.Path(path_type=Path), help="Where to put in which code processor time was spent.")
def main(*, hashing: str, without: tuple[str, ...], spans: Path | None, samples: Path | None) -> None:
    """Serve as `muster api` does, with the settings of the environment."""
    hashers = {"whole": Hasher, "handed over": HandingHasher, "none": PlainHasher}
    vars(api.runtime)["Hasher"] = hashers[hashing]  # in this process alone, which measures
    leave_out(without)
    signal.signal(signal.SIGTERM, _ended)
    with spanned(spans), sampled(samples):
        sys.exit(serve(load()))


def _ended(_number: int, _frame: object) -> None:
    """uvicorn sends itself the signal again when it has finished; what was watched has to be kept before it works."""
    sys.exit(0)


if __name__ == "__main__":
    main()
