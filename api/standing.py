"""How views, reactions and deliveries stand, for Prometheus: asked when somebody looks, and told by each process alike."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any, Final

import asyncpg
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from events.connections import Reading, is_lost
from queries.deliveries import deliveries_left
from queries.projections import Projection, projections

__all__ = ["Standing"]

FRESH_SECONDS: Final = 2.0
PATIENCE_SECONDS: Final = 2.0
OF: Final = ("consumer", "partition")


class Standing(Collector):
    """What was found at the last look; nothing where the database does not answer, rather than what was true once."""

    def __init__(self) -> None:
        self._projections: list[Projection] = []
        self._deliveries: dict[str, int] = {}
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    async def look(self, pool: Reading) -> None:
        """Ask, unless that was done a moment ago: by one question for all who look at once."""
        async with self._looking:
            if time.monotonic() - self._looked_at < FRESH_SECONDS:
                return
            self._projections, self._deliveries = [], {}
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    self._projections = (await projections(pool)).items
                    self._deliveries = await deliveries_left(pool)
            except Exception as error:
                if not isinstance(error, asyncpg.PostgresError) and not is_lost(error):
                    raise
            self._looked_at = time.monotonic()

    def collect(self) -> Iterator[Any]:
        """The metrics, with a sample for each partition but of tables of earlier versions, which nobody need keep."""
        position = GaugeMetricFamily("muster_projection_position", "The position of a checkpoint.", labels=OF)
        events = GaugeMetricFamily("muster_projection_behind_events", "Events to be taken in.", labels=OF)
        seconds = GaugeMetricFamily("muster_projection_behind_seconds", "The age of the oldest of them.", labels=OF)
        taken = CounterMetricFamily("muster_projection_events", "Events that were taken in.", labels=OF)
        parked = GaugeMetricFamily("muster_projection_parked_events", "Events that could not be taken in.", labels=OF)
        held = GaugeMetricFamily("muster_projection_held", "Whether a worker holds the partition.", labels=OF)
        for item in self._projections:
            if item.state == "earlier":
                continue
            for part in item.partitions:
                of = (item.table or item.name, str(part.partition))
                position.add_metric(of, part.position)
                events.add_metric(of, part.behind)
                seconds.add_metric(of, part.behind_seconds)
                taken.add_metric(of, part.taken)
                parked.add_metric(of, part.parked)
                held.add_metric(of, part.held_by is not None)
        owed = GaugeMetricFamily("muster_deliveries", "Deliveries that wait, and that are dead.", labels=("status",))
        for status, number in self._deliveries.items():
            owed.add_metric((status,), number)
        yield from (position, events, seconds, taken, parked, held, owed)
