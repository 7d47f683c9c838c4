"""Statements of SQLAlchemy, compiled once and run by asyncpg."""

import pytest
from sqlalchemy import JSON, Column, Integer, MetaData, Table, Text, any_, func, insert, select
from sqlalchemy.dialects.postgresql import ARRAY

from projections.database import Statement, given

things = Table("things", MetaData(), Column("id", Integer), Column("name", Text), Column("facts", JSON))


async def test_takes_values_by_name_in_any_order(connection):
    statement = Statement(select((given("a", Integer) - given("b", Integer)).label("difference")))
    (row,) = await statement.fetch(connection, b=2, a=5)
    assert row["difference"] == 3


async def test_a_value_given_twice_is_asked_for_once(connection):
    twice = given("a", Integer)
    (row,) = await Statement(select(twice, twice + 1)).fetch(connection, a=1)
    assert tuple(row) == (1, 2)


async def test_brings_along_the_values_that_the_statement_has(connection):
    rows = await Statement(select(func.generate_series(1, 3).label("n"))).fetch(connection)
    assert [row["n"] for row in rows] == [1, 2, 3]


async def test_arrays_stand_for_lists_of_any_length(connection):
    series = func.generate_series(1, 9).table_valued("n").render_derived()
    statement = Statement(select(series.c.n).where(series.c.n == any_(given("wanted", ARRAY(Integer)))))
    assert [row["n"] for row in await statement.fetch(connection, wanted=[2, 5, 99])] == [2, 5]


def test_values_go_as_their_types_have_them():
    statement = Statement(insert(things).values(id=given("id", Integer), facts=given("facts", JSON)))
    assert statement.arguments({"id": 1, "facts": {"a": 1}}) == [1, '{"a": 1}']


def test_refuses_a_text_that_depends_on_its_values():
    with pytest.raises(TypeError, match="depends on its values"):
        Statement(select(things).where(things.c.id.in_([1, 2])))


def test_a_missing_value_is_a_mistake():
    with pytest.raises(KeyError):
        Statement(select(given("a", Integer))).arguments({})
