"""A read model that serves from the log's beginning, whatever has happened already: tests move it by hand."""

from typing import Any

import asyncpg

from projections.checkpoints import prepare
from projections.read_model import ReadModel
from projections.rows import Rows

__all__ = ["serve"]


async def serve(connection: asyncpg.Connection, model: ReadModel[Any], partitions: int, reader: str) -> None:
    """Make the table and its checkpoints, empty, and let it serve; divided anew where it is there already."""
    await Rows(model).create(connection, reader)
    await connection.execute(
        "INSERT INTO read_models (name, version, serving, tables) VALUES ($1, $2, $3, 1) ON CONFLICT DO NOTHING",
        model.name,
        model.version,
        model.consumer,
    )
    await prepare(connection, {model.consumer: partitions}, {})
