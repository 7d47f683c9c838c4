"""Bodies: what is taken for JSON, and everything that is wrong with its fields at once.

The framework would take any media type, the last of two equal names and a number without end, and would tell of the
first wrong field only.
"""

import json
import unicodedata
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar, Final, Self, TypeVar

from litestar.connection import Request
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from msgspec import Struct, ValidationError, convert
from msgspec.structs import fields

from api.caller import Caller
from api.reasons import FieldError, InvalidFields, MalformedBody, UnsupportedMediaType
from commands.errors import Refused

__all__ = ["LET_LAST", "MEDIA_TYPES", "Body", "ClientGone", "JsonRequest", "parsed", "read", "streamed"]

MOST_LEVELS: Final = 16
MEDIA_TYPES: Final = ("application/json", "application/merge-patch+json")
LET_LAST: Final = "muster.let_last"
"""In the state of a request, what lets its body take as long as it comes; where the server that is asked is ours."""
B = TypeVar("B", bound="Body")


class ClientGone(Exception):
    """The client went away before its body was here."""


class Body(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request. Fields that are not declared are refused.

    `checks` are rules of commands for fields of theirs: they are asked only once a request was refused, so that all
    invalid fields are told at once. `forms` are the fields of each form that a body may have, where it may have several:
    it has all of one and no others, and none is required by itself. Those that are `beside` may be there in any form.
    """

    checks: ClassVar[dict[str, Callable[[Any, dict[str, Any]], object]]] = {}
    forms: ClassVar[tuple[tuple[str, ...], ...]] = ()
    beside: ClassVar[tuple[str, ...]] = ()


class JsonRequest(Request[Caller | None, Any, Any]):
    """A request whose body is read by the rules of this module."""

    def header(self, name: bytes) -> list[str]:
        """The values of a header, by its name in lower case. To index all headers takes longer than to look a few up."""
        return [value.decode("latin-1") for given, value in self.scope["headers"] if given == name]

    def having(self, body: bytes) -> Self:
        """The request, whose body has been received."""
        self._body = body
        return self

    async def json(self) -> Any:
        """The body as the type that the route declares; None when there is no body."""
        data = self.route_handler.parsed_data_field
        assert data is not None
        kind = next(inner for inner in (data.annotation, *data.args) if isinstance(inner, type))
        raw = await self.body()
        if not raw:
            return None
        _check_media_type(self, MEDIA_TYPES[: 2 if self.scope["method"] == "PATCH" else 1])
        document = parsed(raw)
        self.scope["document"] = (document, kind)  # type: ignore[typeddict-unknown-key] # for who tells what is wrong
        return read(document, kind)

    async def body(self) -> bytes:
        """The whole body. Raises as soon as it is known to be too large, or that the client is gone."""
        try:
            return await super().body()
        except RequestEntityTooLarge:
            raise
        except Exception as error:
            if not self._tells_of_client_gone(error):
                raise
            raise ClientGone from None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises `ClientGone`."""
        try:
            async for chunk in self.stream():
                yield chunk
        except Exception as error:
            if not self._tells_of_client_gone(error):
                raise
            raise ClientGone from None

    def _tells_of_client_gone(self, error: Exception) -> bool:
        gone = "disconnected" in str(error)
        if gone:
            self.scope["client_gone"] = True  # type: ignore[typeddict-unknown-key] # for the log
        return gone


def streamed(request: JsonRequest, media_type: str) -> AsyncIterator[bytes]:
    """The body of this type, which may go on for as long as it comes. Raises `UnsupportedMediaType`, `ClientGone`."""
    _check_media_type(request, (media_type,))
    let_last: Callable[[], None] | None = request.scope.get("state", {}).get(LET_LAST)
    if let_last is not None:
        let_last()
    return request.chunks()


def _check_media_type(request: JsonRequest, taken: tuple[str, ...]) -> None:
    media_type, _, parameters = ", ".join(request.header(b"content-type")).partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if media_type.strip().lower() not in taken or charset not in ("", "charset=utf-8"):
        detail = "" if MEDIA_TYPES[0] in taken else f"Send the body as `Content-Type: {taken[0]}`, not compressed."
        raise UnsupportedMediaType(detail, headers={"Accept": ", ".join(taken)})
    if any(coding.lower() != "identity" for coding in request.header(b"content-encoding")):
        raise UnsupportedMediaType(headers={"Accept-Encoding": "identity"})


def parsed(raw: bytes) -> Any:
    """The value of a JSON document (RFC 8259, RFC 7493), strings in NFC. Raises `MalformedBody`."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
        return _normalised(value, MOST_LEVELS)
    except (ValueError, RecursionError):
        raise MalformedBody from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError
    return made


def _refuse(_constant: str) -> Any:
    raise ValueError


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError
    return number


def _normalised(value: Any, levels: int) -> Any:
    if isinstance(value, str):
        if value.isascii():
            if "\0" in value:
                raise ValueError
            return value
        value.encode()  # raises for a lone surrogate
        if "\0" in value:
            raise ValueError
        return unicodedata.normalize("NFC", value)
    if not isinstance(value, dict | list):
        return value
    if levels == 0:
        raise ValueError
    if isinstance(value, list):
        return [_normalised(item, levels - 1) for item in value]
    return _unique([(_normalised(name, 0), _normalised(item, levels - 1)) for name, item in value.items()])


def read(document: Any, kind: type[B]) -> B:
    """The document as a body of this kind. Raises `InvalidFields` with all that is wrong with it."""
    try:
        body = convert(document, kind)
    except ValidationError:
        document = _in_whole_numbers(document)
        try:
            body = convert(document, kind)
        except ValidationError:
            raise InvalidFields(errors=invalid_fields(document, kind)) from None
    if kind.forms and document.keys() - {*kind.beside} != {*_form(document, kind)}:
        raise InvalidFields(errors=invalid_fields(document, kind))
    return body


def _in_whole_numbers(document: Any) -> Any:
    """The document, with fields that are written as 7.0 or 7e0 as what they are: JSON has one kind of numbers (RFC 8259)."""
    if not isinstance(document, dict):
        return document
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in document.items()
    }


def invalid_fields(document: Any, kind: type[Body]) -> list[FieldError]:
    """What is wrong with the fields of a document: types and sizes, then the rules of commands, then unknown names."""
    if not isinstance(document, dict):
        return [FieldError(pointer="", detail="This must be an object.")]
    wrong = []
    form = _form(document, kind)
    known = [field for field in fields(kind) if not form or field.encode_name in (*form, *kind.beside)]
    for field in known:
        name = field.encode_name
        if name in document:
            if detail := _wrong(document, name, field.type, kind):
                wrong.append(FieldError(pointer=f"/{_escaped(name)}", detail=detail))
        elif field.required or name in form:
            wrong.append(FieldError(pointer=f"/{_escaped(name)}", detail="This is missing."))
    names = {field.encode_name for field in known}
    unknown = [
        FieldError(pointer=f"/{_escaped(name)}", detail="There is no such field.")
        for name in document
        if name not in names
    ]
    return wrong + unknown[:20]


def _form(document: dict[str, Any], kind: type[Body]) -> tuple[str, ...]:
    """The form that was meant: the one whose fields are there, or the first of those of which the most are; () for no forms."""
    for form in kind.forms:
        if document.keys() - {*kind.beside} == {*form}:
            return form
    return max(kind.forms, key=lambda form: sum(name in document for name in form), default=())


def _wrong(document: dict[str, Any], name: str, type_: Any, kind: type[Body]) -> str | None:
    try:
        convert(document[name], type_)
    except ValidationError as error:
        return f"{str(error).partition(' - at ')[0].replace('`', '')}."
    check = kind.checks.get(name)
    if check is not None:
        try:
            check(document[name], document)
        except Refused as refusal:
            return str(refusal)
    return None


def _escaped(name: str) -> str:
    """A name in a JSON pointer (RFC 6901); one that is very long is cut."""
    return name[:64].replace("~", "~0").replace("/", "~1")
