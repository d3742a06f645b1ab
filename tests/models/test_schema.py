"""The compiled schema: what it tells others agrees with what the decoder does."""

import json
import re

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from models.errors import Rejected
from models.request import RequestDecoder
from models.schema import Schema, optional
from tests.models.applicants import body_of, broken_rows, good_rows, text_of

EACH = settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def validator(schema: Schema) -> Draft202012Validator:
    """JSON Schema as OpenAPI 3.0 writes it, where `nullable` lets null in, for a validator of 2020-12."""
    described = schema.json_schema
    properties = {
        name: {"anyOf": [rules, {"type": "null"}]} if rules.get("nullable") else rules
        for name, rules in described["properties"].items()
    }
    Draft202012Validator.check_schema(described)
    return Draft202012Validator(described | {"properties": properties})


@EACH
@given(data=st.data())
def test_json_schema_and_decoder_agree_on_every_applicant(schema, data):
    text = text_of(data.draw(good_rows(schema) | broken_rows(schema, doubled=False)))
    try:
        RequestDecoder(schema, 10).decode(body_of([text]))
        taken = True
    except Rejected:
        taken = False
    applicant = json.loads(text)
    is_json = all(not isinstance(value, float) or np.isfinite(value) for value in applicant.values())
    if is_json and not re.search("ud[89ac]00", text):  # JSON Schema cannot speak of infinities and half characters
        assert validator(schema).is_valid(applicant) == taken


def test_protected_features_are_no_inputs_and_the_order_is_the_files(schema):
    names = [feature.name for feature in schema.dataset.features]
    assert [feature.name for feature in schema.inputs] == [f.name for f in schema.dataset.features if not f.protected]
    assert list(schema.json_schema["properties"]) == [*names, "application_id"]
    assert schema.names == (*names, "application_id")
    assert set(schema.json_schema["required"]) == {f.name for f in schema.dataset.features if not optional(f)}


def test_rows_and_columns_give_the_graph_the_same_arrays(schema):
    decoder = RequestDecoder(schema, 10)
    full, bare = {}, {}
    for feature in schema.dataset.features:
        full[feature.name] = (
            feature.categories[-1] if feature.type == "categorical" else min(feature.highest, max(feature.lowest, 3))
        )
        if not optional(feature):
            bare[feature.name] = full[feature.name]
    rows = decoder.decode(json.dumps({"applicants": [full, bare]}).encode())
    by_rows = schema.feed(rows)
    by_columns = schema.feed_columns({name: [full[name], bare.get(name)] for name in full})
    assert set(by_rows) == {feature.name for feature in schema.inputs}
    for feature in schema.inputs:
        array = by_rows[feature.name]
        assert array.shape == (2, 1)
        assert array.dtype == (object if feature.type == "categorical" else np.float32)
        np.testing.assert_array_equal(array, by_columns[feature.name])
        if feature.nullable:
            assert array[1, 0] == "" if feature.type == "categorical" else np.isnan(array[1, 0])
