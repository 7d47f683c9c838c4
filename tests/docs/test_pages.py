"""The documentation as it is built: without a warning, with everything documented, and with links that lead somewhere."""

import html
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

from api.cli import main
from api.metrics import Metrics
from api.problems import described_problems
from events.event import event_classes
from projections.models import MODELS
from projections.topics import known_topics
from settings import described
from tests.docs.steps import ROOT

_ANCHOR = re.compile(r'\bid="([^"]+)"')
_LINK = re.compile(r'\b(?:href|src)="([^"]+)"')
_MARKDOWN_LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built pages."""
    folder = tmp_path_factory.mktemp("docs")
    told = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    assert told.stderr == ""
    return folder


def page(built: Path, name: str) -> str:
    """A built page, with its marks resolved."""
    return html.unescape((built / f"{name}.html").read_text("utf-8"))


def anchors(built: Path, name: str) -> set[str]:
    """What can be linked to on a page."""
    return set(_ANCHOR.findall((built / f"{name}.html").read_text("utf-8")))


def words(text: str) -> str:
    """What there is to read, without marks and line breaks."""
    return " ".join(re.sub("<[^>]+>", "", text).split())


def commands() -> Iterator[str]:
    """The classes of `commands/` that are performed, as the source has them."""
    for file in (ROOT / "commands").glob("*.py"):
        for part in re.split(r"\n(?=class )", file.read_text("utf-8"))[1:]:
            if "async def perform(" in part and "(Protocol" not in part:
                yield part.split("(")[0].removeprefix("class ")


def test_every_event_is_documented(built: Path) -> None:
    text = words(page(built, "events"))
    for name in known_topics():
        assert name.lower() in anchors(built, "events")
        assert f'"type": "{name}"' in text, "with an example"
        assert words(event_classes()[name].__doc__ or "").replace("`", "") in text


def test_every_command_is_documented(built: Path) -> None:
    found = list(commands())
    assert len(found) > 5
    assert {name.lower() for name in found} <= anchors(built, "commands")


def test_every_setting_is_documented(built: Path) -> None:
    assert {name.lower().replace("_", "-") for name, _, _ in described()} <= anchors(built, "settings")


def test_every_problem_type_is_documented(built: Path) -> None:
    assert {slug for slug, _, _, _ in described_problems()} <= anchors(built, "problems")


def command_lines(command: click.Command, path: str = "muster") -> Iterator[tuple[str, click.Command]]:
    """Every command of the command line, with the path by which it is called."""
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from command_lines(child, f"{path} {name}")


def test_every_command_and_option_of_the_command_line_is_documented(built: Path) -> None:
    text = page(built, "cli")
    for path, command in command_lines(main):
        assert path == "muster" or path.replace(" ", "-") in anchors(built, "cli")
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.opts[0] in text


def test_what_can_be_tried_out_is_documented(built: Path) -> None:
    section = words(page(built, "http").partition('id="trying-out"')[2].partition('id="reasons"')[0])
    for request in ("DELETE /v1/sessions/{session_id}", "POST /v1/invitations", "POST /v1/users/{user_id}/erase"):
        assert request in section
    for request in ("POST /v1/sessions", "POST /v1/users ", "POST /v1/users/{user_id}/password/change"):
        assert f" {request} " not in section


def test_every_metric_is_documented(built: Path) -> None:
    text = page(built, "operations")
    source = (ROOT / "api" / "runtime.py").read_text("utf-8")
    names = set(re.findall(r'gauge\(\s*"(muster_\w+)"', source))
    names |= {metric.name for metric in Metrics().registry.collect() if metric.name.startswith("muster_")}
    assert len(names) > 5
    for name in names:
        assert name in text


def test_every_table_is_documented() -> None:
    text = (ROOT / "docs" / "log.md").read_text("utf-8")
    tables = [
        table
        for file in (ROOT / "events" / "migrations" / "sql").glob("*.sql")
        for table in re.findall(r"^CREATE TABLE (\w+)", file.read_text("utf-8"), re.MULTILINE)
    ]
    assert len(tables) > 5
    for table in tables:
        assert f"`{table}`" in text


def test_every_view_and_column_is_documented(built: Path) -> None:
    text = page(built, "views")
    for model in MODELS:
        assert model.table.fullname in text
        assert {model.name.replace("_", "-")} <= anchors(built, "views")
        for column in model.table.columns:
            assert column.name in text


def test_every_setting_that_the_prose_names_is_one(built: Path) -> None:
    known = {name for name, _, _ in described()} | {"MUSTER_DOMAIN", "MUSTER_PROXY_NETWORK"}
    for file in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        assert set(re.findall(r"\bMUSTER_[A-Z_]+\b", file.read_text("utf-8"))) <= known, file.name


def test_every_link_leads_somewhere(built: Path) -> None:
    pages = {file: set(_ANCHOR.findall(file.read_text("utf-8"))) for file in built.rglob("*.html")}
    broken = []
    for file in pages:
        for link in _LINK.findall(file.read_text("utf-8")):
            parts = urlsplit(html.unescape(link))
            if parts.scheme or link.startswith("data:"):
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not target.exists() or (
                parts.fragment and target in pages and parts.fragment not in pages[target] | {""}
            ):
                broken.append(f"{file.name}: {link}")
    assert not broken


def test_a_reader_needs_no_network(built: Path) -> None:
    for file in built.rglob("*.html"):
        assert not re.findall(r'<(?:script|img|link)\b[^>]*(?:src|href)="https?:', file.read_text("utf-8")), file.name


@pytest.mark.parametrize("file", ["README.md", "CHANGELOG.md"])
def test_links_of_the_source_lead_somewhere(built: Path, file: str) -> None:
    for link in _MARKDOWN_LINK.findall((ROOT / file).read_text("utf-8")):
        parts = urlsplit(link)
        if not parts.scheme:
            assert (ROOT / parts.path).exists(), link
            if parts.fragment:
                assert parts.fragment in anchors(built, Path(parts.path).relative_to("docs").with_suffix("").as_posix())


def test_the_changelog_tells_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE)


def test_decisions_are_numbered_and_dated() -> None:
    files = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    assert [int(file.name[:4]) for file in files] == list(range(1, len(files) + 1))
    for file in files:
        text = file.read_text("utf-8")
        assert text.startswith(f"# {file.name[:4]} ")
        assert re.search(r"^\d{4}-\d\d-\d\d\. (In force|Overturned by )", text, re.MULTILINE)
