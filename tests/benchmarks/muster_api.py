"""`muster api` as benchmarks need it: without hashing, or watched. The product has no such switches."""

import signal
import sys
from pathlib import Path

import click

import api.runtime
from api.server import serve
from settings import load
from tests.benchmarks.hashers import PlainHasher
from tests.benchmarks.samples import sampled
from tests.benchmarks.spans import spanned
from tests.benchmarks.switches import switched_by_signals


@click.command()
@click.option("--without-hashing", is_flag=True, help="Keep passwords as they are.")
@click.option("--switches", is_flag=True, help="Take parts out and put them back at signals.")
@click.option("--spans", type=click.Path(path_type=Path), help="Where to put how long each part of a request took.")
@click.option("--samples", type=click.Path(path_type=Path), help="Where to put in which code processor time was spent.")
def main(*, without_hashing: bool, switches: bool, spans: Path | None, samples: Path | None) -> None:
    """Serve as `muster api` does, with the settings of the environment."""
    if without_hashing:
        vars(api.runtime)["Hasher"] = PlainHasher  # in this process alone, which measures
    if switches:
        switched_by_signals()
    signal.signal(signal.SIGTERM, _ended)
    with spanned(spans), sampled(samples):
        sys.exit(serve(load()))


def _ended(_number: int, _frame: object) -> None:
    """uvicorn sends itself the signal again when it has finished; what was watched has to be kept before it works."""
    sys.exit(0)


if __name__ == "__main__":
    main()
