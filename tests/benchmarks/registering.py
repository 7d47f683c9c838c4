"""H1: registrations over HTTP, hashing taken out on both sides, one server process each."""

from typing import Final

from tests.benchmarks.busy import Window, shares
from tests.benchmarks.figures import Figure, Measure, Measured, measure
from tests.benchmarks.house import BARE, House
from tests.benchmarks.load import saturate
from tests.benchmarks.requests import registrations
from tests.benchmarks.serving import Server

__all__ = ["WARM_UP", "WITHOUT_HASHING", "registering"]

WARM_UP: Final = 1.0
WITHOUT_HASHING: Final = ("--without-hashing",)


async def registering(house: House) -> list[Figure]:
    """Measure H1, as shipped and bare. Each round starts each server anew."""
    database, crud = await house.muster("registering"), house.crud(await house.database("crud"))
    taken: dict[str, list[Window]] = {}

    def rate(name: str, server: Server, path: str, status: int) -> Measure:
        async def measured() -> float:
            window = await _register(house, server, path, status)
            taken.setdefault(name, []).append(window)
            return window.rate

        return measured

    servers = {
        "Muster, as shipped": (house.api(database, WITHOUT_HASHING), "/v1/users", 202),
        "Muster, bare": (house.api(database, WITHOUT_HASHING, BARE), "/v1/users", 202),
        "CRUD stack": (crud, "/users", 201),
    }
    measures = {name: rate(name, *server) for name, server in servers.items()}
    values = await measure(measures, house.rounds, house.tell)

    def row(how: str, goal: float) -> Figure:
        return Figure(
            "H1",
            f"`POST /v1/users` without hashing, {house.connections} connections, {how}",
            Measured(values[f"Muster, {how}"], "/s"),
            Measured(values["CRUD stack"], "/s"),
            "CRUD stack",
            goal,
        )

    shipped = row("as shipped", 5)
    shipped.notes = [f"{name}: {shares(windows)}" for name, windows in taken.items()]
    return [shipped, row("bare", 10)]


async def _register(house: House, server: Server, path: str, status: int) -> Window:
    """Start a server, warm it up, and have people register for some seconds."""
    async with house.serving(server) as (process, meter):
        answers = await saturate(
            process.port,
            registrations(path),
            house.connections,
            frozenset({status}),
            warm_up=WARM_UP,
            seconds=house.seconds,
            begun=meter.begin,
            ended=meter.end,
        )
    return Window(answers.rate, meter.busy)
