"""The OpenAPI document: every route has an example that is true, and says which errors it may give."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter

from dynalens.search.dsl import read_body
from dynalens.search.parameters import read_parameters
from dynalens.server import create_app
from dynalens.server.models import ClearScrollRequest, ErrorAnswer, RedriveRequest, ScrollRequest, SqlRequest
from dynalens.server.openapi import document
from dynalens.server.requests import RequestBody
from dynalens.server.routes import all_routes
from tests.fakes import Fakes, world
from tests.serving import running

DOCUMENT: dict[str, Any] = create_app(Fakes().backend()).openapi()
OPERATIONS = [
    pytest.param(operation, id=f"{method.upper()} {path}")
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
# Those that only answer without a body, or only refuse, say nothing that a machine could use.
DESCRIBED = [route for route in all_routes() if route.include_in_schema]
ROUTES = [pytest.param(route, id=f"{min(route.methods or ())} {route.path}") for route in DESCRIBED]

# What a request with parameters or a body, and one that reads a store or a target, can always run into.
BODY_ERRORS = {"400", "408", "413", "415", "422", "503"}


def good_answer(responses: Mapping[str | int, Any]) -> Any:  # noqa: ANN401 - a description in JSON
    [good] = [answer for status, answer in responses.items() if str(status).startswith("2")]
    return good


def test_every_route_is_described() -> None:
    assert set(DOCUMENT["paths"]) == {route.path_format for route in DESCRIBED}
    assert len(OPERATIONS) == 33


@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_says_what_it_is_for(operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_its_good_answer_has_an_example(operation: dict[str, Any]) -> None:
    [content] = good_answer(operation["responses"])["content"].values()
    assert content["example"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_its_errors_have_examples_of_the_one_shape(operation: dict[str, Any]) -> None:
    errors = {status: answer for status, answer in operation["responses"].items() if status.isdigit() and status > "4"}
    assert {"403", "500"} <= set(errors)
    for answer in errors.values():
        content = answer["content"]["application/json"]
        assert answer["description"]
        assert ErrorAnswer.model_validate(content["example"]).error.hint
        assert content["schema"]["$ref"].rpartition("/")[2] in {"ErrorAnswer", "NotReady"}
    assert operation["responses"]["default"]["content"]["application/json"]["schema"]["$ref"].endswith("ErrorAnswer")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_documents_the_errors_that_its_parameters_can_cause(operation: dict[str, Any]) -> None:
    documented = set(operation["responses"])
    if "requestBody" in operation:
        assert documented >= BODY_ERRORS
    for parameter in operation.get("parameters", []):
        free_text = parameter["schema"].get("type") == "string" and "enum" not in parameter["schema"]
        assert ("404" if free_text and parameter["in"] == "path" else "400") in documented, parameter["name"]


@pytest.mark.parametrize("route", ROUTES)
def test_its_example_is_what_its_model_says(route: APIRoute) -> None:
    content = good_answer(route.responses)["content"]
    if "application/json" in content:
        adapter: TypeAdapter[Any] = TypeAdapter(route.response_model)
        example = content["application/json"]["example"]
        assert set(example) <= set(adapter.json_schema()["properties"])
        adapter.validate_python(example)


def test_examples_of_bodies_are_what_their_models_say() -> None:
    bodies: dict[tuple[str, str], type[BaseModel]] = {
        ("post", "/api/v1/sql"): SqlRequest,
        ("post", "/api/v1/dead-letters/redrive"): RedriveRequest,
        ("post", "/api/v1/collections/{collection}/requests"): RequestBody,
        ("post", "/_search/scroll"): ScrollRequest,
        ("delete", "/_search/scroll"): ClearScrollRequest,
    }
    for (method, path), model in bodies.items():
        [content] = DOCUMENT["paths"][path][method]["requestBody"]["content"].values()
        assert set(content["schema"]["properties"]) == set(model.model_fields)
        model.model_validate(content["example"])


def test_examples_of_queries_are_understood() -> None:
    bodies = [
        path["post"]["requestBody"]["content"]["application/json"]["example"]
        for name, path in DOCUMENT["paths"].items()
        if name.endswith(("search", "_count")) and "scroll" not in name
    ]
    assert len(bodies) == 3
    for body in bodies:
        read_body(body)


def test_documented_parameters_of_searches_are_understood() -> None:
    operation = DOCUMENT["paths"]["/api/v1/collections/{collection}/search"]["get"]
    parameters = [(each["name"], each["example"]) for each in operation["parameters"] if "example" in each]
    assert len(parameters) == 8
    read_parameters([(name, value if isinstance(value, str) else json.dumps(value)) for name, value in parameters])


def test_no_other_shape_of_validation_errors_is_described() -> None:
    assert "HTTPValidationError" not in json.dumps(DOCUMENT)


def test_answers_are_what_their_models_say() -> None:
    known = {
        "collection": "donations",
        "id": "a@test.com",
        "metric": "by_platform",
        "name": "donations",
        "number": "1",
        "scroll_id": "x",
    }
    with running(world(time.time()).backend()) as run:
        for route in DESCRIBED:
            if "GET" in (route.methods or ()) and "application/json" in route.responses[200]["content"]:
                answer = run.client.get(route.path_format.format(**known))
                expected = route.responses[503]["model"] if answer.status_code >= 400 else route.response_model
                TypeAdapter(expected).validate_json(answer.content)


def test_the_document_in_docs_is_the_served_one() -> None:
    page = Path(__file__).parents[3] / "docs" / "openapi.json"
    assert page.read_text() == document(), "run: python -m dynalens.server.openapi > docs/openapi.json"
    assert json.loads(document())["paths"] == DOCUMENT["paths"]


def test_every_reference_leads_somewhere_within_the_document() -> None:
    text = json.dumps(DOCUMENT)
    assert "$defs" not in text
    for reference in set(re.findall(r'"\$ref": "#/components/(\w+)/(\w+)"', text)):
        kind, name = reference
        assert name in DOCUMENT["components"][kind]
