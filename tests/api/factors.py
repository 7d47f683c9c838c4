"""Second factors, as tests of the API have and use them."""

from typing import Any

import httpx
from msgspec import Struct

from tests.api.site import PASSWORD, Person, Site
from tests.apps import App
from tests.authenticators import Authenticator

__all__ = [
    "Enrolled",
    "asked_further",
    "enrolled",
    "passkey_challenge",
    "second_step",
    "signed_in",
    "with_passkey",
]


class Enrolled(Struct):
    """Someone with an authenticator app and recovery codes; nothing of either was used at a sign-in."""

    person: Person
    app: App
    codes: list[str]


async def enrolled(site: Site, person: Person | None = None) -> Enrolled:
    """Someone, signed in, who has confirmed an app; with a token that knows of it."""
    person = person or await site.person()
    shown = await site.post(f"/v1/users/{person.id}/totp", None, person)
    assert shown.status_code == 200, shown.text
    app = App(shown.json()["secret"])
    confirmed = await site.post(f"/v1/users/{person.id}/totp/confirm", {"code": app.code()}, person)
    assert confirmed.status_code == 200, confirmed.text
    refreshed = await site.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
    assert refreshed.status_code == 200, refreshed.text
    knowing = Person(person.id, person.email, refreshed.json())
    return Enrolled(knowing, app, confirmed.json()["recovery_codes"])


async def asked_further(site: Site, person: Person, password: str = PASSWORD) -> dict[str, Any]:
    """What the right password is answered with."""
    answer = await site.post("/v1/sessions", {"email": person.email, "password": password})
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["type"].rpartition("/")[2]) == (401, "second-factor-required"), answer.text
    return problem


async def second_step(site: Site, person: Person, challenge: str | None = None, **given: Any) -> httpx.Response:
    """What a second step is answered with."""
    challenge = challenge or (await asked_further(site, person))["challenge"]
    return await site.post("/v1/sessions", {"challenge": challenge, **given})


async def signed_in(site: Site, who: Enrolled) -> Person:
    """The same person in a new session, which a code of the app opened."""
    answer = await second_step(site, who.person, totp=who.app.code())
    assert answer.status_code == 201, answer.text
    return Person(who.person.id, who.person.email, answer.json())


async def with_passkey(
    site: Site, person: Person | None = None, authenticator: Authenticator | None = None
) -> tuple[Person, Authenticator, dict[str, Any]]:
    """Someone, signed in, with a passkey; the authenticator that holds it, and what adding it was answered with."""
    person = person or await site.person()
    authenticator = authenticator or Authenticator(site.settings.base_url)
    options = await site.post(f"/v1/users/{person.id}/passkeys/options", None, person)
    assert options.status_code == 200, options.text
    body = {"label": "My telephone", "credential": authenticator.make(options.json())}
    added = await site.post(f"/v1/users/{person.id}/passkeys", body, person)
    assert added.status_code == 200, added.text
    refreshed = await site.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
    assert refreshed.status_code == 200, refreshed.text
    return Person(person.id, person.email, refreshed.json()), authenticator, added.json()


async def passkey_challenge(site: Site) -> str:
    """What a passkey has to sign to sign somebody in."""
    options = await site.post("/v1/sessions/passkey", None)
    assert options.status_code == 200, options.text
    return str(options.json()["challenge"])
