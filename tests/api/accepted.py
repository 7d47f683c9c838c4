"""Requests that are accepted, one for whatever changes something: for what is true of all of them."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final
from uuid import UUID

import httpx
from msgspec import Struct

from commands.links import UNDO_EMAIL_CHANGE, UNLOCK, WITHDRAW_ERASURE
from events.projection import stream_id
from tests.api.factors import enrolled, with_passkey
from tests.api.keyed import ACCOUNT, issued
from tests.api.site import PASSWORD, Asker, Person, Site
from tests.api.test_deliveries import owed
from tests.api.test_invitations import invited, link
from tests.api.test_passwords import NEW, reset_token
from tests.api.test_projections import broken, parked
from tests.api.test_suspensions import locked
from tests.apps import App
from tests.authenticators import Authenticator
from tests.support import until

__all__ = ["OTHERS", "VERSIONED", "Asked", "about_a_view", "operation_of"]


class Asked(Struct, frozen=True):
    """A request, who sends it, and the status that it is answered with.

    It adds so many `facts` to a `stream`, where it answers the version of one. Of whose token counts no longer then,
    `renewed` is who they are afterwards.
    """

    method: str
    path: str
    body: Any = None
    asker: Asker | None = None
    stream: UUID | str | None = None
    status: int = 204
    facts: int = 1
    renewed: Callable[[], Awaitable[Person]] | None = None

    async def sent(
        self, site: Site, headers: Mapping[str, str] | None = None, by: Asker | None = None
    ) -> httpx.Response:
        """The answer."""
        return await site.request(self.method, self.path, by or self.asker, json=self.body, headers=headers or {})

    async def done(self, site: Site) -> None:
        """Have it done, for what comes after it."""
        answer = await self.sent(site)
        assert answer.status_code == self.status, answer.text


Make = Callable[[Site], Awaitable[Asked]]


def operation_of(name: str) -> str:
    """The operation that is asked for: what stands before the comma, where it is asked for in several ways."""
    return name.partition(",")[0]


def own(method: str, what: str, body: Any = None, **more: Any) -> Make:
    """Someone asks about themselves."""

    async def make(site: Site) -> Asked:
        person = await site.person()
        return Asked(method, f"/v1/users/{person.id}/{what}", body, person, person.id, **more)

    return make


def anothers(method: str, what: str, *roles: str) -> Make:
    """An administrator asks about someone who has these roles."""

    async def make(site: Site) -> Asked:
        person = await site.person(*roles)
        return Asked(method, f"/v1/users/{person.id}/{what}", None, site.administrator, person.id)

    return make


def anyones(path: str, body: Any = None, status: int = 200) -> Make:
    """Someone asks of whom nothing is known."""

    async def make(site: Site) -> Asked:
        return Asked("POST", path, body, status=status)

    return make


def administrators(path: str, body: Any) -> Make:
    """An administrator has something made."""

    async def make(site: Site) -> Asked:
        return Asked("POST", path, body, site.administrator, status=201)

    return make


async def refreshed(site: Site, person: Person) -> Person:
    """The same person in the same session, with a token that knows what happened."""
    answer = await site.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
    assert answer.status_code == 200, answer.text
    return Person(person.id, person.email, answer.json())


async def register_user(site: Site) -> Asked:
    return Asked("POST", "/v1/users", {"email": site.new_email(), "password": PASSWORD}, status=202)


async def verify_email(site: Site) -> Asked:
    user_id = await site.registered()
    return Asked("POST", f"/v1/users/{user_id}/email/verify", {"token": site.link(user_id)}, None, user_id)


async def resend_verification(site: Site) -> Asked:
    return Asked("POST", f"/v1/users/{await site.registered()}/email/resend", status=202)


async def change_email(site: Site) -> Asked:
    return await own("POST", "email/change", {"email": site.new_email(), "password": PASSWORD})(site)


async def undo_email_change(site: Site) -> Asked:
    person = await site.person()
    await site.moved(person)
    token = await site.newest_link(person.id, "EmailChanged", UNDO_EMAIL_CHANGE)
    return Asked("POST", f"/v1/users/{person.id}/email/undo", {"token": token}, None, person.id)


async def change_password(site: Site) -> Asked:
    person = await site.person()
    body, renewed = {"password": PASSWORD, "new_password": NEW}, partial(site.signed_in, person.email, NEW)
    return Asked("POST", f"/v1/users/{person.id}/password/change", body, person, person.id, renewed=renewed)


async def request_password_reset(site: Site) -> Asked:
    return Asked("POST", "/v1/password/reset", {"email": (await site.person()).email}, status=202)


async def reset_password(site: Site) -> Asked:
    token = await reset_token(site, await site.person())
    return Asked("POST", "/v1/password/reset/complete", {"token": token, "password": NEW})


async def confirm_totp(site: Site) -> Asked:
    person = await site.person()
    path = f"/v1/users/{person.id}/totp"
    app = App((await site.post(path, None, person)).json()["secret"])
    renewed = partial(refreshed, site, person)
    return Asked("POST", f"{path}/confirm", {"code": app.code()}, person, person.id, 200, facts=2, renewed=renewed)


async def remove_totp(site: Site) -> Asked:
    person = (await enrolled(site)).person
    return Asked("DELETE", f"/v1/users/{person.id}/totp", None, person, person.id)


async def issue_recovery_codes(site: Site) -> Asked:
    person = (await enrolled(site)).person
    return Asked("POST", f"/v1/users/{person.id}/recovery-codes", None, person, person.id, 200)


async def add_passkey(site: Site) -> Asked:
    person = await site.person()
    path = f"/v1/users/{person.id}/passkeys"
    options = (await site.post(f"{path}/options", None, person)).json()
    body = {"label": "A key", "credential": Authenticator(site.settings.base_url).make(options)}
    return Asked("POST", path, body, person, person.id, 200, facts=2, renewed=partial(refreshed, site, person))


async def remove_passkey(site: Site) -> Asked:
    person, _, passkey = await with_passkey(site)
    return Asked("DELETE", f"/v1/users/{person.id}/passkeys/{passkey['id']}", None, person, person.id)


async def revoke_api_key(site: Site) -> Asked:
    person = await site.person()
    key = await issued(site, person)
    return Asked("DELETE", f"/v1/users/{person.id}/api-keys/{key.id}", None, person, key.id)


async def invite_user(site: Site) -> Asked:
    return await administrators("/v1/invitations", {"email": site.new_email()})(site)


async def withdraw_invitation(site: Site) -> Asked:
    _, invitation_id = await invited(site)
    return Asked("DELETE", f"/v1/invitations/{invitation_id}", None, site.administrator, invitation_id)


async def accept_invitation(site: Site) -> Asked:
    _, invitation_id = await invited(site)
    body = {"token": link(site, invitation_id), "password": PASSWORD}
    return Asked("POST", "/v1/invitations/accept", body, status=201)


async def reinstate_user(site: Site) -> Asked:
    suspended = await VERSIONED["suspend_user"](site)
    await suspended.done(site)
    return Asked("POST", f"/v1/users/{suspended.stream}/reinstate", None, site.administrator, suspended.stream)


async def unlock_user(site: Site) -> Asked:
    person = await site.person()
    await locked(site, person.email)
    return Asked("POST", f"/v1/users/{person.id}/unlock", None, site.administrator, person.id)


async def unlock_user_by_link(site: Site) -> Asked:
    asked = await unlock_user(site)
    token = await site.newest_link(str(asked.stream), "UserLocked", UNLOCK, 0.2)
    return Asked("POST", asked.path, {"token": token}, None, asked.stream)


async def withdraw_erasure(site: Site) -> Asked:
    requested = await VERSIONED["erase_user, as oneself"](site)
    await requested.done(site)
    return Asked("DELETE", requested.path, None, requested.asker, requested.stream)


async def withdraw_erasure_by_link(site: Site) -> Asked:
    asked = await withdraw_erasure(site)
    token = await site.newest_link(str(asked.stream), "ErasureRequested", WITHDRAW_ERASURE)
    return Asked("POST", f"{asked.path}/withdraw", {"token": token}, None, asked.stream)


async def sign_in(site: Site) -> Asked:
    return Asked("POST", "/v1/sessions", {"email": (await site.person()).email, "password": PASSWORD}, status=201)


async def refresh_session(site: Site) -> Asked:
    token = (await site.person()).tokens["refresh_token"]
    return Asked("POST", "/v1/sessions/refresh", {"refresh_token": token}, status=200)


async def step_up(site: Site) -> Asked:
    person = await site.person()
    return Asked("POST", f"/v1/sessions/{person.session_id}/step-up", {"password": PASSWORD}, person, status=200)


async def end_session(site: Site) -> Asked:
    person = await site.person()
    renewed, session = partial(site.signed_in, person.email), person.session_id
    return Asked("DELETE", f"/v1/sessions/{session}", None, person, session, renewed=renewed)


async def redrive_delivery(site: Site) -> Asked:
    (delivery,) = await owed(site, "dead")
    return Asked("POST", f"/v1/deliveries/{delivery}/redrive", None, site.administrator, status=200)


VERSIONED: Final[dict[str, Make]] = {
    "change_profile": own("PATCH", "profile", {"display_name": "Ada"}),
    "replace_metadata": own("PUT", "metadata", {"own": {"theme": "dark"}}),
    "merge_metadata": own("PATCH", "metadata", {"own": {"theme": "dark"}}),
    "verify_email": verify_email,
    "change_email": change_email,
    "undo_email_change": undo_email_change,
    "change_password": change_password,
    "enrol_totp": own("POST", "totp", status=200),
    "confirm_totp": confirm_totp,
    "remove_totp": remove_totp,
    "issue_recovery_codes": issue_recovery_codes,
    "add_passkey": add_passkey,
    "remove_passkey": remove_passkey,
    "revoke_api_key": revoke_api_key,
    "withdraw_invitation": withdraw_invitation,
    "suspend_user": anothers("POST", "suspend"),
    "reinstate_user": reinstate_user,
    "unlock_user": unlock_user,
    "unlock_user, by link": unlock_user_by_link,
    "erase_user": anothers("POST", "erase"),
    "erase_user, as oneself": own("POST", "erase", {"password": PASSWORD}),
    "withdraw_erasure": withdraw_erasure,
    "withdraw_erasure_by_link": withdraw_erasure_by_link,
    "grant_role": anothers("PUT", "roles/auditor"),
    "revoke_role": anothers("DELETE", "roles/auditor", "auditor"),
    "end_session": end_session,
    "end_all_sessions": anothers("DELETE", "sessions"),
}
"""What answers the version of a stream, and takes If-Match. What is about the events of a view is made by `about_a_view`."""

OTHERS: Final[dict[str, Make]] = {
    "register_user": register_user,
    "resend_verification": resend_verification,
    "request_password_reset": request_password_reset,
    "reset_password": reset_password,
    "offer_passkey": own("POST", "passkeys/options", status=200),
    "offer_passkey_sign_in": anyones("/v1/sessions/passkey"),
    "issue_api_key": own("POST", "api-keys", {"name": "report", "scopes": [*ACCOUNT]}, status=201),
    "create_service_account": administrators("/v1/service-accounts", {"name": "billing"}),
    "invite_user": invite_user,
    "accept_invitation": accept_invitation,
    "sign_in": sign_in,
    "refresh_session": refresh_session,
    "step_up": step_up,
    "redrive_delivery": redrive_delivery,
}


async def about_a_view(fresh: Site) -> dict[str, Asked]:
    """What can be asked about a view, in this order, once it has parked something, which others would mind."""
    person = await fresh.seen(await fresh.person())
    position = await broken(fresh, person)
    await until(lambda: parked(fresh))
    path, asker, stream = "/v1/projections/users", fresh.administrator, stream_id("users")
    return {
        "retry_parked_events": Asked("POST", f"{path}/parked/retry", None, asker, stream),
        "discard_parked_event": Asked("POST", f"{path}/parked/{position}/discard", {"reason": "x"}, asker, stream),
        "rebuild_projection": Asked("POST", f"{path}/rebuild", None, asker, status=202),
    }
