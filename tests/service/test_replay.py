"""Past decisions scored again by the version that made them."""

import base64
import json
import os
import shutil
from pathlib import Path

import httpx
import pytest
import tritonclient.grpc as triton

from monitoring.records.lines import framed, unframed
from monitoring.records.segments import archives, segments
from tests.conftest import ROOT, Server, apart
from tests.forks import SERVICE
from tests.service.tensors import inputs

KEY = base64.b64encode(bytes(32)).decode()


@pytest.fixture(scope="module", params=["plain", "encrypted"])
def logged(request, trained, tmp_path_factory, german_applicants):
    """The environment of a service that has scored 335 rows, in large and small requests, and has ended."""
    home = tmp_path_factory.mktemp(request.param)
    environment = apart(trained, home) | ({"SCORER_LOG_KEY": KEY} if request.param == "encrypted" else {})
    server = Server(environment, home / "serve.log")
    asked = [applicant | {"application_id": f"private-{i}"} for i, applicant in enumerate(german_applicants[:335])]
    with httpx.Client(base_url=server.url, timeout=60) as client:
        client.post("/predict", json={"applicants": asked[:300]}).raise_for_status()
        for applicant in asked[300:330]:
            client.post("/predict", json={"applicants": [applicant]}).raise_for_status()
    with triton.InferenceServerClient(server.grpc) as client:
        client.infer(trained.tag.split(":")[0], inputs(triton, asked[330:]))
    server.stop()
    return environment


@pytest.fixture
def records(logged, tmp_path):
    """A copy of it that a test may change."""
    shutil.copytree(logged["SCORER_DIRECTORY"], tmp_path / "var")
    return logged | {"SCORER_DIRECTORY": str(tmp_path / "var")}


def run(environment, *arguments, read=""):
    return SERVICE.run("monitoring", arguments, ROOT, os.environ | environment, read)


def replayed(environment, *arguments, code=0, read=""):
    done = run(environment, "replay", "--json", *arguments, read=read)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout), done.stderr


def result(number, **more):
    return {"replayed": number, "equal": number, "different": [], "erased": 0, "gone": []} | more


def test_every_decision_comes_out_as_it_was_logged_archived_or_not(records):
    assert replayed(records) == (result(335), "")
    assert run(records, "catch-up").returncode == 0
    assert run(records, "compact").returncode == 0
    directory = Path(records["SCORER_DIRECTORY"])
    assert archives(directory)
    assert not segments(directory)
    assert replayed(records) == (result(335), "")


def test_some_are_chosen_by_id_by_time_and_by_chance(logged):
    assert replayed(logged, "--application-id", "private-7")[0] == result(1)
    assert replayed(logged, "--application-id", "-", read="private-7\n")[0] == result(1)
    assert replayed(logged, "--sample", "10")[0] == result(10)
    assert replayed(logged, "--sample", "1000", "--since", "2026-01-01")[0] == result(335)
    assert replayed(logged, "--until", "2026-01-01")[0] == result(0)
    _, said = replayed(logged, "--application-id", "private-nobody", code=1)
    assert said == "the decision log has no such application_id; it may have been erased\n"
    assert run(logged, "replay").stdout == "replayed 335: 335 equal, 0 different\n"


@pytest.mark.parametrize("wrong", [("--since", "soon"), ("--sample", "0"), ("--sample", "-1"), ("--until", "")])
def test_a_wrong_argument_is_told(logged, wrong):
    done = run(logged, "replay", *wrong)
    assert done.returncode == 2
    assert wrong[0] in done.stderr


def forged(directory, application_id, change):
    """Change one row of a plain log, with a right checksum."""
    for segment in segments(directory):
        lines = segment.read_bytes().splitlines(keepends=True)
        for number, line in enumerate(lines):
            batch = json.loads(unframed(line) or b"{}")
            for index, row in enumerate(batch.get("rows", [])):
                if application_id in row[2]:
                    change(batch, index)
                    lines[number] = framed(json.dumps(batch).encode())
        segment.write_bytes(b"".join(lines))


@pytest.mark.parametrize("logged", ["plain"], indirect=True)  # an encrypted line cannot be changed without its key
def test_a_record_that_was_changed_is_told_with_what_it_should_be(records):
    directory = Path(records["SCORER_DIRECTORY"])

    def probability(batch, index):
        batch["decided"][index][2] += 2**-30

    def decision(batch, index):
        batch["decided"][index][3] = "approve" if batch["decided"][index][3] == "decline" else "decline"

    def value(batch, index):
        batch["rows"][index][2][batch["fields"].index("housing")] = "castle"

    for known, change in (("private-1", probability), ("private-305", decision), ("private-9", value)):
        forged(directory, known, change)
    found, _ = replayed(records, code=3)
    assert (found["replayed"], found["equal"]) == (335, 332)
    first, second, third = found["different"]
    assert first["application_id"] == "private-1"
    assert first["logged"]["probability"] == first["now"]["probability"] + 2**-30
    assert (second["application_id"], third["application_id"]) == ("private-9", "private-305")
    assert second["now"] is None
    assert {third["logged"]["decision"], third["now"]["decision"]} == {"approve", "decline"}
    said = run(records, "replay").stdout
    assert said.startswith("replayed 335: 332 equal, 3 different\n")
    assert '"private-9"' in said
    assert "refuses the logged values" in said


def test_erased_rows_are_counted_as_such(records):
    assert run(records, "erase", "private-7").stdout == "erased 1 row\n"
    assert replayed(records)[0] == result(334, erased=1)
    assert run(records, "replay").stdout.endswith("erased 1, which cannot be replayed\n")


def test_a_version_is_found_without_the_store_and_one_that_is_gone_is_told_by_name(records, trained, tmp_path):
    without_store = records | {"BENTOML_HOME": str(tmp_path / "no store")}
    assert replayed(without_store)[0] == result(335)
    shutil.rmtree(tmp_path / "var/models")
    assert replayed(records)[0] == result(335), "the store has it"
    found, said = replayed(without_store, code=1)
    assert found == result(0, gone=[{"model": trained.tag, "rows": 335, "why": found["gone"][0]["why"]}])
    assert said.startswith(f"not replayed, 335 rows: {trained.tag} is neither in ")


def test_each_decision_is_replayed_by_its_own_version(records, trained, tmp_path, german_applicants):
    """The other version has the same network and another threshold: it declines nobody."""
    home = tmp_path / "bentoml"
    name, version = trained.tag.split(":")
    shutil.copytree(trained.folder, home / "models" / name / "lenient")
    changed(home / "models" / name / "lenient")
    environment = records | {"BENTOML_HOME": str(home), "SCORER_MODEL": f"{name}:lenient"}
    server = Server(environment, tmp_path / "serve.log")
    body = {"applicants": german_applicants[:20]}
    answered = httpx.post(f"{server.url}/predict", json=body, timeout=60).json()
    server.stop()
    assert {one["decision"] for one in answered} == {"approve"}
    assert replayed(environment)[0] == result(355)
    shutil.rmtree(tmp_path / "var/models" / name / version)
    found, _ = replayed(environment, code=1)
    assert (found["replayed"], found["equal"]) == (20, 20)
    assert [(one["model"], one["rows"]) for one in found["gone"]] == [(trained.tag, 335)]


def changed(folder):
    """Give an artifact another version and other costs."""
    from models.artifact import sha256

    dataset, manifest = (json.loads((folder / f"{name}.json").read_bytes()) for name in ("dataset", "manifest"))
    dataset["costs"] = {"missed_event": 1, "false_alarm": 1_000_000}
    (folder / "dataset.json").write_text(json.dumps(dataset))
    manifest["version"] = "lenient"
    manifest["sha256"]["dataset.json"] = sha256((folder / "dataset.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps(manifest))
