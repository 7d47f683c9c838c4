"""`make bench`: the figures of docs/benchmarks.md, measured beside their peers in one run."""

import tempfile
from pathlib import Path

import click
import uvloop

from api.embedded import Postgres
from api.installation import postgres_programs
from events.migrations.upgrade import migrate
from tests.benchmarks.appends import appends, fill
from tests.benchmarks.figures import ROUNDS, table
from tests.benchmarks.folding import folding
from tests.support import Database


@click.command()
@click.option("--rounds", default=ROUNDS, show_default=True, help="How often each is measured, in turn.")
@click.option(
    "--rows", default=10_000_000, show_default=True, help="Rows that the log holds before appends are measured."
)
def main(rounds: int, rows: int) -> None:
    """Measure Muster and its peers in turn on this machine and print one table: figure, ours, peer, ratio, goal."""

    def tell(line: str) -> None:
        click.echo(line, err=True)

    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder), connections=400)
        server.start()
        try:
            database = Database(server.url)
            peer_url = server.create("peer")
            uvloop.run(migrate(database.owner_url, database.secret))
            figures = uvloop.run(folding(database, peer_url, rounds, tell))
            tell(f"filling the log with {rows:,} rows")
            uvloop.run(fill(database, rows))
            figures += uvloop.run(appends(database, peer_url, postgres_programs(None), rounds, tell))
        finally:
            server.stop()
    click.echo(table(figures))


if __name__ == "__main__":
    main()
