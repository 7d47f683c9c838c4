"""Fills `<!-- generated: … -->` in a page with what the code says of itself, so that the two cannot differ."""

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import ModuleType, NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import click
import msgspec
from litestar import Litestar
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import FieldInfo, fields
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import commands
import events
from api.app import ROUTES
from api.bodies import JsonRequest
from api.cli import main
from api.documentation import configuration, document
from api.problems import described_problems
from events.event import Event, event_classes
from events.personal import Forgotten, is_personal
from projections.database import column_type
from projections.models import MODELS
from projections.published_view import PEOPLE, PERSONAL, SUMS
from projections.published_views import PUBLISHED
from settings import Settings, described, variable
from tests.events.examples import EXAMPLES

__all__ = ["setup"]

KINDS: Final = {
    str: "text",
    int: "whole number",
    bool: "true or false",
    UUID: "UUID",
    datetime: "time",
    NoneType: "null",
    Mapping[str, Any]: "entries of any JSON, by name",
    tuple[tuple[str, Any], ...]: "names with their values",
    tuple[str, ...]: "texts",
    Mapping[str, tuple[datetime, ...]]: "times, by name; left out where there are none",
}


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("source-read", _fill)
    app.connect("env-get-outdated", _always_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _fill(_app: Sphinx, _page: str, source: list[str]) -> None:
    for name, generate in GENERATED.items():
        mark = f"<!-- generated: {name} -->"
        if mark in source[0]:
            source[0] = source[0].replace(mark, "\n".join(generate()))


def _always_read(_app: Sphinx, env: BuildEnvironment, *_changed: set[str]) -> list[str]:
    """The pages that depend on code, of whose changes Sphinx does not know."""
    return [page for page in env.found_docs if "<!-- generated: " in env.doc2path(page).read_text("utf-8")]


def settings() -> Iterator[str]:
    """Every setting, its default and its meaning."""
    hints = get_type_hints(Settings, include_extras=True)
    bounds = {variable(field.name): _bounds(hints[field.name]) for field in fields(Settings)}
    for name, default, meaning in described():
        shown = default if default == "required" else f"`{default}`" if default else "empty"
        yield f"[`{name}`]{{#{name}}}, {shown if default == 'required' else 'by default ' + shown}"
        yield f": {meaning} {bounds[name]}\n"


def _bounds(hint: Any) -> str:
    if choices := [get_args(part) for part in get_args(hint) if get_origin(part) is Literal]:
        return "One of " + ", ".join(f"`{choice}`" for choice in choices[0]) + "."
    for extra in get_args(hint)[1:]:
        if isinstance(extra, Meta) and extra.ge is not None and extra.le is not None:
            return f"From {extra.ge:,} to {extra.le:,}."
    return ""


def dictionary() -> Iterator[str]:
    """Every event, by stream."""
    modules = [module for module in _modules(events) if hasattr(module, "STREAM_TYPE")]
    for module in sorted(modules, key=lambda module: module.__name__ != "events.user"):
        yield f"## The stream `{module.STREAM_TYPE}`\n"
        yield f"{inspect.getdoc(module)}\n"
        for name in (name for name, cls in event_classes().items() if cls.__module__ == module.__name__):
            yield from _event(name, event_classes()[name])


def _event(name: str, cls: type[Event]) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"{inspect.getdoc(cls)}\n"
    yield f"Class version {cls.class_version}.\n"
    if fields(cls):
        hints = get_type_hints(cls, include_extras=True)
        yield from _table(fields(cls), hints, lambda field: "yes" if is_personal(hints[field.name]) else "", "Personal")
    yield "```json"
    yield json.dumps({"type": name, "data": msgspec.to_builtins(EXAMPLES[name])}, indent=2, ensure_ascii=False)
    yield "```\n"


def views() -> Iterator[str]:
    """Every view that workers keep, with its columns."""
    for model in MODELS:
        module = inspect.getmodule(model.row)
        yield f"## {model.name}\n"
        yield f"`{model.table.fullname}`. {inspect.getdoc(module)}\n"
        yield f"{inspect.getdoc(model.row)}\n"
        if model.closed_by is not None:
            yield f"A row can still change while its `{model.closed_by}` is null.\n"
        yield "| Column | Type | |"
        yield "|---|---|---|"
        for column in model.table.columns:
            told = "primary key" if column.primary_key else "may be null" if column.nullable else ""
            yield f"| `{column.name}` | `{column_type(column)}` | {told} |"
        yield ""


def verbs() -> Iterator[str]:
    """Every command, by its name."""
    for name, cls in sorted(_commands()):
        yield f"## {name}\n"
        yield f"{inspect.getdoc(cls)}\n"
        if fields(cls):
            yield from _table(fields(cls), get_type_hints(cls), _default, "Default")


def _commands() -> Iterator[tuple[str, type[Struct]]]:
    for module in _modules(commands):
        for name, cls in inspect.getmembers(module, inspect.isclass):
            if cls.__module__ == module.__name__ and issubclass(cls, Struct) and hasattr(cls, "perform"):
                yield name, cls


def _default(field: FieldInfo) -> str:
    if field.required:
        return ""
    if field.default is UNSET:
        return "stays"
    return {None: "null", False: "false", True: "true", (): "none"}.get(field.default, f"`{field.default}`")


def _table(
    of: tuple[FieldInfo, ...], hints: dict[str, Any], last: Callable[[FieldInfo], str], title: str
) -> Iterator[str]:
    yield f"| Field | What it holds | {title} |"
    yield "|---|---|---|"
    for field in of:
        yield f"| `{field.name}` | {_kind(hints[field.name])} | {last(field)} |"
    yield ""


def _kind(hint: Any) -> str:
    if get_origin(hint) is Annotated:
        return _kind(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_kind(part) for part in get_args(hint) if part not in (Forgotten, UnsetType))
    return KINDS[hint]


def requests() -> Iterator[str]:
    """Every request that the OpenAPI document describes."""
    yield "| Request | What it does | Access token |"
    yield "|---|---|---|"
    for request, operation in _operations():
        needed = {"token" in way for way in operation.get("security", [{}])}
        asked = {frozenset({True}): "needed", frozenset({False}): ""}.get(frozenset(needed), "taken")
        yield f"| `{request}` | {operation['summary']} | {asked} |"


def rehearsals() -> Iterator[str]:
    """Every request that declares the answer to a dry run."""
    yield "| Request | What it would do |"
    yield "|---|---|"
    for request, operation in _operations():
        content = operation["responses"].get("200", {}).get("content", {})
        if any(one["schema"].get("$ref", "").endswith("/Rehearsal") for one in content.values()):
            yield f"| `{request}` | {operation['summary']} |"


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    app = Litestar(ROUTES, openapi_config=configuration("https://users.example.com"), request_class=JsonRequest)
    for path, methods in sorted(msgspec.json.decode(document(app))["paths"].items()):
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def problems() -> Iterator[str]:
    """Every problem type, by the last part of its URI."""
    for slug, status, title, meaning in described_problems():
        yield f"({slug})=\n"
        yield f"## {slug}\n"
        yield f"**{status}** · {title}\n"
        yield f"{meaning}\n"


def published() -> Iterator[str]:
    """Every view that analysts read, with its columns."""
    readers = {
        SUMS: "Both roles read it.",
        PEOPLE: "Both roles read it; with a smallest group, `analyst_personal` alone.",
        PERSONAL: "`analyst_personal` reads it.",
    }
    for view in PUBLISHED:
        yield f"### analytics.{view.name}\n"
        yield f"{view.meaning} {readers[view.audience]}\n"
        yield "| Column | What it means |"
        yield "|---|---|"
        yield from (f"| `{column.name}` | {column.meaning} |" for column in view.columns)
        yield ""


def cli() -> Iterator[str]:
    """What `--help` says of `muster` and of each of its commands."""
    yield from _help(main, None, "muster", 1)


def _help(command: click.Command, parent: click.Context | None, name: str, depth: int) -> Iterator[str]:
    context = click.Context(command, parent, info_name=name, max_content_width=100)
    if depth > 1:
        yield f"{'#' * depth} {context.command_path}\n"
    yield from ("```text", command.get_help(context), "```", "")
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            yield from _help(command.commands[child], context, child, depth + 1)


def _modules(package: ModuleType) -> list[ModuleType]:
    found = pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    return [importlib.import_module(module.name) for module in found if not module.ispkg]


GENERATED: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "settings": settings,
    "events": dictionary,
    "views": views,
    "commands": verbs,
    "requests": requests,
    "rehearsals": rehearsals,
    "problems": problems,
    "cli": cli,
    "published": published,
}
