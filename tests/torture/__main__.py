"""`make torture`: kills under load, for as long as one likes; prints its seeds, and ends with 1 when anything was lost."""

import asyncio
import sys
import tempfile
from pathlib import Path

import click

from api.embedded import Postgres
from events.migrations.upgrade import migrate
from tests.support import Database
from tests.torture.log import torture_log


@click.command()
@click.option("--events", default=1_000_000, show_default=True, help="How many events to append.")
@click.option("--writers", default=4, show_default=True, help="Processes that append, with 64 clients each.")
@click.option("--readers", default=3, show_default=True, help="Readers that follow the log from its beginning.")
@click.option("--seed", type=int, help="Repeat the kills of an earlier run.")
def main(events: int, writers: int, readers: int, seed: int | None) -> None:
    """Append from several processes while backends are killed and VACUUM runs; compare what everyone saw.

    A real PostgreSQL, durable, in a temporary folder. Nothing that was acknowledged may be missing or there twice,
    positions must be 1 to n, and every reader must have seen each once, in order, with times that never run backwards.
    """
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder))
        server.start()
        try:
            database = Database(server.url)
            asyncio.run(migrate(database.owner_url, database.secret))
            report = asyncio.run(
                torture_log(
                    database,
                    events=events,
                    writers=writers,
                    readers=readers,
                    seed=seed,
                    tell=lambda line: click.echo(line, err=True),
                )
            )
        finally:
            server.stop()
    click.echo(
        f"seed {report.seed}: {report.events:,} events in {report.seconds:.0f} s, {report.acknowledged:,} commands "
        f"acknowledged, {report.kills} backends killed, {report.vacuums} times vacuumed, {len(report.faults)} faults"
    )
    for fault in report.faults:
        click.echo(f"  {fault}")
    sys.exit(1 if report.faults else 0)


if __name__ == "__main__":
    main()
