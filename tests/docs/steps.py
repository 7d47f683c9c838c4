"""The shell blocks of a page, run word for word against a `muster up` of their own."""

import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

from tests.up.processes import MUSTER, Up

__all__ = ["ROOT", "Ran", "blocks", "run"]

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BETWEEN = "\nsleep 0.2; echo @@@\n"
"""Marks where the output of a block begins; nobody reads and copies faster than that."""
_PRINTED = re.compile(r"^(API|DATABASE|SIGN_UP)='.*'$", re.MULTILINE)


class Ran(NamedTuple):
    """What the blocks printed, one text each, and what `muster up` and the API told."""

    printed: list[str]
    told: dict[str, Any]
    metrics: str


def blocks(page: Path) -> list[str]:
    """The bash blocks of a page, in their order."""
    return _BLOCK.findall(page.read_text("utf-8"))


def run(page: Path, folder: Path) -> Ran:
    """Run all blocks in one shell that stops at the first error, as a reader would in the folder of the project.

    Only what `make up` prints is put in: the reader copies it, and here ports and folder are others.
    """
    (folder / ".venv").symlink_to(ROOT / ".venv")
    with Up(folder / ".muster", command=MUSTER) as up:
        told = up.ready()
        copied = {"API": told["api"], "DATABASE": told["database"], "SIGN_UP": told["admin_signup"]}
        script = _BETWEEN.join(blocks(page))
        script, count = _PRINTED.subn(lambda found: f"{found[1]}='{copied[found[1]]}'", script)
        assert count == len(copied), "a page begins with what the reader copies"
        shell = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        assert shell.returncode == 0, f"{shell.stdout}\n{up.told}"
        with urllib.request.urlopen(f"{told['api']}/metrics", timeout=5) as answer:
            metrics = answer.read().decode()
        assert up.stop() == 0
        return Ran(shell.stdout.split("@@@\n"), told, metrics)
