"""What goes to other machines: the model where it is not, settings and no secrets, and words about what differs."""

import os
import shutil
import subprocess

import msgspec
import pytest
from msgspec.structs import replace

from batch.engines import shipment
from batch.engines.address import check_reachable
from batch.engines.chatter import diverted
from batch.engines.engine import engine_of
from batch.engines.spark import check_java
from batch.errors import BatchError
from batch.job import Job, Part
from models.artifact import MANIFEST, Artifact, sha256
from tests.conftest import free_port


@pytest.fixture
def packed(policy_model, tmp_path, monkeypatch):
    """A shipment of a model whose folder is not on this machine any more."""
    folder = tmp_path / "gone"
    shutil.copytree(policy_model.folder, folder)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("SCORER_S3_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("SCORER_LOG_KEY", "secret")
    artifact = Artifact(folder, retrain="make train")
    example = artifact.manifest.example
    table = tmp_path / "t.csv"
    table.write_text(f"{','.join(example)}\n{','.join(map(str, example.values()))}\n")
    job = Job(
        model=artifact.tag,
        artifact=str(folder),
        digest=sha256((folder / MANIFEST).read_bytes()),
        kind="csv",
        columns=tuple(example),
        header=tuple(example),
        out=str(tmp_path / "out"),
        run="0" * 32,
        started_ms=0,
    )
    made = shipment.pack(job)
    shutil.rmtree(folder)
    size = table.stat().st_size
    start = table.read_bytes().index(b"\n") + 1
    return made, Part(number=0, path=str(table), first_row=0, rows=1, start=start, stop=size)


def test_a_machine_without_the_model_scores_with_the_one_that_was_sent(packed, tmp_path):
    sent, part = packed
    assert sent.settings == {"SCORER_S3_ENDPOINT": "http://127.0.0.1:9"}
    summary, error = shipment.attempt(sent, part)
    assert (summary and summary.rows, error) == (1, "")
    (copy,) = (tmp_path / f"credit-scorer-{os.getuid()}/models").iterdir()
    assert copy.name == sent.job.digest
    told = msgspec.json.encode(summary)
    assert shipment.summary_of(sent.job, told) == summary
    with pytest.raises(
        BatchError, match=r"wrote part-00000.parquet where this machine does not see it; give an --out on"
    ):
        shipment.summary_of(replace(sent.job, out=str(tmp_path / "disk of another machine")), told)
    other = sent._replace(job=replace(sent.job, digest="0" * 64, out=str(tmp_path / "other")))
    summary, error = shipment.attempt(other, part)
    assert summary is None
    assert "and not the" in error


def test_a_machine_with_other_packages_refuses_and_says_which(packed):
    sent, part = packed
    other = sent._replace(versions=sent.versions | {"onnxruntime": "0.1", "ray": "2"})
    summary, error = shipment.attempt(other, part)
    assert summary is None
    assert f"onnxruntime {sent.versions['onnxruntime']} and not 0.1, no ray (2 here); install there" in error


def test_code_that_is_sent_is_ours_without_bytecode(tmp_path):
    folder = shipment.code_folder(tmp_path)
    assert {path.name for path in folder.iterdir()} == {"batch", "configs", "models", "monitoring"}
    assert (folder / "configs/batch.yaml").is_file()
    assert not [*folder.rglob("*.pyc")]


@pytest.mark.parametrize(("name", "package"), [("ray", "ray"), ("spark", "pyspark")])
def test_an_engine_that_is_not_installed_is_told_with_what_makes_it(name, package):
    with pytest.raises(
        BatchError, match=rf"engine {name} needs the package {package}, .*; run: make score ENGINE={name}"
    ):
        engine_of(name, 1, "")


def test_nobody_at_an_address_is_told_with_how_to_start_one():
    port = free_port()
    with pytest.raises(
        BatchError, match=rf"--address spark://127.0.0.1:{port}: S does not answer .*; start it: make s"
    ):
        check_reachable(f"spark://127.0.0.1:{port}", "S", "make s")
    check_reachable("yarn", "S", "make s")


def test_java_that_is_missing_or_too_old_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(BatchError, match=r"no Java is at .*; Spark needs Java 17 or newer"):
        check_java()
    (tmp_path / "bin").mkdir()
    java = tmp_path / "bin/java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)
    with pytest.raises(BatchError, match=r"is Java 11; Spark needs Java 17 or newer"):
        check_java()


def test_what_a_program_says_while_it_starts_goes_to_the_log(tmp_path, capfd):
    log = tmp_path / "log"
    with diverted(log):
        subprocess.run(["sh", "-c", "echo chatter; echo noise >&2"], check=True)
    subprocess.run(["echo", "after"], check=True)
    assert log.read_text() == "chatter\nnoise\n"
    assert capfd.readouterr() == ("after\n", "")
