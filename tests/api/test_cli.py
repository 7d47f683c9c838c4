"""The `muster` command."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from api.cli import main
from tests.api.site import environment_for
from tests.support import Database


def paths(command: click.Command, *path: str) -> Iterator[list[str]]:
    yield list(path)
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from paths(child, *path, name)


@pytest.mark.parametrize("path", list(paths(main)), ids=" ".join)
def test_every_command_says_what_it_does(path):
    told = CliRunner().invoke(main, [*path, "--help"])
    assert told.exit_code == 0
    assert len(told.output) > 100
    assert max(map(len, told.output.splitlines())) <= 80


def test_a_secret_is_32_fresh_bytes():
    made = {CliRunner().invoke(main, ["secret"]).output.strip() for _ in range(3)}
    assert len(made) == 3
    assert all(len(base64.urlsafe_b64decode(text + "=")) == 32 for text in made)


@pytest.mark.parametrize("command", ["api", "worker", "migrate"])
def test_settings_that_are_missing_are_told_plainly(command):
    told = CliRunner().invoke(main, [command], env={"MUSTER_DATABASE_URL": "postgresql://localhost/x"})
    assert told.exit_code == 2
    assert "MUSTER_SECRET is missing." in told.output
    assert "Traceback" not in told.output


def run(*arguments: str, env: dict[str, str], given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api.cli", *arguments],
        env=env,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def test_migrate_ends_with_the_first_administrators_link(database: Database):
    told = run("migrate", "--json", env=environment_for(database))
    assert told.returncode == 0, told.stderr
    link = json.loads(told.stdout.splitlines()[-1])["admin_signup"]
    assert link.startswith("https://muster.example/sign-up#token=")
    assert json.loads(run("migrate", "--json", env=environment_for(database)).stdout)["admin_signup"] == link
    assert link in run("migrate", env=environment_for(database)).stdout


def test_migrate_says_when_there_is_no_database(postgres):
    env = environment_for(Database("postgresql://muster:wrong@127.0.0.1:1/none"))
    told = run("migrate", env=env)
    assert told.returncode == 1
    assert told.stderr.startswith("muster migrate: ")
    assert "Traceback" not in told.stderr
    assert "wrong" not in told.stderr
