"""The OpenAPI document: BentoML's, with the routes and errors that BentoML does not know."""

from typing import Any

import msgspec

from configs.dataset import RESERVED, Dataset
from models.artifact import Artifact
from models.errors import CODES
from models.explanation import Explanation
from models.prediction import describe_decision
from models.request import ENVELOPE
from models.schema import MAX_ID_LENGTH
from serving.http.explain import OTHER_MODEL
from serving.http.feedback import FEEDBACK, Received
from serving.http.outcomes_body import ENVELOPE as OUTCOMES
from serving.http.outcomes_body import INVALID, MAX_OUTCOMES, SentOutcome

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
PREDICT_ERRORS = (400, 401, 403, 413, 415, 422, 429, 500, 503, 504)
KEY_FORMS = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def complete(spec: dict[str, Any], artifact: Artifact, requires_keys: bool) -> dict[str, Any]:
    """BentoML's document about this model, with the other routes, our errors and keys."""
    dataset = artifact.schema.dataset
    spec["info"] = {
        "title": title_of(artifact),
        "version": artifact.manifest.version,
        "description": f"{dataset.description}. Gives each applicant the probability that `{dataset.target.column}` is "
        f"`{dataset.target.event}`, and {_decides(dataset)}.",
    }
    schemas = spec.setdefault("components", {}).setdefault("schemas", {})
    schemas["Error"] = ERROR
    if requires_keys:
        spec["components"]["securitySchemes"] = KEY_FORMS
        spec["security"] = [{form: []} for form in KEY_FORMS]  # one of them
    predict = spec["paths"]["/predict"]["post"]
    answers = {status: answer for status, answer in predict["responses"].items() if str(status) == "200"}
    predict["responses"] = answers | {str(status): _error_response(CODES[status]) for status in PREDICT_ERRORS}
    about = "What is served: features with types and ranges, threshold, data and origin."
    spec["paths"]["/model"] = _page(predict["tags"], "model", about, {"application/json": {"type": "object"}})
    text = {kind: {"type": "string"} for kind in ("text/html", "text/markdown")}
    spec["paths"][FEEDBACK] = {"post": _feedback(predict["tags"], schemas)}
    spec["paths"]["/explain"] = {"post": _explain(predict["tags"], artifact, schemas)}
    spec["paths"]["/model/card"] = _page(predict["tags"], "card", "The model card.", text)
    pages = {"text/html": {"type": "string"}, "application/json": {"type": "object"}}
    about = "How the model does: the newest report, as a page or as its figures."
    spec["paths"]["/monitor"] = _page(predict["tags"], "monitor", about, pages)
    spec["paths"]["/monitor"]["get"]["responses"]["503"] = _error_response(CODES[503])
    about = "A page to score on, with reasons and what-if, or what its form is made from."
    spec["paths"]["/console"] = _page(predict["tags"], "console", about, pages)
    return spec


def _decides(dataset: Dataset) -> str:
    """How the service decides, in words."""
    threshold, refer = dataset.threshold, dataset.refer
    declines = (
        "declines where approving costs more, by the costs of each applicant"
        if threshold is None
        else f"declines from {threshold:.4f} upwards"
    )
    return f"{declines}, but refers from {refer.start:.4f} to below {refer.end:.4f}" if refer else declines


def title_of(artifact: Artifact) -> str:
    """The title of the API page and its document."""
    return f"credit-scorer: {artifact.schema.dataset.name}"


def _explain(tags: list[str], artifact: Artifact, schemas: dict[str, Any]) -> dict[str, Any]:
    (explanation,), parts = msgspec.json.schema_components([Explanation], ref_template="#/components/schemas/{name}")
    describe_decision(parts["Explanation"], artifact.schema.dataset)
    if artifact.schema.dataset.score is None:
        for scored, names in (("Explanation", ("score", "base_points")), ("Contribution", ("points",))):
            for name in names:
                del parts[scored]["properties"][name]
    schemas |= parts
    applicants = {"type": "array", "items": artifact.schema.json_schema, "minItems": 1}
    ids = {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH}
    bodies = [
        {"type": "object", "required": [name], "properties": {name: schema}, "additionalProperties": False}
        for name, schema in ((ENVELOPE, applicants), (RESERVED, ids))
    ]
    body = {"schema": {"oneOf": bodies}, "example": {ENVELOPE: [artifact.manifest.example]}}
    about = (
        "What each feature adds to the log-odds of the base rate, and the reasons for a decline: of applicants, or of "
        "a past decision by its application_id. Decides nothing, and is not recorded as a decision."
    )
    answer = {"application/json": {"schema": {"type": "array", "items": explanation}}}
    codes = {status: CODES[status] for status in (*PREDICT_ERRORS, 404)} | {409: OTHER_MODEL}
    return {
        "tags": tags,
        "operationId": "credit_scorer__explain",
        "description": about,
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {"200": {"description": "explanations, in the order asked", "content": answer}}
        | {str(status): _error_response(code) for status, code in codes.items()},
    }


def _feedback(tags: list[str], schemas: dict[str, Any]) -> dict[str, Any]:
    (received, sent), parts = msgspec.json.schema_components(
        [Received, SentOutcome], ref_template="#/components/schemas/{name}"
    )
    schemas |= parts
    outcomes = {"type": "array", "items": sent, "minItems": 1, "maxItems": MAX_OUTCOMES}
    body = {"type": "object", "required": [OUTCOMES], "properties": {OUTCOMES: outcomes}, "additionalProperties": False}
    example = {OUTCOMES: [{RESERVED: "A-1001", "event": True, "observed_at": "2026-11-25T12:00:00Z"}]}
    about = (
        "Whether the event happened to applicants that were scored. The newest observation of an applicant counts, in "
        "whatever order they arrive; the same again changes nothing."
    )
    codes = {status: CODES[status] for status in PREDICT_ERRORS} | {422: INVALID}
    return {
        "tags": tags,
        "operationId": "credit_scorer__feedback",
        "description": about,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body, "example": example}}},
        "responses": {
            "200": {"description": "what became of them", "content": {"application/json": {"schema": received}}}
        }
        | {str(status): _error_response(code) for status, code in codes.items()},
    }


def _page(tags: list[str], name: str, description: str, kinds: dict[str, dict[str, str]]) -> dict[str, Any]:
    content = {kind: {"schema": schema} for kind, schema in kinds.items()}
    answers = {"200": {"description": description, "content": content}}
    operation = {"tags": tags, "operationId": f"credit_scorer__{name}", "description": description}
    return {"get": operation | {"responses": answers}}


def _error_response(code: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": code, "content": {"application/json": {"schema": schema}}}
