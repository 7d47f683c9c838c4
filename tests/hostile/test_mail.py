"""Links in mails: spent by those who press a button, not by what looks at them, and never bent to another host."""

import pytest

from tests.api.site import PASSWORD

PAGES = ("/verify-email", "/reset-password", "/undo-email-change", "/unlock")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", [*PAGES, "/v1/users/{id}/email/verify", "/v1/password/reset/complete"])
async def test_a_scanner_that_looks_at_a_link_spends_nothing(site, method, path):
    user_id = await site.registered()
    token = site.link(user_id)
    before = await site.head()
    for query in ("", f"?user={user_id}&token={token}"):
        await site.request(method, path.format(id=user_id) + query)
    assert await site.head() == before
    assert (await site.post(f"/v1/users/{user_id}/email/verify", {"token": token})).status_code == 204


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/users/{id}/email/verify", {"token": "TOKEN"}),
        ("/v1/users/{id}/email/undo", {"token": "TOKEN"}),
        ("/v1/users/{id}/unlock", {"token": "TOKEN"}),
        ("/v1/password/reset/complete", {"token": "TOKEN", "password": PASSWORD}),
    ],
)
async def test_a_bad_token_is_neither_told_back_nor_logged(site, capsys, path, body):
    user_id = await site.registered()
    token = "Zm9yZ2VkLXRva2Vu" * 4
    answer = await site.post(path.format(id=user_id), {**body, "token": token})
    assert answer.status_code == 400
    assert token not in answer.text
    assert token not in capsys.readouterr().out


async def test_a_forged_host_is_not_believed_where_links_are_asked_for(site, somebody):
    for host in ("evil.example", "muster.example@evil.example"):
        answer = await site.post("/v1/password/reset", {"email": somebody.email}, headers={"Host": host})
        assert "evil" not in answer.text + str(answer.headers)
