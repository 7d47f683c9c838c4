"""The OpenAPI document is true."""

import json

import pytest

from api.documentation import document
from api.import_rows import ImportRow


@pytest.fixture
async def described(site):
    return (await site.get("/openapi.json")).json()


def operations(described):
    return [
        (path, method, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


async def test_is_of_version_3_1(site, described):
    assert described["openapi"].startswith("3.1")
    assert (await site.get("/openapi.json")).headers["content-type"].startswith("application/vnd.oai.openapi+json")


def test_every_operation_has_a_name_a_summary_and_a_description(described):
    found = operations(described)
    assert len({operation["operationId"] for _, _, operation in found}) == len(found)
    assert all(operation["summary"] and operation["description"] for _, _, operation in found)


def test_every_refusal_is_a_problem(described):
    for path, _, operation in operations(described):
        for status, response in operation["responses"].items():
            if int(status) >= 400 and (path, status) != ("/readyz", "503"):
                ((media_type, content),) = response["content"].items()
                assert media_type == "application/problem+json"
                assert content["schema"]["$ref"].endswith("/Problem")


def test_what_has_no_body_declares_none(described):
    for _, _, operation in operations(described):
        for status in {"204", "304"} & operation["responses"].keys():
            assert "content" not in operation["responses"][status]


def test_what_needs_a_token_says_so_and_what_it_refuses(described):
    for path, _, operation in operations(described):
        needs = operation.get("security") == [{"token": []}]
        assert needs <= ("401" in operation["responses"]), path
        if path.startswith("/v1/users/{user_id}/roles"):
            assert "403" in operation["responses"]


def test_bodies_take_no_other_fields(described):
    schemas = described["components"]["schemas"]
    bodies = [name for name in schemas if name.endswith("Body")]
    assert len(bodies) > 10
    forms = [form for name in bodies for form in schemas[name].get("oneOf", [schemas[name]])]
    assert all(form["additionalProperties"] is False for form in forms)


def test_what_can_be_left_out_is_never_null_instead(described):
    for _, _, operation in operations(described):
        schemas = [parameter["schema"] for parameter in operation.get("parameters", ())]
        schemas += [content["schema"] for content in operation.get("requestBody", {}).get("content", {}).values()]
        assert all({"type": "null"} not in schema.get("oneOf", ()) for schema in schemas)
    assert described["paths"]["/v1/users/{user_id}/suspend"]["post"]["requestBody"]["required"] is False


def test_what_answers_a_version_can_be_told_which(described):
    for path, method, operation in operations(described):
        if "ETag" in operation["responses"].get("204", {}).get("headers", {}) and path != "/v1/password/reset/complete":
            assert "If-Match" in [parameter["name"] for parameter in operation["parameters"]], (method, path)
            assert "412" in operation["responses"], (method, path)


# The lines of an import have a reason each, and an offer changes nothing.
WITHOUT_REASON = {"import_users", "offer_passkey"}


def test_whatever_somebody_who_is_signed_in_has_changed_takes_a_reason(described):
    schemas = described["components"]["schemas"]
    without = set()
    for _, method, operation in operations(described):
        if method == "get" or operation.get("security", [{}])[-1] != {"token": []}:
            continue
        contents = operation.get("requestBody", {}).get("content", {}).values()
        names = {name for content in contents for name in schemas if f'/{name}"' in json.dumps(content)}
        forms = [schemas[name].get("oneOf", [schemas[name]]) for name in names]
        if not any(all("reason" in form.get("properties", {}) for form in body) for body in forms):
            without.add(operation["operationId"])
    assert without == WITHOUT_REASON
    assert "reason" in ImportRow.__struct_fields__


def test_a_patch_takes_what_is_said_to_be_a_merge_patch(described):
    for _, method, operation in operations(described):
        assert (method == "patch") == (
            "application/merge-patch+json" in operation.get("requestBody", {}).get("content", {})
        )


def test_fields_say_what_they_do_not_take(described):
    schemas = described["components"]["schemas"]
    registered = schemas["RegisterBody"]["properties"]
    assert (registered["password"]["minLength"], registered["password"]["maxLength"]) == (12, 1024)
    assert registered["password"]["pattern"] == r"^[^\u0000]*$"
    assert registered["email"]["format"] == "idn-email"
    assert "minLength" not in schemas["SignInBody"]["oneOf"][0]["properties"]["password"]
    own = schemas["MetadataBody"]["properties"]["own"]
    assert own["propertyNames"] == {"type": "string", "pattern": r"^[^\u0000]*$", "minLength": 1, "maxLength": 64}
    assert own["oneOf"] == [{"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Anything"}}]


def test_what_there_are_few_of_is_listed(described):
    (role,) = [
        parameter
        for parameter in described["paths"]["/v1/users/{user_id}/roles/{role}"]["put"]["parameters"]
        if parameter["name"] == "role"
    ]
    assert role["schema"]["enum"] == ["administrator", "analyst", "auditor"]


def test_answers_lead_to_what_takes_what_they_tell(described):
    found = {operation["operationId"]: operation for _, _, operation in operations(described)}
    for name, link in described["components"]["links"].items():
        taker = found[link["operationId"]]
        parameters = {parameter["name"] for parameter in taker.get("parameters", ())}
        assert link.get("parameters", {}).keys() <= parameters, name
        assert "requestBody" not in link or "requestBody" in taker, name
    opened = found["sign_in"]["responses"]["201"]["links"]
    assert {"user_by_id.user_id", "end_session.session_id", "refresh_session.refresh_token"} <= opened.keys()
    assert "user_by_id.id" in found["register_user"]["responses"]["201"]["links"]
    assert {"users.next", "user_by_id.items.0.id"} <= found["users"]["responses"]["200"]["links"].keys()
    assert "end_session.items.0.id" in found["sessions_of_user"]["responses"]["200"]["links"]


def test_every_reference_leads_somewhere(described):
    def references(node):
        if isinstance(node, dict):
            for name, value in node.items():
                yield from [value] if name == "$ref" else references(value)
        elif isinstance(node, list):
            for item in node:
                yield from references(item)

    for reference in references(described):
        node = described
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_is_made_once(site):
    assert document(site.app.framework) is document(site.app.framework)


async def test_every_answer_of_the_tests_is_declared(site, somebody, auditor, described):
    asked = [
        ("GET", "/v1/me", "/v1/me", somebody),
        ("GET", "/v1/me", "/v1/me", None),
        ("GET", "/v1/users", "/v1/users", auditor),
        ("GET", "/v1/users", "/v1/users", somebody),
        ("GET", "/v1/users/{user_id}", f"/v1/users/{somebody.id}", somebody),
        ("GET", "/v1/users/{user_id}", f"/v1/users/{auditor.id}", somebody),
        ("POST", "/v1/users", "/v1/users", None),
        ("POST", "/v1/sessions", "/v1/sessions", None),
        ("GET", "/v1/events", "/v1/events", auditor),
    ]
    for method, template, path, person in asked:
        answer = await site.request(method, path, person)
        responses = described["paths"][template][method.lower()]["responses"]
        declared = responses[str(answer.status_code)]
        assert answer.headers["content-type"] in declared["content"]
        known = described["components"]["headers"]
        assert {name.lower() for name in declared["headers"] if known[name]["required"]} <= answer.headers.keys()
