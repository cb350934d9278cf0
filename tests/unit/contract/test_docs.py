"""The pages and the OpenAPI document of the four services."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any, get_args

import jsonschema_rs
import pytest

from contract import docs, errors, schema
from contract.settings import Architecture, Role, Settings, load_settings

# What each endpoint can answer, from the table of the contract.
STATUSES = {
    "scoring": {
        "predict": {"200", "400", "404", "413", "502", "503", "504"},
        "ready": {"200", "503"},
        "healthcheck": {"200"},
    },
    "model": {"predict": {"200", "400", "413", "503"}, "ready": {"200"}, "healthcheck": {"200"}},
}


@pytest.fixture(params=[(a, r) for a in get_args(Architecture) for r in get_args(Role)], ids=" ".join)
def settings(request: pytest.FixtureRequest) -> Settings:
    """The settings of each of the four services."""
    architecture, role = request.param
    return load_settings(architecture, role)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def walk(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for below in node.values():
            yield from walk(below)
    elif isinstance(node, list):
        for below in node:
            yield from walk(below)


def resolve(document: dict[str, Any], reference: str) -> dict[str, Any]:
    node: Any = document
    start, *steps = reference.split("/")
    assert start == "#"
    for step in steps:
        node = node[step]
    assert isinstance(node, dict)
    return node


def test_every_reference_leads_somewhere_and_every_schema_is_used(settings: Settings) -> None:
    document = docs.openapi_document(settings)
    references = {node["$ref"] for node in walk(document) if "$ref" in node}
    for reference in references:
        assert resolve(document, reference)
    assert references == {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


def test_every_status_that_an_endpoint_can_give_is_documented(settings: Settings) -> None:
    documented = {
        operation["operationId"]: set(operation["responses"])
        for _, _, operation in operations(docs.openapi_document(settings))
    }
    assert documented == STATUSES[settings.role]


def test_every_error_is_documented_as_a_problem(settings: Settings) -> None:
    for _, _, operation in operations(docs.openapi_document(settings)):
        for status, response in operation["responses"].items():
            assert response["description"]
            content_type = schema.JSON_CONTENT_TYPE if status == "200" else errors.PROBLEM_CONTENT_TYPE
            assert list(response["content"]) == [content_type]


def test_the_endpoints_are_documented_where_they_are(settings: Settings) -> None:
    document = docs.openapi_document(settings)
    assert document["openapi"].startswith("3.1")
    assert {(method, path) for path, method, _ in operations(document)} == {
        ("get", "/api/v1/healthcheck"),
        ("get", "/api/v1/ready"),
        ("post", f"/api/v1/ml/{settings.architecture}/predict"),
    }


def test_the_document_says_as_many_numbers_as_the_parser_takes(settings: Settings) -> None:
    parse = schema.parse_scoring_numbers if settings.role == "scoring" else schema.parse_model_numbers
    numbers = docs.openapi_document(settings)["components"]["schemas"]["Numbers"]
    assert len(parse(schema.encode_numbers([1.0] * numbers["maxItems"]))) == numbers["maxItems"]
    assert len(parse(schema.encode_numbers([1.0] * numbers["minItems"]))) == numbers["minItems"]
    for bad in (numbers["minItems"] - 1, numbers["maxItems"] + 1):
        with pytest.raises(errors.InvalidRequest):
            parse(schema.encode_numbers([1.0] * bad))


def test_the_bodies_that_are_sent_match_the_documented_schemas(settings: Settings) -> None:
    schemas = docs.openapi_document(settings)["components"]["schemas"]
    bodies = {
        "Numbers": schema.encode_numbers(schemas["Numbers"]["examples"][0]),
        "Answer": schema.encode_answer(0.0451),
        "Status": schema.OK_BODY,
        "Problem": errors.StoreUnreachable().body(),
    }
    assert set(bodies) == set(schemas)
    for name, body in bodies.items():
        jsonschema_rs.validator_for(schemas[name]).validate(json.loads(body))


def test_only_a_scoring_handler_takes_an_entity() -> None:
    parameters = {
        role: [
            parameter["name"]
            for _, _, operation in operations(docs.openapi_document(Settings(role=role)))
            for parameter in operation.get("parameters", [])
        ]
        for role in get_args(Role)
    }
    assert parameters == {"scoring": ["entity_id"], "model": []}


def test_the_document_is_json(settings: Settings) -> None:
    document = docs.openapi_document(settings)
    assert json.loads(json.dumps(document)) == document


@pytest.mark.parametrize("page", [docs.index_page, docs.swagger_page])
def test_a_page_names_its_service_and_nothing_outside(page: Any, settings: Settings) -> None:
    text = page(settings).decode()
    assert f"{settings.architecture} {'scoring handler' if settings.role == 'scoring' else 'model'}" in text
    assert "http://" not in text
    assert "https://" not in text
    assert all(reference.startswith("/") for reference in re.findall(r'(?:src|href|url)[=:]\s*"([^"]*)"', text))


def test_the_index_lists_every_endpoint_and_leads_to_the_docs(settings: Settings) -> None:
    text = docs.index_page(settings).decode()
    for path, method, _ in operations(docs.openapi_document(settings)):
        assert f"{method.upper()} {path}" in text
    assert 'href="/docs"' in text
    assert 'href="/openapi.json"' in text


def test_every_asset_of_the_pages_exists(settings: Settings) -> None:
    pages = docs.index_page(settings) + docs.swagger_page(settings)
    names = set(re.findall(rf'"{schema.ASSETS_PATH}/([^"]+)"', pages.decode()))
    assert {"swagger-ui.css", "swagger-ui-bundle.js"} <= names
    for name in names:
        body, content_type = docs.asset(name)
        assert body
        assert content_type


@pytest.mark.parametrize("name", ["", "nothing.js", "../index.html", "/etc/hostname", "swagger-editor.js", "x" * 5000])
def test_an_asset_that_no_page_uses_is_an_unknown_path(name: str) -> None:
    with pytest.raises(errors.UnknownPath):
        docs.asset(name)


@pytest.mark.parametrize("page", [docs.index_page, docs.swagger_page])
def test_a_page_runs_no_script_but_its_own_and_asks_nobody_else(page: Any, settings: Settings) -> None:
    text = page(settings).decode()
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    inline = re.findall(r"<script>(.*?)</script>", text)
    allowed = ["'self'" for _ in inline]
    allowed += [f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in inline]
    assert rules.get("script-src", "") == " ".join(allowed)
    assert text.index("Content-Security-Policy") < text.index("<title>")  # it holds for what comes after it


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_api_keys_are_documented_only_where_a_service_asks_for_them(architecture: Architecture) -> None:
    def document(role: Role, api_keys: str) -> dict[str, Any]:
        return docs.openapi_document(load_settings(architecture, role, api_keys=api_keys))

    assert document("model", "a:read:b") == document("model", "")
    off, on = document("scoring", ""), document("scoring", "a:read:b")
    assert "security" not in json.dumps(off)
    assert {"401", "403"}.isdisjoint(status for _, _, each in operations(off) for status in each["responses"])
    assert on["security"] == [{"ApiKey": []}, {"Bearer": []}]
    assert on["components"]["securitySchemes"]["ApiKey"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    refused = {each["operationId"]: {"401", "403"} <= set(each["responses"]) for _, _, each in operations(on)}
    assert refused == {"predict": True, "ready": True, "healthcheck": False}
    assert {each["operationId"]: each.get("security") for _, _, each in operations(on)} == {
        "predict": None,
        "ready": None,
        "healthcheck": [],  # open
    }
