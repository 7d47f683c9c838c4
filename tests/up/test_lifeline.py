"""Programs that end with their parent."""

import os
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import pytest

from api.processes import LIFELINE
from tests.up.processes import alive, until

PARENT = """
    import os, signal, subprocess, sys
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # of tests that run in the background it is ignored, and a shell cannot trap it
    inner, outer = os.pipe()
    # Elsewhere than on Linux, the same file is run by an interpreter that is told so.
    run = [] if {kernel} else ["-c", "import runpy, sys; sys.platform = 'elsewhere'; sys.argv[0:1] = []; "
                               "runpy.run_path(sys.argv[0], run_name='__main__')"]
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", *run, {lifeline!r}, str(os.getpid()), str(int(signal.{signal})), {uid!r}, {uid!r},
         str(inner), "/bin/sh", "-c", {script!r}],
        pass_fds=[inner], cwd={folder!r}, start_new_session=True)
    sys.stdout.write(f"{{child.pid}}\\n"); sys.stdout.flush()
    sys.exit(child.wait())
"""


def parent(
    folder: Path, script: str, *, kernel: bool, number: str = "SIGKILL", uid: str = "-1"
) -> subprocess.Popen[str]:
    code = textwrap.dedent(PARENT).format(
        kernel=kernel, lifeline=str(LIFELINE), signal=number, script=script, folder=str(folder), uid=uid
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def watchers(parent: int) -> list[str]:
    """The watching processes that were left for children of a parent; the kernel needs none."""
    commands = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            commands.append(file.read_text().split("\0"))
    return [" ".join(c) for c in commands if str(LIFELINE) in c and str(parent) in c]


@pytest.mark.parametrize("kernel", [True, False], ids=["kernel", "pipe"])
def test_ends_with_a_parent_that_is_killed(tmp_path: Path, kernel: bool) -> None:
    with parent(tmp_path, "echo > begun; exec sleep 60", kernel=kernel) as up:
        assert up.stdout
        child = int(up.stdout.readline())
        until((tmp_path / "begun").exists, "it has begun")
        up.kill()
        until(lambda: not alive(child), "the child has ended")


@pytest.mark.parametrize("kernel", [True, False], ids=["kernel", "pipe"])
def test_gets_the_signal_asked_for(tmp_path: Path, kernel: bool) -> None:
    script = "trap 'echo > told; exit' INT; echo > begun; while :; do sleep 0.02; done"
    with parent(tmp_path, script, kernel=kernel, number="SIGINT") as up:
        until((tmp_path / "begun").exists, "it has begun")
        up.kill()
        until((tmp_path / "told").exists, "it was told")


@pytest.mark.parametrize("kernel", [True, False], ids=["kernel", "pipe"])
def test_gives_the_program_s_own_code_and_leaves_nothing(tmp_path: Path, kernel: bool) -> None:
    with parent(tmp_path, "exit 7", kernel=kernel) as up:
        assert up.wait(10) == 7
    until(
        lambda: not [p for p in Path("/proc").glob("[0-9]*/cwd") if os.access(p, os.R_OK) and p.resolve() == tmp_path],
        "nobody works in the folder",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up root")
def test_gives_up_root_inside_a_folder_that_others_cannot_reach(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    inside = closed / "inside"
    inside.mkdir(parents=True)
    closed.chmod(0o700)
    os.chown(inside, 65_534, 65_534)
    script = "id -u > /proc/self/cwd/uid; id -G >> uid; cat ../../* 2>/dev/null; exec sleep 60"
    with parent(inside, script, kernel=True, uid="65534") as up:
        assert up.stdout
        child = int(up.stdout.readline())
        until(
            lambda: (inside / "uid").exists() and len((inside / "uid").read_text().split()) == 2, "it has told its user"
        )
        assert (inside / "uid").read_text().split() == ["65534", "65534"]
        assert watchers(up.pid) == []
        up.send_signal(signal.SIGKILL)
        until(lambda: not alive(child), "the child has ended")
