"""OpenAPI: its description of each route fits the route's requests and answers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from starlette.testclient import TestClient

from tests.service import running

TOKEN = {"Authorization": "Bearer token"}
HEARD = {"user": 7, "track": 1000, "time": 0.5}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGUE_ADMIN_TOKEN", "token")
        folder: Path = tmp_path_factory.mktemp("openapi")
        with running(folder) as made:
            yield made


CASES: list[tuple[str, str, str, Any]] = [
    ("post", "/recommend", "/recommend", {"user": 7}),
    ("post", "/recommend", "/recommend", {**HEARD, "n": 3, "exclude": ["x"], "explain": True}),
    ("post", "/feedback", "/feedback", {**HEARD, "final": True}),
    ("get", "/tracks/{track}", "/tracks/1000", None),
    ("get", "/experiments", "/experiments", None),
    ("get", "/track/{track}", "/track/1000", None),
    ("post", "/next/{user}", "/next/7", {"track": 1000, "time": 0.5}),
    ("post", "/last/{user}", "/last/7", {"track": 1000, "time": 0.5}),
    ("post", "/admin/reload", "/admin/reload", None),
    ("get", "/readyz", "/readyz", None),
]


def valid(client: TestClient, instance: Any, schema: dict[str, Any]) -> None:
    """Validate against the schema; a key that is not described is a fault too."""
    document = client.get("/openapi.json").json()
    closed = {
        name: {**model, "additionalProperties": model.get("additionalProperties", False)}
        for name, model in document["components"]["schemas"].items()
    }
    jsonschema.validate(instance, {**schema, "components": {"schemas": closed}})


@pytest.mark.parametrize(("method", "route", "path", "body"), CASES)
def test_answers_fit_their_description(
    client: TestClient, method: str, route: str, path: str, body: Any
) -> None:
    described = client.get("/openapi.json").json()["paths"][route][method]
    if body is not None:
        jsonschema.validate(body, described["requestBody"]["content"]["application/json"]["schema"])
    response = client.request(method, path, json=body, headers=TOKEN)
    assert response.status_code == 200
    schema = described["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema
    valid(client, response.json(), schema)


@pytest.mark.parametrize(
    ("method", "route", "path", "body"),
    [
        ("post", "/recommend", "/recommend", {"user": 7.5}),
        ("post", "/feedback", "/feedback", {"user": 7}),
        ("get", "/tracks/{track}", "/tracks/nowhere", None),
        ("post", "/next/{user}", "/next/7", {}),
        ("post", "/admin/reload", "/admin/reload", None),
    ],
)
def test_errors_fit_their_description(
    client: TestClient, method: str, route: str, path: str, body: Any
) -> None:
    described = client.get("/openapi.json").json()["paths"][route][method]
    response = client.request(method, path, json=body)
    assert 400 <= response.status_code < 500
    schema = described["responses"]["4XX"]["content"]["application/json"]["schema"]
    valid(client, response.json(), schema)


@pytest.mark.parametrize("route", ["/recommend", "/feedback", "/next/{user}", "/last/{user}"])
def test_headers_are_described(client: TestClient, route: str) -> None:
    described = client.get("/openapi.json").json()["paths"][route]["post"]["parameters"]
    headers = {parameter["name"] for parameter in described if parameter["in"] == "header"}
    assert headers == {"Idempotency-Key", "Segue-Force", "Segue-Key"}


def test_the_length_of_a_key_is_described(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]["/recommend"]["post"]["parameters"]
    (key,) = [each for each in described if each["name"] == "Idempotency-Key"]
    bounds = key["schema"]
    for length, status in [
        (bounds["minLength"] - 1, 422),
        (bounds["minLength"], 200),
        (bounds["maxLength"], 200),
        (bounds["maxLength"] + 1, 422),
    ]:
        headers = {"Idempotency-Key": "k" * length}
        assert client.post("/recommend", json={"user": 7}, headers=headers).status_code == status


def test_the_type_of_the_metrics_is_described(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]["/metrics"]["get"]["responses"]["200"]
    (media,) = described["content"]
    assert client.get("/metrics").headers["content-type"].partition(";")[0] == media


def refs_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
        for each in value.values():
            yield from refs_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from refs_in(each)


def test_every_reference_leads_to_a_component(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(refs_in(document)) == known


def test_the_example_of_each_body_is_accepted(client: TestClient) -> None:
    for route, methods in client.get("/openapi.json").json()["paths"].items():
        for method, described in methods.items():
            content = described.get("requestBody", {}).get("content", {})
            for each in content.values():
                path = route.replace("{user}", "7")
                assert (
                    client.request(method, path, json=each["example"], headers=TOKEN).status_code
                    == 200
                )


def test_every_route_is_described(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert {route for _, route, _, _ in CASES} < set(document["paths"])
    for route, methods in document["paths"].items():
        for method, described in methods.items():
            assert described["description"], f"{method} {route}"
