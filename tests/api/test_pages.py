"""The two pages that links lead to."""

import base64
import hashlib
import re

import pytest


@pytest.mark.parametrize("path", ["/verify-email", "/sign-up"])
async def test_the_policy_lets_the_page_do_what_is_in_it_and_nothing_else(site, path):
    page = await site.get(path)
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    for tag in ("script", "style"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", page.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.search(r"\son[a-z]+=|https?://|javascript:", page.text)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_whoever_merely_follows_the_link_spends_nothing(site, method):
    user_id = await site.registered()
    before = await site.head()
    token = site.link(user_id)
    for path in (f"/verify-email?user={user_id}&token={token}", f"/v1/users/{user_id}/email/verify?token={token}"):
        await site.request(method, path)
    assert await site.head() == before
    assert (await site.post(f"/v1/users/{user_id}/email/verify", {"token": token})).status_code == 204


async def test_the_documentation_asks_no_other_server(site):
    page = await site.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "//" not in page.text.replace("</", "")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    script = await site.get("/docs/scalar.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert len(script.content) > 1_000_000
    plain = await site.client.get("/docs/scalar.js", headers={"Accept-Encoding": "identity"})
    assert plain.content == script.content
    assert (await site.get("/docs/elsewhere")).headers["content-type"] == "application/problem+json"
