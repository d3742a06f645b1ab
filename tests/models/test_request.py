"""Bodies of requests: what is taken, what is refused, and what a caller hears of it."""

import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from configs.dataset import Costs, Dataset, Source, Target
from configs.feature import Feature
from models.errors import CODES, Fault, Rejected, Unready
from models.request import RequestDecoder
from models.schema import Schema
from models.validation import MAX_DETAILS
from tests.models.applicants import broken_bodies, good_bodies

MAX_ROWS = 10_000
EACH = settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="session")
def decoder(schema):
    """Decoder of the schema that the test is on."""
    return RequestDecoder(schema, MAX_ROWS)


def quick(decoder, body):
    """The rows that the quick reader takes, or None where it passes the body on."""
    try:
        rows = decoder._decoder.decode(body).applicants
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    agreed = 0 < len(rows) <= decoder.max_rows and body.count(b'"') == decoder._expected_quotes(rows)
    return rows if agreed else None


def refusal(decoder, body):
    """The error that a body gives, as a caller sees it: status and the content of `error`."""
    with pytest.raises(Rejected) as caught:
        decoder.decode(body)
    answer = json.loads(caught.value.body(), parse_constant=pytest.fail)
    assert list(answer) == ["error"]
    error = answer["error"]
    assert set(error) - {"details"} == {"code", "message"}
    assert error["message"]
    for detail in error.get("details", []):
        assert set(detail) == {"row", "field", "value", "message"}
        assert detail["message"]
    assert len(error.get("details", [])) <= MAX_DETAILS
    return caught.value.status, error


def values(rows):
    """Rows as dicts, without the ids that are made up for each reading anew."""
    return [{key: value for key, value in msgspec.to_builtins(row).items() if key != "application_id"} for row in rows]


@EACH
@given(data=st.data())
def test_both_readers_take_a_good_body_and_read_the_same(schema, decoder, data):
    body = data.draw(good_bodies(schema))
    sent = json.loads(body)["applicants"]
    rows = decoder.decode(body)
    assert values(rows) == [{k: v for k, v in row.items() if k != "application_id"} for row in sent]
    assert values(decoder._explain(body)) == values(rows)
    assert [row.application_id for row in rows if row.application_id in {s.get("application_id") for s in sent}] == [
        s["application_id"] for s in sent if s.get("application_id") is not None
    ]
    quickly = quick(decoder, body)
    assert quickly is not None or b'\\"' in body  # only an escaped quote costs a second reading
    assert quickly is None or values(quickly) == values(rows)


@EACH
@given(data=st.data())
def test_both_readers_refuse_a_broken_body_and_say_why(schema, decoder, data):
    body = data.draw(broken_bodies(schema))
    assert quick(decoder, body) is None
    status, error = refusal(decoder, body)
    assert status in (400, 422)
    assert error["code"] in ("invalid_json", "invalid_envelope") if status == 400 else error["details"]


@EACH
@given(body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_noise_is_refused(decoder, body):
    assert refusal(decoder, body)[0] == 400


# What follows is on German Credit's first row, or on a schema made for the case.


@pytest.fixture(scope="session")
def german(german_applicants):
    """Decoder of German Credit, and a good applicant."""
    from tests.models.tables import german_credit

    return RequestDecoder(Schema(german_credit()), MAX_ROWS), german_applicants[0]


@pytest.fixture
def refused(german):
    """`refused(field="value as JSON text")`: status and error; None leaves the field out."""
    decoder, applicant = german

    def refuse(rows=1, **changes):
        texts = {name: json.dumps(value) for name, value in applicant.items()} | changes
        row = ",".join(f'"{name}":{text}' for name, text in texts.items() if text is not None)
        return refusal(decoder, ('{"applicants":[' + ",".join(["{" + row + "}"] * rows) + "]}").encode())

    return refuse


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"{'applicants': []}", "invalid_json"),
        (b'{"applicants": [{}],}', "invalid_json"),
        (b'{"applicants": [{"purpose": "\xff"}]}', "invalid_json"),
        (b'\xff\xfe{\x00"\x00', "invalid_json"),
        (b'{"applicants": [{"purpose": "\x00"}]}', "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b'{"applicants":' + b"[" * 100_000, "invalid_json"),
        (b'{"applicants": [' + b'{"a":' * 100_000, "invalid_json"),
        (b"null", "invalid_envelope"),
        (b"1e400", "invalid_envelope"),
        (b"NaN", "invalid_envelope"),
        (b"[]", "invalid_envelope"),
        (b"{}", "invalid_envelope"),
        (b'{"applicants": {}}', "invalid_envelope"),
        (b'{"applicants": null}', "invalid_envelope"),
        (b'{"applicants": [{}], "more": 1}', "invalid_envelope"),
        (b'{"applicants": [], "applicants": [{}]}', "invalid_envelope"),
        (b'{"instances": [{}]}', "invalid_envelope"),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else "",
)
def test_what_is_no_json_or_no_envelope_is_a_400(german, body, code):
    status, error = refusal(german[0], body)
    assert (status, error["code"]) == (400, code)


def test_json_that_is_broken_is_told_line_and_column(german):
    assert "line 2, column 3" in refusal(german[0], b'{"applicants":\n [}')[1]["message"]


@pytest.mark.parametrize(
    ("field", "text", "shown", "message"),
    [
        ("age_years", "-3", -3, "must be at least 18"),
        ("age_years", "121", 121, "must be at most 120"),
        ("age_years", "18.5", 18.5, "must be a whole number"),
        ("age_years", '"40"', "40", "must be a number"),
        ("age_years", "true", True, "must be a number"),
        ("age_years", "null", None, "must not be null"),
        ("age_years", "NaN", "NaN", "must be finite"),
        ("credit_amount", "Infinity", "Infinity", "must be finite"),
        ("credit_amount", "-Infinity", "-Infinity", "must be finite"),
        ("credit_amount", "1e400", "Infinity", "must be finite"),
        ("credit_amount", "-1e400", "-Infinity", "must be finite"),
        ("credit_amount", "1e300", 1e300, "must be at most 50000"),
        ("credit_amount", "9" * 5000, "Infinity", "must be finite"),
        ("credit_amount", "[]", "a list", "must be a number"),
        ("credit_amount", "{}", "an object", "must be a number"),
        ("credit_amount", None, None, "is missing"),
        ("housing", '"castle"', "castle", "must be one of: rent, own, free"),
        ("housing", '"Own"', "Own", "must be one of: rent, own, free; it differs from 'own' in case"),
        ("housing", '""', "", "must be one of: rent, own, free"),
        ("housing", '"\\ud800"', "\N{REPLACEMENT CHARACTER}", "must be one of: rent, own, free"),
        ("housing", "7", 7, "must be text"),
        ("housing", "null", None, "must not be null"),
        ("housing", None, None, "is missing"),
        ("housng", '"own"', "own", "unknown field; did you mean housing?"),
        ("qqqq", '"own"', "own", "unknown field"),
        ("application_id", '""', "", "must be text of 1 to 64 characters"),
        ("application_id", "7", 7, "must be text of 1 to 64 characters"),
        ("application_id", '"' + "x" * 65 + '"', "x" * 63 + "…", "must be text of 1 to 64 characters"),
        ("application_id", '"a\\udc00"', "a\N{REPLACEMENT CHARACTER}", "must be text of 1 to 64 characters"),
    ],
)
def test_one_wrong_value_is_told_with_row_field_value_and_what_is_allowed(refused, field, text, shown, message):
    status, error = refused(**{field: text})
    assert (status, error["code"]) == (422, "invalid_applicant")
    assert error["details"] == [{"row": 0, "field": field, "value": shown, "message": message}]


def test_a_name_of_any_length_is_compared_with_those_of_the_schema_only_if_it_is_short(german):
    """Comparing takes as long as the name is, and a worker answers nobody meanwhile."""
    from tests.models.tables import german_credit

    dataset = german_credit()
    age = next(feature for feature in dataset.features if feature.name == "age_years")
    long = msgspec.structs.replace(age, name="x" * 63)
    decoder = RequestDecoder(Schema(msgspec.structs.replace(dataset, features=(*dataset.features, long))), MAX_ROWS)
    row = german[1] | {long.name: 30} | {"x" * 64: 1, "x" * 65: 1, "x" * 700_000: 1}
    status, error = refusal(decoder, json.dumps({"applicants": [row]}).encode())
    assert status == 422
    hint = f"; did you mean {long.name}?"
    assert [detail["message"] for detail in error["details"]] == [f"unknown field{more}" for more in (hint, "", "")]


@pytest.mark.parametrize("digits", [309, 400, 4000, 4299, 4300, 4301])
@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_of_any_length_is_refused_as_a_number(refused, digits, sign):
    status, error = refused(credit_amount=sign + "9" * digits)
    assert status == 422
    assert [detail["field"] for detail in error["details"]] == ["credit_amount"]
    assert len(json.dumps(error)) < 500


def test_a_doubled_key_is_refused_even_where_both_values_are_good(german):
    decoder, applicant = german
    row = json.dumps(applicant)[:-1] + ', "housing": "own"}'
    status, error = refusal(decoder, f'{{"applicants":[{row}]}}'.encode())
    assert status == 422
    assert [(d["field"], d["message"]) for d in error["details"]] == [("housing", "is given twice")]


def test_all_faults_of_all_rows_are_told_at_once(german):
    decoder, applicant = german
    bad = {**applicant, "age_years": 3, "housing": "castle", "moustache": "yes"}
    del bad["purpose"]
    _, error = refusal(decoder, json.dumps({"applicants": [applicant, bad, 7, applicant, bad]}).encode())
    told = [(detail["row"], detail["field"]) for detail in error["details"]]
    four = ("moustache", "purpose", "age_years", "housing")
    assert sorted(told, key=str) == sorted(
        [(1, name) for name in four] + [(2, None)] + [(4, name) for name in four], key=str
    )


def test_twenty_faults_are_told_and_no_more(refused):
    _, error = refused(rows=100, age_years="3", housing='"castle"', purpose="null")
    assert len(error["details"]) == 20
    assert [detail["row"] for detail in error["details"]] == [row for row in range(7) for _ in range(3)][:20]


def test_an_empty_list_is_refused(german):
    status, error = refusal(german[0], b'{"applicants": []}')
    assert (status, error["details"][0]["field"]) == (422, "applicants")


@pytest.mark.parametrize(("rows", "status"), [(MAX_ROWS, None), (MAX_ROWS + 1, 413)])
def test_the_row_limit_is_where_it_is_said_to_be(german, rows, status):
    decoder, applicant = german
    body = json.dumps({"applicants": [applicant] * rows}).encode()
    if status is None:
        assert len(decoder.decode(body)) == rows
        return
    found, error = refusal(decoder, body)
    assert (found, error["code"]) == (413, "too_large")
    assert "10001" in error["message"]
    assert "10000" in error["message"]


def test_too_many_rows_are_too_many_whatever_is_in_them(german):
    assert refusal(german[0], b'{"applicants": [' + b"7," * MAX_ROWS + b"7]}")[0] == 413


@pytest.mark.timeout(15)
def test_a_body_full_of_keys_is_refused_and_does_not_hold_the_service_up(german):
    # Anything quadratic in the keys takes minutes here; reading them takes half a second.
    keys = ",".join(f'"duration_month{number}":1' for number in range(60_000))
    for body in (f'{{"applicants":[{{{keys}}}]}}', f'{{"applicants":[{{{keys},"duration_month0":1}}]}}'):
        status, error = refusal(german[0], body.encode())
        assert status == 422
        assert len(error["details"]) == MAX_DETAILS


def test_six_point_zero_is_a_whole_number(german):
    decoder, applicant = german
    body = json.dumps({"applicants": [{**applicant, "duration_months": 6.0}]}).encode()
    rows = decoder.decode(body)
    assert rows == decoder.decode(
        body.replace(b"6.0", b"6").replace(b"}]", f',"application_id":"{rows[0].application_id}"}}]'.encode())
    )
    assert quick(decoder, body) is not None


def test_protected_features_may_be_absent_and_null_is_not_absent(german, refused):
    decoder, applicant = german
    bare = {name: value for name, value in applicant.items() if name not in ("age_years", "foreign_worker")}
    (row,) = decoder.decode(json.dumps({"applicants": [bare]}).encode())
    assert "age_years" not in msgspec.to_builtins(row)
    assert refused(age_years="null")[0] == 422


def test_a_null_or_absent_application_id_is_made_up_and_a_given_one_is_kept(german):
    decoder, applicant = german
    sent = [applicant, {**applicant, "application_id": None}, {**applicant, "application_id": "Ä 1"}]
    rows = decoder.decode(json.dumps({"applicants": sent}).encode())
    first, second, third = (row.application_id for row in rows)
    assert third == "Ä 1"
    assert UNSET not in (first, second)
    assert len({first, second}) == 2
    assert len(first) == 36


@pytest.mark.parametrize("whole", [2**53, 2**53 + 1, -(2**53) - 1, 2**53 + 2, 2**60, 2**60 + 1, 2**64, 2**70])
@pytest.mark.parametrize("kind", ["integer", "number"])
def test_the_readers_agree_at_the_edge_of_what_a_double_can_tell(kind, whole):
    features = (Feature(name="x", type=kind, maximum=2.0**53 if kind == "integer" else 2.0**60),)
    dataset = Dataset(
        name="edge",
        source=Source(path="-"),
        target=Target(column="y", event="1"),
        costs=Costs(missed_event=1, false_alarm=1),
        features=features,
    )
    decoder = RequestDecoder(Schema(dataset), 10)
    body = b'{"applicants":[{"x":%d}]}' % whole
    try:
        decoder._explain(body)
    except Rejected:
        assert quick(decoder, body) is None
    else:
        assert quick(decoder, body) is not None


def test_every_error_speaks_the_contracts_shape():
    for error in (Rejected(status, "a reason") for status in CODES):
        assert json.loads(error.body()) == {"error": {"code": CODES[error.status], "message": "a reason"}}
    assert (Unready("later").status, Unready("later").code) == (503, "unavailable")
    assert "1f" in json.loads(Fault("1f").body())["error"]["message"]
