"""Given a key that was issued to somebody, then what is written to them about it."""

from uuid_utils.compat import uuid7

from events.api_key import ApiKeyIssued
from tests.projections.reactions.letters import ADA, PROVED, Asked
from tests.support import NOON

ISSUED = ApiKeyIssued(ADA, "<b>evil@x.example,", ("account:read",), NOON.replace(year=2027))


def test_the_owner_is_told_until_when_it_is_good_and_not_by_the_name_that_somebody_gave_it():
    mail = Asked(*PROVED, ISSUED).mail
    assert (mail["To"], mail["Subject"]) == ("ada@example.com", "An API key was issued for your account")
    for part in mail.iter_parts():
        assert "2027-03-01 12:00 UTC" in part.get_content()
        assert "evil" not in part.get_content()


async def test_it_is_sent_although_it_happened_in_the_stream_of_the_key(log, post, mail):
    ada = uuid7()
    await log.add(ada, *PROVED)
    await post.react()
    await log.add_to_key(ada, uuid7(), ApiKeyIssued(ada, "report", ("account:read",), ISSUED.expires_at))
    await post.react()
    await post.sending.run()
    assert (await post.deliveries())[-1] == ("api-key-issued", "sent", 1)
    assert mail.recipients[-1:] == ["ada@example.com"]
