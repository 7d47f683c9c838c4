"""One run of Schemathesis against a house: as whom, from which seed, how long; and what it found."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import schemathesis
from msgspec import Struct
from schemathesis import Case, HookContext, Response
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.engine import events, from_schema
from schemathesis.hooks import GLOBAL_HOOK_DISPATCHER

from tests.fuzz import formats
from tests.fuzz.callers import Caller
from tests.fuzz.cast import settle
from tests.fuzz.excuses import ACCEPTING, excused
from tests.fuzz.house import House
from tests.fuzz.known import Known
from tests.fuzz.lifelike import enliven

__all__ = ["PHASES", "Asked", "Finding", "Report", "fuzz"]

PHASES: Final = ("examples", "coverage", "fuzzing", "stateful")


class Finding(Struct, frozen=True):
    """Something that the document does not say, or the API does not keep."""

    operation: str
    phase: str
    check: str
    told: str
    how: str
    answer: str

    def __str__(self) -> str:
        lines = [f"{self.operation}: {self.check} ({self.phase})", self.told, self.how, f"-> {self.answer}"]
        return "\n    ".join("\n".join(lines).splitlines())


class Report:
    """What was asked and answered, and what was found to be wrong."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        """How often each operation was answered with each status; questions in other methods are counted as theirs."""
        self.findings: dict[tuple[str, str, str, str], Finding] = {}

    def take(self, event: Any) -> None:
        """Take note of what the engine tells."""
        if isinstance(event, events.NonFatalError):
            phase = "" if event.phase is None else event.phase.value
            self._add(Finding(event.label, phase, "error", event.info.format(), "", ""))
        if not isinstance(event, events.ScenarioFinished):
            return
        recorded = event.recorder
        for case_id, exchange in recorded.interactions.items():
            if exchange.response is not None:
                case = recorded.cases[case_id].value
                self.answers[f"{case.method} {case.operation.path}", exchange.response.status_code] += 1
        for case_id, checks in recorded.checks.items():
            for check in checks:
                if (info := check.failure_info) is not None:
                    label = recorded.cases[case_id].value.operation.label
                    response = recorded.interactions[case_id].response
                    answer = "" if response is None else f"{response.status_code} {response.content[:500]!r}"
                    told = f"{info.failure.title}\n{info.failure.message}"
                    self._add(Finding(label, event.phase.value, check.name, told, info.code_sample, answer))

    def _add(self, finding: Finding) -> None:
        kind = re.sub(r'"(instance|request_id)":"[^"]*"', "", finding.answer)
        self.findings.setdefault((finding.operation, finding.check, finding.told, kind), finding)

    @property
    def requests(self) -> int:
        """How many were answered."""
        return self.answers.total()

    @property
    def accepted(self) -> set[str]:
        """The operations that did what was asked at least once."""
        return {label for label, status in self.answers if status < 300}


@contextmanager
def _hooked(known: Known, caller: Caller) -> Iterator[None]:
    def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
        caller.still(case)
        enliven(case, known)

    def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
        caller.heard(response)
        known.learn(case, response)

    def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
        return not excused(failure, case, response)

    hooks = (before_call, after_call, filter_failure)
    for hook in hooks:
        GLOBAL_HOOK_DISPATCHER.register_hook_with_name(hook, hook.__name__)
    try:
        yield
    finally:
        for hook in hooks:
            GLOBAL_HOOK_DISPATCHER.unregister(hook)


class Asked(Struct, frozen=True):
    """What to ask: as which of `CALLERS`, from which seed, how many examples of each operation, at which path alone."""

    caller: str
    seed: int
    examples: int
    phases: tuple[str, ...] = PHASES
    path: str | None = None

    def __str__(self) -> str:
        """The same again."""
        only = "" if self.path is None else f" --path '{self.path}'"
        phases = "".join(f" --phase {phase}" for phase in self.phases if self.phases != PHASES)
        return f'make fuzz ARGS="--as {self.caller} --seed {self.seed} --examples {self.examples}{phases}{only}"'


def fuzz(house: House, known: Known, asked: Asked) -> Report:
    """Ask until all phases are done. It blocks, so it is for another thread than the one that serves."""
    formats.teach()
    house.done(settle(house, known))
    caller = Caller(house, known, asked.caller)
    schema: Any = schemathesis.openapi.from_url(f"{house.url}/openapi.json", config=_configuration(house, asked))
    if asked.path is not None:
        schema = schema.include(path=asked.path)
    if caller.headers:
        schema.auth(refresh_interval=None)(caller.provider())
    report = Report()
    with _hooked(known, caller):
        for event in from_schema(schema).execute():
            report.take(event)
    return report


def _configuration(house: House, asked: Asked) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "base-url": house.url,
            "seed": asked.seed,
            "workers": 1,
            "continue-on-failure": True,
            "output": {"sanitization": {"enabled": False}},
            "generation": {"max-examples": asked.examples, "database": "none"},
            "phases": {
                **{phase: {"enabled": phase in asked.phases} for phase in PHASES},
                # One path alone leads nowhere.
                "stateful": {"enabled": "stateful" in asked.phases and asked.path is None},
                # One method that there is not is like another.
                "coverage": {"enabled": "coverage" in asked.phases, "unexpected-methods": ["query"]},
            },
            "checks": {
                "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "503"]},
                "positive_data_acceptance": {"expected-statuses": ACCEPTING},
            },
        }
    )
