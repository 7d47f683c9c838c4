"""Whatever happened, however it is cut, killed and forgotten: what is projected live, what is built anew and what is verified agree."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from events.user import UserErased
from projections.anew import FIRST, LAST, Anew
from projections.models import MODELS
from projections.serving import serving_table
from projections.users import USERS
from projections.verifying import Difference, Verifier
from tests.projections.terms import OPEN_TERMS, TERMS
from tests.projections.test_any_history import PEOPLE, histories, record, superseded
from tests.projections.test_rebuilding import Killed, rebuild, rows_of, store
from tests.projections.test_verifying import repairing

__all__ = ["repairing", "store"]

models = pytest.mark.parametrize("model", [USERS, TERMS, OPEN_TERMS], ids=lambda model: model.name)
all_models = pytest.mark.parametrize("model", [*MODELS, TERMS, OPEN_TERMS], ids=lambda model: model.name)
bounded = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
mischief = st.lists(st.tuples(st.sampled_from(["wrong", "missing", "additional"]), st.integers(0, 9)), max_size=3)


async def happen(log, view, model, told, partitions):
    """The history, in the table that serves, in so many partitions; who it is about."""
    people = [uuid7() for _ in range(PEOPLE)]
    view.model = model.on(await serving_table(view.connection, model) or model.view)
    await view.set_up(view.model, partitions)
    await record(log, people, told)
    return people


@all_models
@bounded
@given(
    told=histories,
    partitions=st.integers(1, 3),
    range_events=st.integers(1, 30),
    killed_at=st.integers(0, 8),
    forgotten=st.lists(st.integers(0, PEOPLE - 1), max_size=2),
    last=st.sampled_from([superseded, UserErased()]),
    later=st.booleans(),
)
async def test_live_and_built_anew_are_the_same_and_nothing_differs(
    database, log, view, store, model, told, partitions, range_events, killed_at, forgotten, last, later
):
    people = await happen(log, view, model, told, partitions)
    if later:
        await view.catch_up(most_events=3)
    for number in forgotten:
        await log.add(people[number], last)
        await log.forget(people[number])
    if killed_at:
        with contextlib.suppress(Killed):
            await rebuild(store, model, killed_at=killed_at, range_events=range_events)
    table = await rebuild(store, model, range_events=range_events)
    built = await rows_of(database, model, table)
    verified = await Verifier(model.on(table), database.master).verify(view.connection)
    assert (verified.equal, verified.differences) == (True, 0)
    kept = await view.connection.fetchval("SELECT previous FROM read_models WHERE name = $1", model.name)
    view.model = model.on(kept)
    view.partitions = len(await view.positions())
    await view.catch_up(most_events=2)
    assert await rows_of(database, model, kept) == built


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
