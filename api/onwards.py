"""What can be asked next with what an answer told: the links of the OpenAPI document, made from the names of things."""

from collections.abc import Iterator
from typing import Any, Final

__all__ = ["say_where_answers_lead"]

# Whose `id` an answer tells, by the last word of the path.
IDS: Final = {
    "users": "user_id",
    "me": "user_id",
    "administrators": "user_id",
    "service-accounts": "user_id",
    "sessions": "session_id",
    "deliveries": "delivery_id",
    "api-keys": "key_id",
    "invitations": "invitation_id",
}
NAMED: Final = ("user_id", "session_id", "refresh_token")
CURSOR: Final = "cursor"
# What lists of these hold is asked for by its position in the log.
PLACED: Final = ("parked",)
POSITION: Final = "position"


def say_where_answers_lead(document: dict[str, Any]) -> None:
    """Declare, for each answer that makes, opens or lists something, the operations that take what it told."""
    links = document["components"].setdefault("links", {})
    takers = _takers(document)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                found = {}
                for what, place in _told(document, path, response) if status.startswith("2") else ():
                    for taker, how in takers.get(what, ()):
                        if what == CURSOR and taker != operation["operationId"]:
                            continue
                        name = f"{taker}.{place.replace('/', '.')}"
                        links[name] = {"operationId": taker, how: {what: f"$response.body#/{place}"}}
                        found[name] = {"$ref": f"#/components/links/{name}"}
                if found:
                    response["links"] = found


def _takers(document: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """The operations that take a thing, by its name, and how they do."""
    takers: dict[str, list[tuple[str, str]]] = {}
    for operations in document["paths"].values():
        for operation in operations.values():
            name = operation["operationId"]
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" or parameter["name"] == CURSOR:
                    takers.setdefault(parameter["name"], []).append((name, "parameters"))
            for field in _fields(document, operation.get("requestBody", {})):
                if field in NAMED:
                    takers.setdefault(field, []).append((name, "requestBody"))
    return takers


def _told(document: dict[str, Any], path: str, response: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What an answer tells by names that others take, and where in its body it stands."""
    fields = _fields(document, response)
    word = next(part for part in reversed(path.split("/")) if "{" not in part)
    kind = IDS.get(word)
    yield from ((name, name) for name in NAMED if name in fields)
    if "id" in fields and kind and not path.endswith("}"):
        yield kind, "id"
    if "next" in fields:
        yield CURSOR, "next"
    item = _fields(document, fields.get("items", {}).get("items", {}))
    if "id" in item and kind:
        yield kind, "items/0/id"
    if POSITION in item and word in PLACED:
        yield POSITION, f"items/0/{POSITION}"


def _fields(document: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    """The properties of a schema, or of the JSON that a body or a response is said to have."""
    schema = described.get("content", {}).get("application/json", {}).get("schema", described)
    if reference := schema.get("$ref"):
        schema = document["components"]["schemas"][reference.rpartition("/")[2]]
    properties: dict[str, Any] = schema.get("properties", {})
    return properties
