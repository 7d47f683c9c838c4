"""`make enumeration`: whether anyone can learn from answers, or from their times, who has an account."""

import random
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import click
import uvloop

from tests.enumeration.cheaply import cheapen
from tests.enumeration.findings import Finding, findings, row, table
from tests.enumeration.house import House, servers
from tests.enumeration.people import people
from tests.enumeration.questions import QUESTIONS, Question
from tests.enumeration.sampling import Samples, sample
from tests.support import until

HELP = """Ask about addresses of every kind, and see whether answers tell the kinds apart; prints one table.

The servers are real, durable and in a temporary folder: PostgreSQL, Valkey, a mail catcher, one `muster api`, one
worker. Hashes have their full cost. Limits by client address are raised, since all questions come from one; those by
account are as shipped, and no address is asked about often enough to meet one.

\b
Conditions
  idle       one client on one connection, one question at a time
  loaded     several clients, all questions mixed, each the load of the others
  no mail    one client while the mail server is down; a fiftieth of the
             samples, judged by their bytes alone

\b
Figures
  AUC        the area under the ROC curve of a classifier that sees nothing but
             the time from sending a request to the last byte of its answer:
             0.5 is a coin, 1 is certainty; with 95 % confidence. One classifier
             has a threshold, the other learns from one half of the samples
             how the times of each kind are distributed and judges the other half.
  Bytes      status, headers and body, without Date, traceparent, what is left
             in RateLimit, and the id in the answer to a registration.
  Goal       identical bytes and neither AUC above 0.53: met, missed, or unclear,
             where it is above, but may be so by chance (one in a thousand):
             ask more often

Each kind is compared with addresses that were never in the registry; any two others are compared too, and shown where
they miss the goal. What the goal does not name (who is locked, suspended or has a second factor, registrations that
lapsed, and changing to an address) is asked about a tenth as often.

With 10,000 samples nothing is unclear, with 1,000 what is below 0.542. Times mean little on a machine that does
something else: that hides differences, and starves the threads that hash. All of it takes about two hours on two
cores; --samples and --question make it shorter, and rows are told as they are found.

Exit codes: 0 nothing misses the goal, 1 something does.
"""


@click.command(help=HELP)
@click.option(
    "--samples", default=10_000, show_default=True, help="How often each kind is asked about, idle and loaded."
)
@click.option("--clients", default=8, show_default=True, help="How many ask at once when loaded; 0 leaves that out.")
@click.option("--seed", type=int, help="Ask in the order of an earlier run.")
@click.option(
    "--question",
    "only",
    multiple=True,
    type=click.Choice(list(QUESTIONS)),
    help="Ask this question alone, as the table names it; may be repeated.",
)
@click.option(
    "--cheap-hashes", "cheap", is_flag=True, help="Hash at next to no cost, to see what hides in the noise of hashing."
)
@click.option(
    "--set",
    "changed",
    multiple=True,
    type=(str, str),
    metavar="SETTING VALUE",
    help="Another setting, as in --set even_answers_milliseconds 0, to see what the shipped one hides; may be repeated.",
)
def main(
    *,
    samples: int,
    clients: int,
    seed: int | None,
    only: tuple[str, ...],
    cheap: bool,
    changed: tuple[tuple[str, str], ...],
) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is stopped, whoever ends it
    seed = random.randrange(2**32) if seed is None else seed
    if cheap:
        cheapen()
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder), cheap=cheap, settings=dict(changed)) as house:
        found = uvloop.run(_Run(house, samples, clients, random.Random(seed)).measured(only))
    told = [f"seed {seed}", f"{samples:,} samples of each kind", f"loaded by {clients} clients"]
    told += ["hashes at next to no cost"] if cheap else []
    told += [f"{name} = {value}" for name, value in changed]
    click.echo(f"{', '.join(told)}\n\n{table(found)}")
    missed = sum(finding.verdict == "missed" for finding in found)
    unclear = sum(finding.verdict == "unclear" for finding in found)
    click.echo(f"\n{missed} of {len(found)} miss the goal, {unclear} are unclear.")
    sys.exit(1 if missed else 0)


class _Run:
    def __init__(self, house: House, samples: int, clients: int, chance: random.Random) -> None:
        self._house = house
        self._samples, self._clients = samples, clients
        self._few = max(20, samples // 50)
        self._chance = chance

    async def measured(self, only: tuple[str, ...]) -> list[Finding]:
        """Make people, warm up, and ask under each condition."""
        house = self._house
        await house.prepare()
        uses = self._samples * (2 if self._clients else 1) + 3 * self._few
        _tell(f"making people for {uses:,} questions about each kind")
        async with people(house.database, house.settings) as made:
            asking = [await make(made, uses) for name, make in QUESTIONS.items() if name in only or not only]
        await house.open()
        await self._warm_up(asking)
        found = []
        if self._clients:
            found += await self._found("loaded", asking, self._samples, self._clients)
            await until(house.settled, 600, pause=1)
        for question in asking:
            found += await self._found("idle", [question], self._samples)
        house.stop_mail()
        found += await self._found("no mail", asking, self._few, timed=False)
        return sorted(found, key=lambda finding: finding.question)

    async def _warm_up(self, asking: list[Question]) -> None:
        """Ask a little under each condition; tells how long all of it will take."""
        seconds = 0.0
        for clients in (1, self._clients):
            if clients:
                begun = time.monotonic()
                await self._ask(asking, self._few, clients)
                seconds += (time.monotonic() - begun) / self._few * self._samples
        _tell(f"all of it takes about {seconds / 60:.0f} minutes")

    async def _found(
        self, condition: str, asking: list[Question], samples: int, clients: int = 1, *, timed: bool = True
    ) -> list[Finding]:
        """What is found under one condition; told at once as well, for those who will not wait for the rest."""
        _tell(f"{condition}: {', '.join(question.name for question in asking)}")
        found = findings(await self._ask(asking, samples, clients), condition, timed=timed)
        for finding in found:
            _tell(row(finding))
        return found

    async def _ask(self, asking: list[Question], samples: int, clients: int = 1) -> Samples:
        return await sample(self._house.port, asking, samples, self._chance, _tell, clients=clients)


def _tell(line: str) -> None:
    click.echo(f"{datetime.now(UTC):%H:%M:%S} {line}", err=True)


if __name__ == "__main__":
    main()
