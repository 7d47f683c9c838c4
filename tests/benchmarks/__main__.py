"""`make bench`: the figures of docs/benchmarks.md, measured beside their peers in one run."""

import secrets
import tempfile
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import uvloop

from api.embedded import Postgres, Valkey
from api.installation import postgres_programs
from events.migrations.upgrade import migrate
from tests.benchmarks.appends import appends, fill, on_a_small_log
from tests.benchmarks.costs import costs
from tests.benchmarks.everything import everything
from tests.benchmarks.figures import ROUNDS, table
from tests.benchmarks.folding import folding
from tests.benchmarks.growing import growing
from tests.benchmarks.grown import grown
from tests.benchmarks.hashing import hashing
from tests.benchmarks.house import House
from tests.benchmarks.importing import importing
from tests.benchmarks.page import PARTS, machine, sections, with_sections
from tests.benchmarks.plans import plans
from tests.benchmarks.profiling import profile
from tests.benchmarks.projecting import projecting
from tests.benchmarks.reading import reading
from tests.benchmarks.registering import registering
from tests.benchmarks.showing import showing
from tests.support import Database

PAGE: Final = Path(__file__).parents[2] / "docs" / "benchmarks.md"
FEWEST: Final = 1_000


def _chosen(_context: object, _option: object, text: str) -> frozenset[str]:
    chosen = frozenset(part.strip() for part in text.split(",") if part.strip())
    if strange := sorted(chosen - set(PARTS)):
        raise click.BadParameter(f"{', '.join(strange)}: choose among {', '.join(PARTS)}.")
    return chosen


def _sizes(_context: object, _option: object, text: str) -> tuple[int, int]:
    try:
        few, many = map(int, text.split(","))
    except ValueError:
        raise click.BadParameter("Give two numbers of users with a comma between.") from None
    if not FEWEST <= few < many:
        raise click.BadParameter(f"Give the smaller one first, and at least {FEWEST:,} users.")
    return few, many


@click.command()
@click.option("--rounds", default=ROUNDS, show_default=True, help="How often each is measured, in turn.")
@click.option(
    "--seconds", default=4.0, show_default=True, help="How long H1 to H3, P3, S1 and the library are measured."
)
@click.option("--rows", default=10_000_000, show_default=True, help="Rows in the log before appends are measured.")
@click.option("--events", default=400_000, show_default=True, help="Events of each log that P1 and P2 project.")
@click.option(
    "--sizes", default="100000,1000000", show_default=True, callback=_sizes, help="Among how many users S1 to S3 are."
)
@click.option("--connections", default=64, show_default=True, help="Clients that ask at once in H1 to H3.")
@click.option(
    "--only",
    default=",".join(PARTS),
    show_default=True,
    callback=_chosen,
    help="What to measure, with commas between. H2 brings H3, P1 brings P2, S2 brings S3, and imports what both say of "
    "them, A1 brings A2, A3 and the plans; costs is the ledger of H1.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the users of S1 to S3 in this folder, and use them again if they are there.",
)
@click.option(
    "--profile", "profiled", is_flag=True, help="Tell instead where one registration and one sign-in take their time."
)
@click.option(
    "--write",
    is_flag=True,
    help="Put what was measured into docs/benchmarks.md as well, each part as soon as it was; the rest of it stays.",
)
def main(
    *,
    rounds: int,
    seconds: float,
    rows: int,
    events: int,
    sizes: tuple[int, int],
    connections: int,
    only: frozenset[str],
    data: Path | None,
    profiled: bool,
    write: bool,
) -> None:
    """Measure Muster and its peers in turn on this machine and print one table: figure, ours, peer, ratio, goal.

    The servers are real, durable and in a temporary folder. Nothing here asserts on time; a plan that would read the
    whole log fails it, and so does an answer that is not right. It takes some two hours, and means nothing on a machine
    that does something else.
    """
    if write and profiled:
        raise click.UsageError("--write is for figures: leave --profile out.")

    def tell(line: str) -> None:
        click.echo(f"{datetime.now(UTC):%H:%M:%S} {line}", err=True)

    with tempfile.TemporaryDirectory() as folder:
        postgres, valkey = _postgres(data or Path(folder)), Valkey(Path(folder))
        house = House(postgres, valkey, Path(folder), rounds, seconds, connections, tell)
        try:
            postgres.start()
            valkey.start()
            if profiled:
                click.echo("\n".join(uvloop.run(profile(house))))
                return
            told, measured = machine(rounds), dict[str, str]()
            for part, text in _measured(house, rows, events, sizes, only):
                measured[part] = f"{told}\n\n{text}"
                if write:
                    PAGE.write_text(with_sections(PAGE.read_text("utf-8"), measured), "utf-8")
            house.clear()
        finally:
            valkey.stop()
            postgres.stop()
    click.echo(sections(measured))


def _postgres(folder: Path) -> Postgres:
    """The server of a folder, with the passwords that it was made with, which the folder keeps."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "passwords"
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(f"{secrets.token_urlsafe(24)} {secrets.token_urlsafe(24)}")
    owner, superuser = kept.read_text().split()
    return Postgres(folder, connections=400, owner_password=owner, superuser_password=superuser)


def _measured(
    house: House, rows: int, events: int, sizes: tuple[int, int], only: Collection[str]
) -> Iterator[tuple[str, str]]:
    """What was chosen, each part as Markdown once it is measured. What is over HTTP goes first, before the log is long."""
    if "H1" in only:
        yield "H1", table(uvloop.run(registering(house)))
    if "costs" in only:
        yield "costs", "\n".join(uvloop.run(costs(house)))
    if "H2" in only:
        yield "H2", table(uvloop.run(reading(house)))
    if "H4" in only:
        yield "H4", table(uvloop.run(hashing(house)))
    if "P1" in only:
        yield "P1", table(uvloop.run(projecting(house, events)))
    if "P3" in only:
        yield "P3", table(uvloop.run(showing(house)))
    if not {"S1", "S2", "imports"}.isdisjoint(only):
        databases = {users: uvloop.run(grown(house, users)) for users in sizes}
        if "S1" in only:
            yield "S1", table(uvloop.run(growing(house, databases)))
        if "S2" in only:
            yield "S2", table(uvloop.run(everything(house, databases)))
        if "imports" in only:
            yield "imports", table(uvloop.run(importing(house, databases)))
    if not {"A1", "A4"}.isdisjoint(only):
        database, peer_url = Database(uvloop.run(house.database("appends"))), uvloop.run(house.database("peer"))
        uvloop.run(migrate(database.owner_url, database.secret))
        if "A4" in only:
            yield "A4", table(uvloop.run(folding(database, peer_url, house.rounds, house.tell)))
        if "A1" in only:
            small = uvloop.run(on_a_small_log(database, house.rounds, house.tell))
            house.tell(f"filling the log with {rows:,} rows")
            uvloop.run(fill(database, rows))
            looked_at = uvloop.run(plans(database, house.tell))
            programs = postgres_programs(None)
            figures = uvloop.run(appends(database, peer_url, programs, small, house.rounds, house.tell))
            yield "A1", "\n".join([f"On a log of {rows:,} rows.", "", table(figures), "", *looked_at])


if __name__ == "__main__":
    main()
