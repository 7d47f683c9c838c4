"""Keeping processes running, with the smallest processes that there are."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from api.processes import Program, claim, make_folders
from api.supervisor import GaveUp, Part, Supervisor
from tests.up.processes import alive


async def living() -> bool:
    return True


@pytest.fixture
def shell(tmp_path: Path) -> Callable[..., Program]:
    make_folders(tmp_path)

    def program(name: str, script: str, **more: Any) -> Program:
        return Program(
            name,
            ("/bin/sh", "-c", script),
            {"PATH": os.environ["PATH"]},
            tmp_path,
            tmp_path / "logs" / name,
            tmp_path / "run" / name,
            **more,
        )

    return program


async def reached(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - processes set no event
            await asyncio.sleep(0.01)


async def supervised(told: list[str], story: Callable[[Supervisor], Coroutine[Any, Any, None]]) -> None:
    """Run the story, then ask everything to stop."""
    supervisor = Supervisor(told.append, (("first",), ("second",)))

    async def then_stop() -> None:
        await story(supervisor)
        os.kill(os.getpid(), signal.SIGTERM)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        async with asyncio.timeout(20):
            await supervisor.run(then_stop())
    finally:
        for number, handler in before.items():
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, handler)


async def test_starts_again_with_the_reason_and_the_last_lines(shell: Callable[..., Program], tmp_path: Path) -> None:
    told: list[str] = []

    async def story(supervisor: Supervisor) -> None:
        await supervisor.keep(
            Part(shell("first", "test -e again && exec sleep 60; touch again; echo oh no; exit 3"), living)
        )
        await reached(lambda: "first is back." in told)

    await supervised(told, story)
    assert told[0] == "first ended with exit code 3; its last lines:\n    oh no\nfirst is started again."


async def test_gives_up_on_what_keeps_dying_and_stops_the_rest(shell: Callable[..., Program]) -> None:
    told: list[str] = []
    pids: dict[str, int] = {}

    async def story(supervisor: Supervisor) -> None:
        await supervisor.keep(Part(shell("second", "exec sleep 60"), living))
        pids.update(supervisor.pids)
        await supervisor.keep(Part(shell("first", "echo $$ went; exit 1"), living))
        await asyncio.Event().wait()

    with pytest.raises(GaveUp, match="first keeps dying, so everything is stopped"):
        await supervised(told, story)
    assert sum("first is started again" in line for line in told) == Supervisor.MOST_DEATHS - 1
    assert not alive(pids["second"])


async def test_gives_up_on_what_is_never_ready(shell: Callable[..., Program]) -> None:
    async def never() -> bool:
        return False

    async def story(supervisor: Supervisor) -> None:
        await supervisor.keep(Part(shell("first", "echo waiting; exec sleep 60"), never, patience=0.5))

    with pytest.raises(GaveUp, match=r"first is not ready after 0 seconds; its last lines:\n    waiting"):
        await supervised([], story)


async def test_stops_in_the_order_given(shell: Callable[..., Program], tmp_path: Path) -> None:
    script = "trap 'echo {0} >> order; exit 0' TERM; : > {0}; while :; do sleep 0.01; done"

    async def story(supervisor: Supervisor) -> None:
        for name in ("second", "first"):
            await supervisor.keep(Part(shell(name, script.format(name)), living))
            await reached((tmp_path / name).exists)

    await supervised([], story)
    assert (tmp_path / "order").read_text().split() == ["first", "second"]


async def test_forces_what_does_not_stop(shell: Callable[..., Program], tmp_path: Path) -> None:
    told: list[str] = []

    async def story(supervisor: Supervisor) -> None:
        stubborn = shell("first", "trap '' TERM; : > deaf; while :; do sleep 0.1; done", grace=0.3)
        await supervisor.keep(Part(stubborn, living))
        await reached((tmp_path / "deaf").exists)

    await supervised(told, story)
    assert "first has not ended within 0 seconds, so it is forced to." in told


async def test_a_second_signal_hastens(shell: Callable[..., Program], tmp_path: Path) -> None:
    async def story(supervisor: Supervisor) -> None:
        stubborn = shell("first", "trap ': > asked' TERM; : > deaf; while :; do sleep 0.1; done", grace=60)
        await supervisor.keep(Part(stubborn, living))
        await reached((tmp_path / "deaf").exists)

        async def once_more() -> None:
            await reached((tmp_path / "asked").exists)
            os.kill(os.getpid(), signal.SIGINT)

        hurrying.append(asyncio.create_task(once_more()))

    hurrying: list[asyncio.Task[None]] = []
    await supervised([], story)
    await hurrying[0]


async def test_leaves_no_children_of_what_died(shell: Callable[..., Program], tmp_path: Path) -> None:
    async def story(supervisor: Supervisor) -> None:
        await supervisor.keep(Part(shell("first", "sleep 60 & echo $! >> children; wait"), living))
        await reached(lambda: (tmp_path / "children").exists() and (tmp_path / "children").read_text())
        os.kill(supervisor.pids["first"], signal.SIGKILL)
        await reached(lambda: len((tmp_path / "children").read_text().split()) == 2)
        left, _ = map(int, (tmp_path / "children").read_text().split())
        assert not alive(left)

    await supervised([], story)
    assert not any(map(alive, map(int, (tmp_path / "children").read_text().split())))


async def test_kills_what_has_left_the_process_group(shell: Callable[..., Program], tmp_path: Path) -> None:
    async def story(supervisor: Supervisor) -> None:
        escaping = shell("first", "setsid sh -c 'echo $$ > escaped; exec sleep 60' & wait", grace=0.3)
        await supervisor.keep(Part(escaping, living))
        await reached(lambda: (tmp_path / "escaped").exists() and (tmp_path / "escaped").read_text())

    await supervised([], story)
    assert not alive(int((tmp_path / "escaped").read_text()))
    lock = claim(tmp_path / "run" / "first")
    assert lock is not None
    os.close(lock)


async def test_says_why_something_failed_that_runs_once(shell: Callable[..., Program]) -> None:
    async def story(supervisor: Supervisor) -> None:
        assert await supervisor.once(shell("first", "echo out; echo err >&2")) == b"out\n"
        await supervisor.once(shell("second", "echo why >&2; kill -9 $$"))

    with pytest.raises(GaveUp, match=r"second was ended by SIGKILL. The end of .*/logs/second:\nwhy"):
        await supervised([], story)


async def test_says_that_a_program_is_not_there(shell: Callable[..., Program]) -> None:
    missing = shell("first", "")._replace(arguments=("/nowhere/program",))

    async def story(supervisor: Supervisor) -> None:
        await supervisor.once(missing)

    with pytest.raises(GaveUp, match="/nowhere/program cannot be run: No such file or directory"):
        await supervised([], story)
