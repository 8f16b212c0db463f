"""The OpenAPI document: every route has an example that is true, and says which errors it may give."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter

from dynalens.server import create_app
from dynalens.server.models import ErrorAnswer, RedriveRequest, SqlRequest
from dynalens.server.routes import all_routes
from tests.fakes import Fakes, world
from tests.serving import running

DOCUMENT: dict[str, Any] = create_app(Fakes().backend()).openapi()
OPERATIONS = [
    pytest.param(operation, id=f"{method.upper()} {path}")
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
ROUTES = [pytest.param(route, id=route.path) for route in all_routes()]

# What a request with parameters or a body, and one that reads a store or a target, can always run into.
BODY_ERRORS = {"400", "408", "413", "415", "422", "503"}


def test_every_route_is_described() -> None:
    assert set(DOCUMENT["paths"]) == {route.path_format for route in all_routes()}
    assert len(OPERATIONS) == 14


@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_says_what_it_is_for(operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_its_good_answer_has_an_example(operation: dict[str, Any]) -> None:
    [content] = operation["responses"]["200"]["content"].values()
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
    content = route.responses[200]["content"]
    if "application/json" in content:
        adapter: TypeAdapter[Any] = TypeAdapter(route.response_model)
        example = content["application/json"]["example"]
        assert set(example) <= set(adapter.json_schema()["properties"])
        adapter.validate_python(example)


def test_examples_of_bodies_are_what_their_models_say() -> None:
    bodies: dict[str, type[BaseModel]] = {"/api/v1/sql": SqlRequest, "/api/v1/dead-letters/redrive": RedriveRequest}
    for path, model in bodies.items():
        [content] = DOCUMENT["paths"][path]["post"]["requestBody"]["content"].values()
        assert set(content["schema"]["properties"]) == set(model.model_fields)
        model.model_validate(content["example"])


def test_no_other_shape_of_validation_errors_is_described() -> None:
    assert "HTTPValidationError" not in json.dumps(DOCUMENT)


def test_answers_are_what_their_models_say() -> None:
    known = {"collection": "donations", "id": "a@test.com", "metric": "by_platform", "number": "1"}
    with running(world(time.time()).backend()) as run:
        for route in all_routes():
            if "GET" in (route.methods or ()) and "application/json" in route.responses[200]["content"]:
                answer = run.client.get(route.path_format.format(**known))
                model = route.response_model if answer.status_code == 200 else route.responses[503]["model"]
                TypeAdapter(model).validate_json(answer.content)
