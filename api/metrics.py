"""What Prometheus reads: requests, commands, commits and queues of this process."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest

from api.standing import Standing

__all__ = ["Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


disable_created_metrics()  # type: ignore[no-untyped-call] # the library left it untyped


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.standing = Standing()
        self.registry.register(self.standing)
        self._requests = Histogram(
            "muster_http_request_seconds",
            "Requests by method, route template and status.",
            ("method", "route", "status"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        # Finding a child by its labels takes longer than counting it does.
        self._observers: dict[tuple[str, str, int], Callable[[float], None]] = {}
        self._counts: dict[tuple[str, str], Callable[[], None]] = {}
        self.in_progress = Gauge(
            "muster_http_requests_in_progress", "Requests that are being answered.", registry=self.registry
        )
        self._commands = Counter(
            "muster_commands", "Commands by name and outcome.", ("command", "outcome"), registry=self.registry
        )
        self._batches = Histogram(
            "muster_commit_batch_commands", "Commands in one transaction.", buckets=_SIZES, registry=self.registry
        )
        self._commits = Histogram(
            "muster_commit_seconds", "How long a commit took.", buckets=_SECONDS, registry=self.registry
        )
        self._waits = Histogram(
            "muster_commit_wait_seconds",
            "How long the first command of a batch had waited for its commit to begin.",
            buckets=_SECONDS,
            registry=self.registry,
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        key = (method, route, status)
        if (observe := self._observers.get(key)) is None:
            observe = self._observers[key] = self._requests.labels(*map(str, key)).observe
        observe(seconds)

    def command(self, name: str, outcome: str) -> None:
        """A command was handled: `recorded`, `unchanged`, or the name of what it was refused for."""
        if (count := self._counts.get((name, outcome))) is None:
            count = self._counts[name, outcome] = self._commands.labels(name, outcome).inc
        count()

    def commit(self, commands: int, seconds: float, waited: float) -> None:
        """A transaction was committed."""
        self._batches.observe(commands)
        self._commits.observe(seconds)
        self._waits.observe(waited)

    def gauge(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """A number that is asked for whenever someone looks."""
        Gauge(name, meaning, registry=self.registry).set_function(read)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)
