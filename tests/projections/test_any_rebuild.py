"""Whatever happened, however it is cut, killed and forgotten: what is projected live, what is built anew and what is verified agree."""

import asyncio
import contextlib
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from events.user import UserErased
from projections.anew import FIRST, LAST, Anew
from projections.models import MODELS
from projections.rebuilding import Rebuilding
from projections.serving import serving_table
from projections.users import USERS
from projections.verifying import Difference, Verifier
from tests.projections.terms import OPEN_TERMS, TERMS
from tests.projections.test_any_history import PEOPLE, ends, histories, persons, record
from tests.projections.test_rebuilding import Killed, hung_up, rows_of, store
from tests.projections.test_verifying import repairing

__all__ = ["repairing", "store"]

models = pytest.mark.parametrize("model", [USERS, TERMS, OPEN_TERMS], ids=lambda model: model.name)
all_models = pytest.mark.parametrize("model", [*MODELS, TERMS, OPEN_TERMS], ids=lambda model: model.name)
bounded = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
mischief = st.lists(st.tuples(st.sampled_from(["wrong", "missing", "additional"]), st.integers(0, 9)), max_size=3)
DYING, GOOD, OVER = range(3)
"""The rebuild that may be killed, the next one, which is not, and what comes after both."""
moments = st.tuples(st.sampled_from([DYING, GOOD]), st.integers(0, 6))
"""A rebuild, and how often it has told how far it is: before it begins, never."""


async def happen(log, view, model, told, partitions):
    """The history, in the table that serves, in so many partitions; who it is about."""
    people = [uuid7() for _ in range(PEOPLE)]
    view.model = model.on(await serving_table(view.connection, model) or model.view)
    await view.set_up(view.model, partitions)
    await record(log, people, told)
    return people


class Erasures:
    """People who are erased while others build, each from a moment on."""

    def __init__(self, log, due):
        self._log = log
        self._due = due
        self._begun: list[asyncio.Task[None]] = []

    def begin(self, *moment):
        """Erase everyone whose moment has come; whoever builds goes on meanwhile."""
        for person in [person for person, due in self._due.items() if due <= moment]:
            del self._due[person]
            self._begun.append(asyncio.ensure_future(self._erase(person)))

    async def done(self, *moment):
        """Erase everyone whose moment has come, and wait for it."""
        self.begin(*moment)
        await asyncio.gather(*self._begun)

    async def _erase(self, person):
        await self._log.add(person, UserErased())
        await self._log.forget(person)

    def during(self, rebuild, killed_at=0):
        """What a rebuild tells how far it is, and dies of when it has told it so many times."""
        times = itertools.count(1)

        def tell(_state, _done, _total):
            told = next(times)
            self.begin(rebuild, told)
            if told == killed_at:
                raise Killed

        return tell


@all_models
@bounded
@given(
    told=histories,
    partitions=st.integers(1, 3),
    range_events=st.integers(1, 30),
    killed_at=st.integers(0, 8),
    forgotten=st.lists(persons, max_size=2),
    last=ends,
    later=st.booleans(),
    erased=st.dictionaries(persons, moments, max_size=2),
)
async def test_live_and_built_anew_are_the_same_and_nothing_differs(
    database, log, view, store, model, told, partitions, range_events, killed_at, forgotten, last, later, erased
):
    people = await happen(log, view, model, told, partitions)
    if later:
        await view.catch_up(most_events=3)
    for number in forgotten:
        await log.add(people[number], last)
        await log.forget(people[number])
    erasures = Erasures(log, {people[number]: moment for number, moment in erased.items()})

    def rebuild(which, killed_at=0):
        tell = erasures.during(which, killed_at)
        return Rebuilding(store, model, 2, told=tell, range_events=range_events).run(0)

    if killed_at:
        await erasures.done(DYING, 0)
        with contextlib.suppress(Killed):
            await rebuild(DYING, killed_at)
        await hung_up(store)
    await erasures.done(GOOD, 0)
    table = await rebuild(GOOD)
    await erasures.done(OVER)
    kept = await view.connection.fetchval("SELECT previous FROM read_models WHERE name = $1", model.name)

    async def nothing_differs(name):
        verified = await Verifier(model.on(name), database.master).verify(view.connection)
        return (verified.equal, verified.differences) == (True, 0)

    assert await nothing_differs(table)
    assert not later or await nothing_differs(kept), "though it has yet to take in who was erased meanwhile"
    both = []
    for name in (table, kept):
        view.model = model.on(name)
        view.partitions = len(await view.positions())
        await view.catch_up(most_events=2)
        assert await nothing_differs(name)
        both.append(await rows_of(database, model, name))
    built, live = both
    assert live == built
    if model.opens_seals:
        gone = {people[number] for number in (*forgotten, *erased)}
        assert gone.isdisjoint(getattr(row, model.key) for row in built.values())


@models
@bounded
@given(told=histories, mischief=mischief)
async def test_whatever_is_planted_is_found_and_put_right(database, log, view, repairing, model, told, mischief):
    await happen(log, view, model, told, 1)
    await view.catch_up()
    right = await rows_of(database, model, model.view)
    keys = sorted({getattr(row, model.key) for row in right.values()})
    expected = {}
    columns = {"users": "status = 'planted'", "terms": "others = 99", "open_terms": "others = 99"}[model.name]
    for what, which in mischief if keys else ():
        key = keys[which % len(keys)]
        if key in expected:
            continue
        expected[key] = what
        match str(what):
            case "wrong":
                await view.connection.execute(f"UPDATE views.{model.view} SET {columns} WHERE {model.key} = $1", key)
            case "missing":
                await view.connection.execute(f"DELETE FROM views.{model.view} WHERE {model.key} = $1", key)
            case _:
                names = ", ".join(column.name for column in model.table.columns if column.name != model.key)
                stranger = uuid7()
                await view.connection.execute(
                    f"INSERT INTO views.{model.view} ({model.key}, {names}) SELECT $1, {names} "
                    f"FROM views.{model.view} WHERE {model.key} = $2",
                    stranger,
                    key,
                )
                del expected[key]
                expected[stranger] = what
    found: list[Difference] = []
    verifier = Verifier(model, database.master, found=found.append)
    verified = await verifier.verify(view.connection, repairing=repairing)
    assert {difference.key: difference.kind for difference in found} == expected
    assert verified.equal
    assert await rows_of(database, model, model.view) == right


@all_models
@bounded
@given(told=histories, at_once=st.integers(1, 7))
async def test_any_pages_of_the_log_make_the_same_keys(database, log, view, model, told, at_once):
    await happen(log, view, model, told, 1)
    await view.catch_up()
    (end,) = await view.positions()
    anew = Anew(model, database.master, until=end, at_once=at_once)
    folded = [one async for page in anew.keys(view.connection, FIRST, LAST) for one in page]
    assert [one.key for one in folded] == sorted({one.key for one in folded})
    rows = {model.identify(row): row for one in folded for row in one.rows}
    assert rows == await rows_of(database, model, model.view)
