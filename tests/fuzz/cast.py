"""The people who live in a Muster before anything is asked of it: in every state that takes long to reach by chance."""

from typing import Final

from passlib.hash import argon2
from uuid_utils.compat import uuid4

from commands.grant_role import GrantRole
from commands.handler import Context
from commands.import_user import ImportUser
from commands.register_user import RegisterUser
from commands.verify_email import VerifyEmail
from events.event import Actor
from projections.models import MODELS
from tests.api.factors import enrolled
from tests.api.site import PASSWORD, Person
from tests.fuzz.house import House
from tests.fuzz.known import Known

__all__ = ["newcomer", "settle"]

_operator: Final = Context(Actor("operator"))


async def newcomer(house: House, known: Known, *roles: str) -> Person:
    """Someone new, made without asking any administrator: there may be none left who can."""
    site, handler = house.site, house.site.app.process.handler
    email = site.new_email()
    user_id = (await handler.handle(RegisterUser(email, PASSWORD), _operator)).result.user_id
    await handler.handle(VerifyEmail(user_id, site.link(user_id)), _operator)
    for role in roles:
        await handler.handle(GrantRole(user_id, role), _operator)
    person = await site.signed_in(email)
    known.meet(person, PASSWORD)
    return person


async def settle(house: House, known: Known) -> None:
    """Let some people live here: usual ones, one from elsewhere, one with a second factor, one who is about to move and one who
    has moved, one who has forgotten their password, one who is locked, and one who is about to leave.

    A mail to one of them was given up, and a view has parked an event about one.
    """
    earlier = len(known.users)
    await _give_up(house, known, await _from_elsewhere(house, known))
    await _park(house, known, await newcomer(house, known))
    await newcomer(house, known, "analyst")
    await enrolled(house.site, await newcomer(house, known))
    await _ask_to_move(house, await newcomer(house, known))
    await _move(house, known, await newcomer(house, known))
    await _forget(house, await newcomer(house, known))
    await _lock(house, await newcomer(house, known))
    await _leave(house, await newcomer(house, known))
    known.settled = known.users[earlier:]


async def _from_elsewhere(house: House, known: Known) -> Person:
    site, handler = house.site, house.site.app.process.handler
    email = site.new_email()
    hashed = argon2.using(type="ID", memory_cost=8, time_cost=1, parallelism=1).hash(PASSWORD)
    await handler.handle(
        ImportUser(email=email, email_verified=True, external_id=f"crm:{email}", password_hash=hashed), _operator
    )
    person = await site.signed_in(email)
    known.meet(person, PASSWORD)
    return person


async def _ask_to_move(house: House, person: Person) -> None:
    body = {"email": house.site.new_email(), "password": PASSWORD}
    asked = await house.site.post(f"/v1/users/{person.id}/email/change", body, person)
    assert asked.status_code == 204, asked.text


async def _move(house: House, known: Known, person: Person) -> None:
    known.emails[str(person.id)] = await house.site.moved(person)


async def _forget(house: House, person: Person) -> None:
    asked = await house.site.post("/v1/password/reset", {"email": person.email})
    assert asked.status_code == 202, asked.text


async def _leave(house: House, person: Person) -> None:
    asked = await house.site.post(f"/v1/users/{person.id}/erase", {"password": PASSWORD}, person)
    assert asked.status_code == 204, asked.text


async def _lock(house: House, person: Person) -> None:
    for _ in range(house.site.settings.sign_in_attempts):
        refused = await house.site.post("/v1/sessions", {"email": person.email, "password": "something else"})
        assert refused.status_code == 401, refused.text


async def _give_up(house: House, known: Known, person: Person) -> None:
    delivery_id = uuid4()
    await house.site.database.query(
        "INSERT INTO deliveries (id, position, reaction, slot, subject_id, status, attempts, cause) "
        "SELECT $1, max(notification_id), 'emails', $3, $2, 'dead', 8, '550' FROM stored_events",
        delivery_id,
        person.id,
        str(delivery_id),
    )
    known.told["delivery_id"].append(str(delivery_id))


async def _park(house: House, known: Known, person: Person) -> None:
    """By the table of a former version of each view, which nobody fills."""
    (row,) = await house.site.database.query(
        "SELECT max(notification_id) AS position FROM stored_events WHERE subject_id = $1 AND stream_type = 'session'",
        person.id,
    )
    for model in MODELS:
        table = f"{model.name}_v0"
        await house.site.database.query(
            "INSERT INTO checkpoints (consumer, partition, partitions, position) VALUES ($1, 0, 1, $2) "
            "ON CONFLICT DO NOTHING",
            table,
            row["position"],
        )
        await house.site.database.query(
            "INSERT INTO parked_events (consumer, position, partition, key, cause) VALUES ($1, $2, 0, $3, 'cause')",
            table,
            row["position"],
            person.id,
        )
    known.told["position"].append(str(row["position"]))
