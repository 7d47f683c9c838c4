"""Questions are asked of what projections have made: the same fixtures, and the reader's role."""

from tests.projections.conftest import connection, log, partitioned, reader_pool, view

__all__ = ["connection", "log", "partitioned", "reader_pool", "view"]
