"""The OpenAPI document: BentoML's, with the routes and errors that it does not know."""

from typing import Any

from models.errors import CODES

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "details": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["row", "field", "value", "message"],
                        "properties": {
                            "row": {"type": "integer", "nullable": True},
                            "field": {"type": "string", "nullable": True},
                            "value": {"nullable": True},
                            "message": {"type": "string"},
                        },
                    },
                },
            },
        }
    },
}
TOLD_BY_PREDICT = (400, 413, 415, 422, 500, 503, 504)


def complete(spec: dict[str, Any]) -> dict[str, Any]:
    """BentoML's document with `GET /model` and the errors of `POST /predict` in the contract's shape."""
    schemas = spec.setdefault("components", {}).setdefault("schemas", {})
    schemas["Error"] = ERROR
    predict = spec["paths"]["/predict"]["post"]
    answers = {status: answer for status, answer in predict["responses"].items() if str(status) == "200"}
    predict["responses"] = answers | {str(status): _refusal(CODES[status]) for status in TOLD_BY_PREDICT}
    spec["paths"]["/model"] = {
        "get": {
            "tags": predict["tags"],
            "operationId": "credit_scorer__model",
            "description": "What is served: features with types and ranges, threshold, data and origin.",
            "responses": {
                "200": {"description": "The model", "content": {"application/json": {"schema": {"type": "object"}}}}
            },
        }
    }
    return spec


def _refusal(code: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": code, "content": {"application/json": {"schema": schema}}}
