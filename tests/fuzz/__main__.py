"""`make fuzz`: Schemathesis for as long as one likes; prints its seeds, and ends with 1 when anything was found."""

import asyncio
import random
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

import click

from api.embedded import Postgres
from events.migrations.upgrade import migrate
from tests.fuzz.aftermath import everything_wrong
from tests.fuzz.callers import CALLERS
from tests.fuzz.house import house
from tests.fuzz.known import Known
from tests.fuzz.run import PHASES, Asked, fuzz
from tests.support import Database


@click.command()
@click.option(
    "--as", "callers", type=click.Choice([*CALLERS]), multiple=True, help="Who asks; everyone in turn, if not given."
)
@click.option("--seed", type=int, help="Repeat an earlier run; it tells its seed.")
@click.option("--examples", default=100, show_default=True, help="How many examples of each operation, in each phase.")
@click.option("--rounds", default=1, show_default=True, help="How often to begin anew, each time from the next seed.")
@click.option("--phase", "phases", type=click.Choice(PHASES), multiple=True, help="Only these of Schemathesis' phases.")
@click.option("--path", help="Only this path of the document, as /v1/users/{user_id}.")
def main(
    callers: tuple[str, ...], seed: int | None, examples: int, rounds: int, phases: tuple[str, ...], path: str | None
) -> None:
    """Ask everything that the OpenAPI document allows, and what it forbids, and see whether it is true.

    A whole Muster on a real PostgreSQL in a temporary folder, with cheap password hashes. Afterwards the log must be whole,
    the views must be its fold, and no secret may stand in what was logged.
    """
    first = random.randrange(2**32) if seed is None else seed
    found = 0
    for seed, _ in zip(count(first), range(rounds), strict=False):
        for caller in callers or CALLERS:
            found += _one(Asked(caller, seed, examples, phases or PHASES, path))
    sys.exit(1 if found else 0)


def _one(asked: Asked) -> int:
    """One run on a Muster of its own, told about; how much was found."""
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder), durable=False)
        server.start()
        try:
            return asyncio.run(_fuzzed(Database(server.url), asked))
        finally:
            server.stop()


async def _fuzzed(database: Database, asked: Asked) -> int:
    await migrate(database.owner_url, database.secret)
    begun = time.monotonic()
    async with house(database) as made:
        known = Known(made)
        report = await asyncio.to_thread(fuzz, made, known, asked)
        wrong = await everything_wrong(made, known.secrets)
    click.echo(
        f"{asked.caller}, seed {asked.seed}: {report.requests:,} requests in {time.monotonic() - begun:.0f} s, "
        f"{len(report.accepted)} operations done, {len(report.findings) + len(wrong)} findings"
    )
    for finding in (*report.findings.values(), *wrong):
        click.echo(f"  {finding}")
    if report.findings or wrong:
        click.echo(f"  Again: {asked}")
    return len(report.findings) + len(wrong)


if __name__ == "__main__":
    main()
