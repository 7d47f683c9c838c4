"""Becomes another program that ends when its parent does, whatever ended the parent.

Run by path: `python -I -S lifeline.py PARENT SIGNAL UID GID PIPE PROGRAM ARGUMENT…`. It gives up root first when UID is
not -1, so that a program that refuses root can be started from a folder that its user cannot reach: the working folder
stays open across the change. On Linux the kernel then sends SIGNAL when the parent ends (prctl(2), PR_SET_PDEATHSIG:
a change of user clears it, so it is set after). Elsewhere, or when the kernel refuses, a watching process waits
for PIPE, whose other end only the parent holds, to close.

A program of its own and no `preexec_fn`: Python code between fork and exec can hang when the parent has threads.
"""

import os
import select
import signal
import sys

TYPE_CHECKING = False  # importing typing takes longer than all else that happens here
if TYPE_CHECKING:
    from typing import Any

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Give up root, tie this process's life to its parent's, and become PROGRAM."""
    parent, number, uid, gid, pipe = map(int, arguments[:5])
    program = arguments[5:]
    libc = _libc()
    if uid != -1:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if libc is None or libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        _watch(pipe, number)
    os.close(pipe)
    if os.getppid() != parent:
        sys.exit("The process that started this one has ended already.")
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execv(program[0], program)  # noqa: S606 - becoming another program is what this is for
    except OSError as error:
        sys.exit(f"{program[0]} cannot be run: {error.strerror}")


def _libc() -> "Any":
    """The C library where it has prctl; to be asked for as root, since others may not reach Python's own files."""
    if sys.platform != "linux":
        return None
    try:
        import ctypes

        return ctypes.CDLL(None)
    except (ImportError, OSError):
        return None


def _watch(pipe: int, number: int) -> None:
    """Leave a process behind that sends the signal when `pipe` closes, and goes when this program's whole tree has gone."""
    target = os.getpid()
    tree, held_by_tree = os.pipe()
    os.set_inheritable(held_by_tree, True)
    if (between := os.fork()) == 0:
        if os.fork() == 0:
            os.setsid()
            os.chdir("/")
            for fd in set(range(3, 1024)) - {pipe, tree}:
                _close(fd)
            ended, _, _ = select.select([pipe, tree], [], [])
            if tree not in ended:
                os.kill(target, number)
        os._exit(0)
    os.waitpid(between, 0)
    os.close(tree)


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        return


if __name__ == "__main__":
    main(sys.argv[1:])
