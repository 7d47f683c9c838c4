"""The plans that PostgreSQL keeps for what is asked again and again, whatever the values."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import asyncpg

__all__ = ["kept_plans"]


async def kept_plans(connection: asyncpg.Connection, question: Awaitable[Any]) -> list[str]:
    """Those of the statements that a question asks on this connection."""
    asked: list[Any] = []
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    with connection.query_logger(asked.append):
        await question
        await asyncio.sleep(0)  # loggers are told at the loop's next turn
    plans = []
    learning = "typeinfo"  # what the client asks for itself
    for number, statement in enumerate(one for one in asked if learning not in one.query):
        values = ", ".join(f"'{value}'" for value in statement.args)
        await connection.execute(f"PREPARE asked_{number} AS {statement.query}")
        rows = await connection.fetch(f"EXPLAIN EXECUTE asked_{number}{f' ({values})' if values else ''}")
        plans.append("\n".join(row[0] for row in rows))
        await connection.execute(f"DEALLOCATE asked_{number}")
    return plans
