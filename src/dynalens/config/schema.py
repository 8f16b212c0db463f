"""The JSON Schema of the file, for editors; `docs/dynalens.schema.json` is a copy of it."""

from __future__ import annotations

from typing import Any

from dynalens.config.model import Config

_VARIABLE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"}


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) of the file, variables of the environment included."""
    schema = _completed(Config.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "dynalens.yaml"}


def _completed(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Let `${NAME}` stand for every number and truth value, and refuse names that no collection or metric can have."""
    if isinstance(schema, list):
        return [_completed(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") in ("integer", "number", "boolean"):
        about = {name: schema[name] for name in ("title", "description", "default", "examples") if name in schema}
        return {"anyOf": [{name: schema[name] for name in schema if name not in about}, _VARIABLE], **about}
    closed = {"additionalProperties": False} if "patternProperties" in schema else {}
    return {name: _completed(value) for name, value in schema.items()} | closed
