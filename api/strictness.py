"""What the framework's OpenAPI document leaves unsaid of requests: bodies that may be left out, what no string holds."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from api.bodies import MEDIA_TYPES, Body
from commands.metadata import LARGEST

__all__ = ["say_what_is_refused"]

NO_NUL: Final = r"^[^\u0000]*$"
SAID_ALREADY: Final = {"pattern", "enum", "const"}
HINT: Final = "password"
"""The one format that says how to show a field and nothing of what stands in it."""

NAME: Final = "Anything"
ANYTHING: Final = {"$ref": f"#/components/schemas/{NAME}"}
_text: Final = {"type": "string", "pattern": NO_NUL}
_anything: Final = {
    "title": NAME,
    "description": "Any JSON whose strings hold no NUL, with numbers that every client can read.",
    "oneOf": [
        _text,
        {"type": "number", "minimum": -LARGEST, "maximum": LARGEST},
        {"type": "boolean"},
        {"type": "null"},
        {"type": "array", "items": ANYTHING},
        {"type": "object", "propertyNames": _text, "additionalProperties": ANYTHING},
    ],
}


def say_what_is_refused(document: dict[str, Any]) -> None:
    """Make the document as strict as the API is: whatever it allows is taken, whatever it forbids is refused."""
    schemas = document["components"]["schemas"]
    for body in _bodies(Body):
        if (component := schemas.get(body.__name__)) is not None:
            component["additionalProperties"] = False
            for schema in _strings(component):
                schema["pattern"] = NO_NUL
            for schema in component.get("properties", {}).values():
                _free(schema, schemas)
            if body.forms:
                schemas[body.__name__] = _in_forms(component, body.forms, body.beside)
    for operations in document["paths"].values():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _without_null(parameter["schema"])
            if (body := operation.get("requestBody")) is not None:
                _body(body, method)


def _in_forms(component: dict[str, Any], forms: Iterable[tuple[str, ...]], beside: tuple[str, ...]) -> dict[str, Any]:
    """A schema that has one of several forms, each with all of its fields, and those that may be beside."""
    properties = {name: _alone(schema) for name, schema in component["properties"].items()}
    alternatives = [
        {
            "type": "object",
            "properties": {name: properties[name] for name in (*form, *beside)},
            "required": [*form],
            "additionalProperties": False,
        }
        for form in forms
    ]
    said: dict[str, Any] = {name: component[name] for name in ("title", "description") if name in component}
    return said | {"oneOf": alternatives}


def _alone(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that is one of one, as that one."""
    match schema.get("oneOf"):
        case [only]:
            return {**only, **{name: said for name, said in schema.items() if name != "oneOf"}}
        case _:
            return schema


def _bodies(kind: type[Body]) -> list[type[Body]]:
    return [found for child in kind.__subclasses__() for found in (child, *_bodies(child))]


def _strings(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Where the schema takes a string and says nothing of what may stand in it."""
    if SAID_ALREADY & schema.keys() or schema.get("format", HINT) != HINT:
        return
    if schema.get("type") == "string":
        yield schema
    else:
        for part in (*schema.get("oneOf", ()), *schema.get("properties", {}).values(), schema.get("items")):
            if isinstance(part, dict):
                yield from _strings(part)


def _free(schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    """What may hold anything may not hold quite everything."""
    for part in (schema, *schema.get("oneOf", ())):
        if part.get("type") == "object" and part.get("additionalProperties") == {}:
            part["additionalProperties"] = ANYTHING
            schemas[NAME] = _anything
            schema["propertyNames"] = {**schema.get("propertyNames", {}), **_text}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """What can be left out is not null instead: neither a parameter nor a whole body is."""
    alternatives = schema.get("oneOf", [])
    others = [alternative for alternative in alternatives if alternative != {"type": "null"}]
    if len(others) != 1 or len(others) == len(alternatives):
        return schema
    return {**others[0], **{name: said for name, said in schema.items() if name != "oneOf"}}


def _body(body: dict[str, Any], method: str) -> None:
    content = body["content"][MEDIA_TYPES[0]]
    required = content["schema"]
    content["schema"] = _without_null(required)
    body["required"] = content["schema"] is required
    if method == "patch":
        body["content"] |= dict.fromkeys(MEDIA_TYPES, content)
