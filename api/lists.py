"""Lists: pages by keyset, with a cursor to go on from."""

from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from litestar.params import QueryParameter

from api.asking import runtime_of
from api.bodies import JsonRequest
from api.cursors import cursor, read_cursor
from api.reasons import FieldError, InvalidParameters, LogRestored

__all__ = ["Cursor", "Limit", "only_parameters", "page_headers", "place_after", "sealed_place"]

T = TypeVar("T")

Limit = Annotated[int, QueryParameter(ge=1, le=200, description="How many to list at most.")]
Cursor = Annotated[
    str | None,
    QueryParameter(max_length=512, description="`next` of the page before; good for its caller and its list alone."),
]


def _scope(request: JsonRequest, name: str) -> tuple[str, ...]:
    caller = request.user
    assert caller is not None
    return (name, str(caller.user_id))


def place_after(request: JsonRequest, name: str, given: str | None, kind: type[T]) -> T | None:
    """Where to go on after, for this caller in this list. Raises `InvalidCursor`, `LogRestored`."""
    if given is None:
        return None
    process = runtime_of(request)
    kinds: Any = tuple[int, kind]  # type: ignore[valid-type] # a type that is known when it runs
    epoch, place = read_cursor(process.cursor_key, _scope(request, name), given, kinds)
    if epoch != process.epoch.number:
        raise LogRestored
    found: T = place
    return found


def sealed_place(request: JsonRequest, name: str, place: object) -> str | None:
    """The cursor that goes on after a place; None for none."""
    process = runtime_of(request)
    sealed = (process.epoch.number, place)
    return None if place is None else cursor(process.cursor_key, _scope(request, name), sealed)


def only_parameters(request: JsonRequest, *names: str) -> None:
    """A filter that is misspelt filters nothing, and nobody would notice. Raises `InvalidParameters` for any of another name."""
    unknown = dict.fromkeys(name for name in request.query_params if name not in names)
    if unknown:
        detail = "There is no such parameter."
        raise InvalidParameters(errors=[FieldError(parameter=name[:64], detail=detail) for name in [*unknown][:20]])


def page_headers(request: JsonRequest, position: int, after: str | None, **parameters: Any) -> dict[str, str]:
    """The position that a page reflects, and the link to the next one (RFC 8288)."""
    headers = {"Event-Position": str(position), "Cache-Control": "no-store"}
    if after is not None:
        given = {name: value for name, value in parameters.items() if value}
        query = urlencode({**given, "cursor": after}, doseq=True)
        headers["Link"] = f'<{request.scope["path"]}?{query}>; rel="next"'
    return headers
