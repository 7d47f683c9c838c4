"""What can be learnt from answers: nothing about who has an account."""

import statistics
import time

from tests.api.site import PASSWORD

VOLATILE = {"traceparent", "x-request-id"}


async def asked(site, path, body):
    """Status, headers, body and time of an answer, without what is different each time."""
    began = time.perf_counter()
    answer = await site.post(path, body, headers={"X-Request-Id": "same"})
    took = time.perf_counter() - began
    headers = sorted((name, value) for name, value in answer.headers.items() if name not in VOLATILE)
    told = answer.json()
    told.pop("id", None)
    return (answer.status_code, headers, told), took


async def test_registering_answers_alike_for_every_kind_of_address(site, somebody):
    unproved = site.new_email()
    await site.registered(unproved)
    answers = [
        (await asked(site, "/v1/users", {"email": email, "password": PASSWORD}))[0]
        for email in (site.new_email(), somebody.email, unproved, somebody.email.upper())
    ]
    assert answers == [answers[0]] * 4


async def test_signing_in_answers_alike_for_every_kind_of_address(site, somebody):
    unproved = site.new_email()
    await site.registered(unproved)
    answers = [
        (await asked(site, "/v1/sessions", {"email": email, "password": password}))[0]
        for email, password in (
            (somebody.email, "not the password"),
            ("nobody@example.com", PASSWORD),
            (unproved, PASSWORD),
            (unproved, "not the password"),
            ("not an address", PASSWORD),
        )
    ]
    assert answers == [answers[0]] * 5


async def test_signing_in_takes_as_long_for_an_unknown_address(site, somebody):
    known, unknown = [], []
    for number in range(12):
        body = {"email": somebody.email, "password": f"not the password {number}"}
        known.append((await asked(site, "/v1/sessions", body))[1])
        body = {"email": f"nobody{number}@example.com", "password": f"not the password {number}"}
        unknown.append((await asked(site, "/v1/sessions", body))[1])
    # Without the hash of a password that is not there, an unknown address would be answered ten times as fast.
    assert 0.4 < statistics.median(unknown) / statistics.median(known) < 2.5


async def test_the_id_of_a_taken_address_leads_nowhere(site, somebody):
    answer = await site.post("/v1/users", {"email": somebody.email, "password": PASSWORD})
    user_id = answer.json()["id"]
    assert (await site.get(f"/v1/users/{user_id}", site.administrator)).status_code == 404
    assert (await site.get(f"/v1/users/{user_id}/history", site.administrator)).status_code == 404
    proved = await site.post(f"/v1/users/{user_id}/email/verify", {"token": site.link(user_id)})
    assert proved.status_code == 410
