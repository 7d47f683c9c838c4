"""API keys, as tests of the API have and use them."""

from typing import Any

from msgspec import Struct

from tests.api.site import Person, Site

__all__ = ["ACCOUNT", "Key", "issued"]

ACCOUNT = ("account:read", "account:write")


class Key(Struct):
    """A program that has an API key; it asks as people do."""

    id: str
    key: str
    told: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        """What it sends."""
        return {"Authorization": f"Bearer {self.key}"}


async def issued(site: Site, person: Person, *scopes: str, name: str = "report", **more: Any) -> Key:
    """A new key of a person's."""
    body = {"name": name, "scopes": [*(scopes or ACCOUNT)], **more}
    answer = await site.post(f"/v1/users/{person.id}/api-keys", body, person)
    assert answer.status_code == 201, answer.text
    return Key(answer.json()["id"], answer.json()["key"], answer.json())
