"""The Dockerfile, as far as it can be checked without an engine, and what is copied into the image."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
INSTRUCTIONS = [(word, rest) for word, _, rest in (line.strip().partition(" ") for line in LINES) if word.isupper()]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for word, rest in INSTRUCTIONS:
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append((word, rest))
    return found


BUILD, FINAL = stages()


def of(stage: list[tuple[str, str]], word: str) -> list[str]:
    return [rest for found, rest in stage if found == word]


def test_its_base_is_pinned_to_a_version_that_we_support() -> None:
    (python,) = of(INSTRUCTIONS, "ARG")
    assert [rest.split()[0] for rest in of(INSTRUCTIONS, "FROM")] == ["python:${PYTHON}-slim"] * 2
    version = python.removeprefix("PYTHON=")
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["classifiers"]
    assert f"Programming Language :: Python :: {version}" in classifiers


def test_it_runs_as_nobody_in_particular() -> None:
    (user,) = of(FINAL, "USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user), "a number, so that Kubernetes can tell that it is not root"
    last = max(index for index, (word, _) in enumerate(FINAL) if word in ("RUN", "COPY"))
    assert FINAL.index(("USER", user)) > last, "what it consists of belongs to root"


def test_no_secret_is_in_it() -> None:
    for word, rest in INSTRUCTIONS:
        if word in ("ARG", "ENV"):
            assert not re.search(r"PASSWORD|SECRET|_KEY|TOKEN", rest)
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split("\n")
    assert "*" in ignored, "only what is named goes in, so no .env and no .muster"


def test_nothing_is_built_in_the_final_image() -> None:
    for run in of(FINAL, "RUN"):
        assert not re.search(r"\b(apt|apt-get|pip|uv|gcc|make|curl|wget)\b", run)
    assert "--no-build" in " ".join(of(BUILD, "RUN"))


def test_what_is_locked_is_what_is_installed() -> None:
    syncs = [run for run in of(BUILD, "RUN") if "uv sync" in run]
    assert len(syncs) == 2
    assert all("--locked" in run for run in syncs)
    assert "UV_NO_DEV=1" in " ".join(of(BUILD, "ENV"))


def test_every_folder_of_the_distribution_is_copied() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["only-include"]
    copied = {name for rest in of(BUILD, "COPY") for name in rest.split()[:-1]}
    allowed = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text("utf-8").split() if line[0] == "!"}
    assert set(wanted) <= copied <= allowed
    assert all((ROOT / name).exists() for name in copied)


def test_our_packages_come_before_others_of_the_name() -> None:
    environment = " ".join(of(FINAL, "ENV"))
    (folder,) = {rest.split()[-1] for rest in of(FINAL, "COPY") if "/srv" in rest}
    assert f"PYTHONPATH={folder}" in environment
    assert of(BUILD, "WORKDIR") == [folder], "the environment points to where the source was installed from"


def test_it_is_the_muster_command_and_says_whether_it_lives() -> None:
    assert of(FINAL, "ENTRYPOINT") == ['["muster"]']
    assert "/livez" in of(FINAL, "HEALTHCHECK")[0]
    assert of(FINAL, "CMD") == ['["api"]']


@pytest.mark.parametrize("word", ["ADD", "MAINTAINER", "SHELL", "ONBUILD"])
def test_it_does_without(word) -> None:
    assert of(INSTRUCTIONS, word) == []
