"""`muster users`, as an operator runs it."""

import pytest
from uuid_utils.compat import uuid7

from api.user_commands import users
from commands.links import ACCEPT_INVITATION
from tests.api.console import history, muster, refused, told
from tests.api.factors import enrolled, with_passkey
from tests.api.keyed import issued
from tests.api.site import PASSWORD, Site, environment_for, served
from tests.api.test_cli import run
from tests.api.test_projections import broken, parked
from tests.support import Database, until


async def test_someone_is_registered_with_a_password_that_is_no_argument(site: Site):
    email = site.new_email()
    (done,) = await told(
        site, "users", "register", email, "--display-name", "Ada", "--locale", "en-GB", "--reason", "by phone",
        given=f"{PASSWORD}\n",
    )  # fmt: skip
    assert done.keys() == {"id", "changed", "events", "position", "version"}
    assert done["events"] == ["UserRegistered"]
    (event,) = await history(site, done["id"])
    assert event["actor"] == {"type": "operator"}
    assert event["command"] == "RegisterUser"
    assert event["reason"] == "by phone"
    assert event["data"] == {"email": email, "display_name": "Ada", "locale": "en-GB"}
    answer = await site.post(f"/v1/users/{done['id']}/email/verify", {"token": site.link(done["id"])})
    assert answer.status_code == 204
    assert (await site.signed_in(email)).email == email


async def test_a_taken_address_and_a_weak_password_are_told(site: Site):
    person = await site.person()
    assert "Another account has this address." in await refused(
        site, "users", "register", person.email, given=f"{PASSWORD}\n"
    )
    assert "at least 12 characters" in await refused(site, "users", "register", site.new_email(), given="short\n")
    assert "at least 12 characters" in await refused(site, "users", "register", site.new_email())
    assert "not an address" in await refused(site, "users", "register", "nobody", given=f"{PASSWORD}\n")


async def test_a_user_is_shown_as_the_api_shows_them_by_id_and_by_address(site: Site):
    person = await site.person("auditor")
    (by_id,) = await told(site, "users", "show", str(person.id))
    assert (await told(site, "users", "show", person.email.upper())) == [by_id]
    assert by_id == (await site.get(f"/v1/users/{person.id}", site.administrator)).json()
    in_words = (await muster(site, "users", "show", person.email)).stdout
    assert f"{person.email}\n" in in_words
    assert "roles                auditor\n" in in_words
    assert "registered at (UTC)  20" in in_words


@pytest.mark.parametrize(
    "command", [("show",), ("history",), ("grant", "auditor"), ("set", "--locale", "en"), ("reset-password",)]
)
async def test_nobody_is_told_with_what_to_do(site: Site, command: tuple[str, ...]):
    for name, why in (
        (str(uuid7()), "There is no such user."),
        ("nobody@example.com", "Nobody has this address."),
        ("somebody", "'somebody' is neither an id nor an address."),
    ):
        stderr = await refused(site, "users", command[0], name, *command[1:])
        assert stderr == (
            f"muster users {command[0]}: {why} Name a user by id or by the address; `muster users list` shows both.\n"
        )


async def test_users_are_listed_page_by_page(fresh: Site, monkeypatch: pytest.MonkeyPatch):
    people = [await fresh.person() for _ in range(4)]
    ids = [str(person.id) for person in reversed(people)] + [str(fresh.administrator.id)]
    assert [user["id"] for user in await told(fresh, "users", "list", "--all")] == ids
    some = await muster(fresh, "users", "list", "--limit", "2")
    assert [line.split()[0] for line in some.stdout.splitlines()] == ["ID", *ids[:2]]
    assert some.stderr == f"More follow: --after {ids[1]} goes on there, and --all shows everything.\n"
    rest = await muster(fresh, "users", "list", "--after", ids[1])
    assert [line.split()[0] for line in rest.stdout.splitlines()] == ["ID", *ids[2:]]
    assert rest.stderr == ""


async def test_users_are_listed_by_the_filters_that_the_api_has(fresh: Site):
    people = [await fresh.person() for _ in range(2)]
    for person, name in zip(people, ("Zoë", "Ada"), strict=True):
        await told(fresh, "users", "rename", person.email, name)
    await told(fresh, "users", "grant", people[0].email, "auditor")
    await told(fresh, "users", "suspend", people[1].email)
    unproved = await fresh.registered()
    zoe, ada = (str(person.id) for person in people)
    admin = str(fresh.administrator.id)
    (first,) = await told(fresh, "users", "show", zoe)
    moment = str(first["registered_at"])
    for options, ids in (
        (("--status", "suspended", "--status", "unverified"), [unproved, ada]),
        (("--role", "auditor", "--role", "administrator"), [zoe, admin]),
        (("--unverified",), [unproved]),
        (("--verified", "--sort", "name"), [ada, zoe, admin]),
        (("--search", "ZOE"), [zoe]),
        (("--created-from", moment, "--sort", "created"), [zoe, ada, unproved]),
        (("--created-to", moment), [admin]),
        (("--seen-from", "2000-01-01T00:00:00Z", "--seen-to", "2000-01-02T00:00:00+01:00"), []),
    ):
        listed = await told(fresh, "users", "list", *options)
        assert [user["id"] for user in listed] == ids, options
    for sort in ("name", "-last_seen", "-created"):
        everyone = [user["id"] for user in await told(fresh, "users", "list", "--sort", sort)]
        for place, user_id in enumerate(everyone):
            rest = await told(fresh, "users", "list", "--sort", sort, "--after", user_id)
            assert [user["id"] for user in rest] == everyone[place + 1 :]
    counted = await muster(fresh, "users", "list", "--verified", "--count", "--limit", "1")
    assert counted.stderr.startswith("3 in all.\nMore follow: ")
    assert "There is no such user." in await refused(fresh, "users", "list", "--after", str(uuid7()))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--status", "gone"), "'gone' is not one of"),
        (("--role", "king"), "'king' is not one of"),
        (("--sort", "age"), "'age' is not one of"),
        (("--created-from", "2026-01-01"), "This is a time with its zone"),
        (("--seen-to", "9999-12-31T23:59:59-14:00"), "There is no such time."),
        (("--search", " "), "This is text of 1 to 100 characters."),
        (("--search", "x" * 101), "This is text of 1 to 100 characters."),
    ],
)
async def test_filters_that_are_none_are_refused(site: Site, options: tuple[str, ...], why: str):
    assert why in await refused(site, "users", "list", *options)


async def test_of_whom_something_is_parked_is_left_out_of_the_list_and_counted(fresh: Site):
    person = await fresh.seen(await fresh.person())
    await broken(fresh, person)
    await until(lambda: parked(fresh))
    listed = await muster(fresh, "users", "list")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["ID", str(fresh.administrator.id)]
    assert listed.stderr == (
        "1 are left out, because users could not take in what happened to them: "
        "muster projections parked users tells why.\n"
    )
    by_name = await muster(fresh, "users", "list", "--sort", "name", "--count")
    assert by_name.stderr == (
        "1 in all.\n1 are left out, because users or user_names could not take in what happened to them: "
        "muster projections parked tells why.\n"
    )


async def test_what_was_just_done_is_listed(site: Site):
    (done,) = await told(site, "users", "register", site.new_email(), given=f"{PASSWORD}\n")
    (newest,) = await told(site, "users", "list", "--limit", "1")
    assert newest["id"] == done["id"]


async def test_says_that_a_view_is_not_there_which_no_worker_makes(database: Database):
    async with served(database) as site:
        await site.registered()
        listed = await muster(site, "users", "list")
        assert (listed.exit_code, listed.stdout) == (1, "")
        assert "being built" in listed.stderr


async def test_a_history_is_told_as_the_api_tells_it(site: Site):
    person = await site.person("auditor")
    assert await told(site, "users", "history", person.email, "--all") == await history(site, str(person.id))
    lines = (await muster(site, "users", "history", str(person.id), "--limit", "3")).stdout.splitlines()
    assert lines[0].split() == ["POSITION", "AT", "(UTC)", "EVENT", "BY", "WHY", "WHAT"]
    assert "UserRegistered" in lines[1]
    assert f"email: {person.email}, display_name: -" in lines[1]
    assert f"user {site.administrator.id}" in lines[3]
    assert len(lines) == 4
    position = lines[3].split()[0]
    (started,) = (await muster(site, "users", "history", person.email, "--after", position)).stdout.splitlines()[1:]
    assert f"session: {person.session_id}" in started


async def test_a_history_tells_why_in_its_column_and_what_was_forgotten(fresh: Site):
    person = await fresh.person()
    await told(fresh, "users", "rename", person.email, "Ada", "--reason", "she married")
    (line,) = (await muster(fresh, "users", "history", person.email)).stdout.splitlines()[-1:]
    assert "operator" in line
    assert "she married" in line
    assert line.endswith("display_name: Ada")
    await fresh.database.query(
        "UPDATE data_keys SET wrapped = NULL, forgotten_at = now() WHERE subject_id = $1", person.id
    )
    (line,) = (await muster(fresh, "users", "history", str(person.id))).stdout.splitlines()[-1:]
    assert "she married" not in line
    assert line.endswith("display_name: (forgotten)")


async def test_a_user_is_renamed(site: Site):
    person = await site.person()
    (done,) = await told(site, "users", "rename", person.email, "Ada")
    assert (done["id"], done["events"]) == (str(person.id), ["DisplayNameChanged"])
    (again,) = await told(site, "users", "rename", person.email, "Ada")
    assert (again["changed"], again["events"], again["version"]) == (False, [], done["version"])
    in_words = await muster(site, "users", "rename", person.email, "Grace")
    assert in_words.stdout.startswith(f"{person.id}: DisplayNameChanged, recorded up to position ")
    assert "nothing to change" in (await muster(site, "users", "rename", person.email, "Grace")).stdout
    assert "A display name has" in await refused(site, "users", "rename", person.email, "\u202egnp.exe")


async def test_facts_of_a_profile_are_set_and_unset_all_or_nothing(site: Site):
    person = await site.person()
    (done,) = await told(
        site, "users", "set", person.email, "--display-name", "Ada", "--locale", "en-GB", "--time-zone", "europe/london",
        "--picture-url", "https://example.com/ada.png", "--reason", "by letter",
    )  # fmt: skip
    assert done["events"] == ["DisplayNameChanged", "LocaleChanged", "TimeZoneChanged", "PictureChanged"]
    assert {event["reason"] for event in (await history(site, str(person.id)))[-4:]} == {"by letter"}
    (done,) = await told(
        site, "users", "set", person.email, "--unset", "locale", "--unset", "time-zone", "--display-name", "Ada"
    )
    assert done["events"] == ["LocaleChanged", "TimeZoneChanged"]
    (view,) = await told(site, "users", "show", person.email)
    facts = ("display_name", "locale", "time_zone", "picture_url")
    assert [view[fact] for fact in facts] == ["Ada", None, None, "https://example.com/ada.png"]
    for wrong, why in (
        (("--display-name", "Grace", "--locale", "no tag"), "This is no language tag"),
        (("--locale", "en", "--unset", "locale"), "cannot be both given and unset"),
        ((), "Say what to change"),
    ):
        assert why in await refused(site, "users", "set", person.email, *wrong)


async def test_metadata_are_merged_replaced_and_read_from_standard_input(site: Site):
    person = await site.person()
    (done,) = await told(site, "users", "metadata", person.email, "--admin", '{"plan": "gold", "seats": 3}')
    assert done["events"] == ["AdministratorsMetadataChanged"]
    await told(site, "users", "metadata", person.email, "--admin", '{"seats": null}', "--own", "-", given='{"a": [1]}')
    (view,) = await told(site, "users", "show", person.email)
    assert view["metadata"] == {"own": {"a": [1]}, "admin": {"plan": "gold"}}
    await told(site, "users", "metadata", person.email, "--admin", '{"b": 1}', "--replace")
    (view,) = await told(site, "users", "show", person.email)
    assert view["metadata"] == {"own": {"a": [1]}, "admin": {"b": 1}}
    for wrong, why in (
        (("--own", "[1]"), "This must be an object."),
        (("--own", '{"a": 1, "a": 2}'), "This is not JSON in UTF-8 with each name once."),
        (("--own", '{"a": NaN}'), "This is not JSON"),
        (("--own", '{"": 1}'), "Metadata are at most 64 entries"),
        ((), "Say what to change"),
    ):
        assert why in await refused(site, "users", "metadata", person.email, *wrong)


async def test_a_user_is_suspended_and_reinstated(site: Site):
    person = await site.person()
    (done,) = await told(site, "users", "suspend", person.email, "--reason", "unpaid")
    assert done["events"] == ["UserSuspended", "SessionEnded"]
    body = {"email": person.email, "password": PASSWORD}
    assert (await site.post("/v1/sessions", body)).status_code == 401
    (view,) = await told(site, "users", "show", person.email)
    assert view["status"] == "suspended"
    (done,) = await told(site, "users", "reinstate", person.email)
    assert done["events"] == ["UserReinstated"]
    assert (await site.post("/v1/sessions", body)).status_code == 201
    suspended, ended, reinstated = (await history(site, str(person.id)))[-4:-1]
    assert (suspended["reason"], ended["reason"], reinstated["reason"]) == ("unpaid", "unpaid", None)


async def test_a_user_is_unlocked(database: Database):
    async with served(database, sign_in_attempts=3) as site:
        user_id = await site.registered("ada@example.com")
        await site.post(f"/v1/users/{user_id}/email/verify", {"token": site.link(user_id)})
        right, wrong = ({"email": "ada@example.com", "password": password} for password in (PASSWORD, "wrong" * 3))
        assert [(await site.post("/v1/sessions", body)).status_code for body in (wrong, wrong, wrong, right)] == [
            401
        ] * 4
        (done,) = await told(site, "users", "unlock", "ada@example.com", "--reason", "she rang")
        assert done["events"] == ["UserUnlocked"]
        assert (await site.post("/v1/sessions", right)).status_code == 201
        (again,) = await told(site, "users", "unlock", "ada@example.com")
        assert again["changed"] is False


async def test_a_link_for_a_new_password_is_asked_for(site: Site):
    person = await site.person()
    for _ in range(5):
        (done,) = await told(site, "users", "reset-password", person.email)
        assert done["events"] == ["PasswordResetRequested"]
    sixth = await muster(site, "users", "reset-password", person.email)
    assert sixth.exit_code == 0
    assert sixth.stderr == "No link is mailed: the user is suspended, or was mailed five within the hour.\n"
    assert (await site.post("/v1/sessions", {"email": person.email, "password": PASSWORD})).status_code == 201


async def test_a_former_address_names_nobody(site: Site):
    person = await site.person()
    new = site.new_email()
    body = {"email": new, "password": PASSWORD}
    assert (await site.post(f"/v1/users/{person.id}/email/change", body, person)).status_code < 300
    version = (await history(site, str(person.id)))[-1]["version"]
    token = site.link(person.id, version)
    proved = await site.post(f"/v1/users/{person.id}/email/verify", {"token": token})
    assert proved.status_code == 204, proved.text
    (view,) = await told(site, "users", "show", new)
    assert view["id"] == str(person.id)
    assert "Nobody has this address." in await refused(site, "users", "show", person.email)


async def test_roles_are_granted_and_revoked_with_a_reason_and_take_effect(site: Site):
    person = await site.person()
    assert (await site.get("/v1/users", person)).status_code == 403
    (done,) = await told(site, "users", "grant", person.email, "administrator", "--reason", "on call")
    assert done["events"] == ["RoleGranted", "AdministratorAdded"]
    granted = (await history(site, str(person.id)))[-2]
    assert (granted["type"], granted["actor"], granted["reason"]) == ("RoleGranted", {"type": "operator"}, "on call")
    signed_in = await site.signed_in(person.email)
    assert (await site.get("/v1/users", signed_in)).status_code == 200
    (done,) = await told(site, "users", "revoke", person.email, "administrator")
    assert done["events"] == ["RoleRevoked", "AdministratorRemoved"]
    assert "'king' is not one of" in await refused(site, "users", "grant", person.email, "king")


async def test_the_last_administrator_stays(fresh: Site):
    stderr = await refused(fresh, "users", "revoke", fresh.administrator.email, "administrator")
    assert "Nobody else administers" in stderr


async def test_a_reason_that_is_too_long_is_refused(site: Site, somebody):
    stderr = await refused(site, "users", "grant", somebody.email, "auditor", "--reason", "x" * 501)
    assert "length <= 500" in stderr


def test_says_when_there_is_no_database():
    environment = environment_for(Database("postgresql://muster:wrong@127.0.0.1:1/none"))
    for command in (("users", "list"), ("users", "grant", str(uuid7()), "auditor")):
        done = run(*command, env=environment)
        assert done.returncode == 1
        assert "the database does not take it" in done.stderr
        assert "Traceback" not in done.stderr


async def test_someone_who_lost_the_second_factor_is_let_in_by_the_password(site: Site):
    who = await enrolled(site)
    await with_passkey(site, who.person)
    why = ("--reason", "lost the telephone, showed a passport")
    (done,) = await told(site, "users", "remove-factors", who.person.email, *why)
    assert done["events"] == ["TotpRemoved", "PasskeyRemoved"]
    (again,) = await told(site, "users", "remove-factors", str(who.person.id), *why)
    assert again["changed"] is False
    (event,) = [event for event in await history(site, done["id"]) if event["type"] == "TotpRemoved"]
    assert (event["actor"], event["command"]) == ({"type": "operator"}, "RemoveFactors")
    assert event["reason"] == "lost the telephone, showed a passport"
    assert (await site.signed_in(who.person.email)).id == who.person.id


async def test_api_keys_are_listed_as_the_api_does_and_revoked(site: Site):
    person = await site.seen(await site.person())
    key = await issued(site, person)
    assert (await site.get("/v1/me", key)).status_code == 200
    listed = (await site.get(f"/v1/users/{person.id}/api-keys", person)).json()["items"]
    assert await told(site, "users", "api-keys", person.email) == listed
    in_words = (await muster(site, "users", "api-keys", person.email)).stdout
    assert key.told["prefix"] in in_words
    assert key.key not in in_words
    (done,) = await told(site, "users", "revoke-api-key", person.email, key.id, "--reason", "it leaked")
    assert done["events"] == ["ApiKeyRevoked"]
    (again,) = await told(site, "users", "revoke-api-key", person.email, key.id)
    assert not again["changed"]
    assert "no such API key" in await refused(site, "users", "revoke-api-key", person.email, str(uuid7()))
    told_of = (await muster(site, "users", "history", person.email)).stdout
    assert f"api_key {key.id} of {person.id}" in told_of


async def test_a_service_account_is_made(site: Site):
    (done,) = await told(site, "service-accounts", "create", "billing", "--description", "invoices", "--reason", "new")
    assert done["events"] == ["ServiceAccountCreated", "AdministratorsMetadataChanged"]
    made = (await history(site, done["id"]))[0]
    assert (made["data"], made["actor"], made["reason"]) == ({"name": "billing"}, {"type": "operator"}, "new")
    (shown,) = await told(site, "users", "show", done["id"])
    assert (shown["kind"], shown["email"]) == ("service", None)
    assert "A label has" in await refused(site, "service-accounts", "create", "x" * 101)


async def test_an_erasure_is_withdrawn(site: Site):
    person = await site.person()
    assert (await site.post(f"/v1/users/{person.id}/erase", {"password": PASSWORD}, person)).status_code == 204
    (done,) = await told(site, "users", "withdraw-erasure", person.email, "--reason", "wrote to us")
    assert (done["id"], done["events"]) == (str(person.id), ["ErasureWithdrawn"])
    event = (await history(site, str(person.id)))[-1]
    assert (event["actor"], event["command"], event["reason"]) == (
        {"type": "operator"},
        "WithdrawErasure",
        "wrote to us",
    )
    (again,) = await told(site, "users", "withdraw-erasure", str(person.id))
    assert again["changed"] is False
    assert "There is no such user." in await refused(site, "users", "withdraw-erasure", str(uuid7()))


async def test_the_link_that_proves_an_address_is_mailed_again(site: Site):
    user_id = await site.registered()
    (done,) = await told(site, "users", "resend-verification", user_id, "--reason", "called us")
    assert done["events"] == ["VerificationRequested"]
    assert (await history(site, user_id))[-1]["reason"] == "called us"
    newest = site.link(user_id, 2)
    assert (await site.post(f"/v1/users/{user_id}/email/verify", {"token": newest})).status_code == 204
    done = await muster(site, "users", "resend-verification", user_id)
    assert (done.exit_code, "nothing to change" in done.stdout) == (0, True)
    assert "No link is mailed" in done.stderr


async def test_what_a_change_would_record_is_told_as_the_api_tells_it_and_nothing_is_recorded(site: Site):
    person = await site.person()
    path = f"/v1/users/{person.id}/suspend"
    tried = await site.post(path, {"reason": "a chargeback"}, site.administrator, headers={"Prefer": "dry-run"})
    before = await site.head()
    why = ("--reason", "a chargeback", "--dry-run")
    (would,) = await told(site, "users", "suspend", person.email, *why)
    by_operator = [event | {"actor": {"type": "operator"}} for event in tried.json()["events"]]
    assert would == {"events": by_operator}
    heading, first, second = (await muster(site, "users", "suspend", person.email, *why)).stdout.splitlines()
    assert heading.startswith("WOULD BE RECORDED")
    assert (first.split()[0], first.split()[2]) == ("UserSuspended", str(person.id))
    assert (second.split()[0], second.split()[2]) == ("SessionEnded", person.session_id)
    named = await muster(site, "users", "rename", person.email, "Ada", "--dry-run")
    assert "display_name: Ada" in named.stdout
    assert (await muster(site, "users", "reinstate", person.email, "--dry-run")).stdout == "Nothing would change.\n"
    assert "There is no such user." in await refused(site, "users", "suspend", str(uuid7()), "--dry-run")
    (made,) = await told(site, "users", "register", site.new_email(), "--dry-run", given=f"{PASSWORD}\n")
    assert [event["type"] for event in made["events"]] == ["UserRegistered"]
    assert await site.head() == before
    assert (await site.get("/v1/me", person)).status_code in (200, 404)


def test_every_change_at_the_console_can_be_tried_out():
    changes = [command for command in users.commands.values() if any(p.name == "reason" for p in command.params)]
    assert len(changes) > 12
    for command in changes:
        assert {"dry_run", "json"} <= {parameter.name for parameter in command.params}, command.name


async def test_invitations_are_listed_as_the_api_lists_them_and_withdrawn(site: Site):
    emails = [site.new_email() for _ in range(3)]
    sent = [(await told(site, "users", "invite", email, "--role", "analyst"))[0]["id"] for email in emails]
    answered, cursor = [], ""
    while cursor is not None:
        page = (await site.get(f"/v1/invitations?limit=200{cursor}", site.administrator)).json()
        answered += page["items"]
        cursor = page["next"] and f"&cursor={page['next']}"
    listed = await told(site, "users", "invitations", "--all")
    assert listed == answered
    assert [one["id"] for one in listed if one["email"] in emails] == sent
    after = await told(site, "users", "invitations", "--after", sent[0], "--limit", "1")
    assert [one["id"] for one in after] == sent[1:2]
    table = (await muster(site, "users", "invitations", "--all")).stdout.splitlines()
    assert table[0].split()[:4] == ["ID", "ADDRESS", "ROLES", "NAME"]
    assert any(line.startswith(sent[1]) and emails[1] in line for line in table)
    (done,) = await told(site, "users", "withdraw-invitation", sent[1], "--reason", "changed our minds")
    assert (done["id"], done["events"]) == (sent[1], ["InvitationWithdrawn"])
    (again,) = await told(site, "users", "withdraw-invitation", sent[1])
    assert again["changed"] is False
    assert sent[1] not in [one["id"] for one in await told(site, "users", "invitations", "--all")]
    stderr = await refused(site, "users", "withdraw-invitation", str(uuid7()))
    assert "`muster users invitations` shows" in stderr


async def test_somebody_is_invited(site: Site):
    email = site.new_email()
    (done,) = await told(site, "users", "invite", email, "--role", "auditor", "--hours", "2", "--reason", "hired")
    assert done["events"] == ["UserInvited"]
    token = site.link(done["id"], purpose=ACCEPT_INVITATION)
    accepted = await site.post("/v1/invitations/accept", {"token": token, "password": PASSWORD})
    assert accepted.status_code == 201
    assert "Another account has this address." in await refused(site, "users", "invite", email)
