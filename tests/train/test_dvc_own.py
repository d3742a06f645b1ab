"""A table of one's own under DVC: experiments, gates, remotes and a new delivery."""

import csv
import json
import socket
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import digests
from tests.models.tables import write_hand_made
from tests.train.clones import STAGES, Clone, fresh, ran
from tests.train.small import LENIENT, SMALL, UNDRAWN
from train.fit import LOOKS

AFTER_SPLIT = STAGES[2:]
DELIVERED = "data/applications.csv"
MADE = "var/train/hand_made/small"
INPUTS = ("--dataset", "configs/datasets/hand_made.yaml", "--model", "configs/models/small.yaml")
APART = ("judgement", "model_card")  # by the store and the commit of the moment, so DVC does not keep them

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A small table of one's own, delivered by `dvc add`, and the four lines of dvc.yaml that are changed for it."""
    clone = fresh(tmp_path_factory.mktemp("own"))
    made = write_hand_made(clone.home)
    (clone.home / "applications (new).csv").rename(clone.folder / DELIVERED)
    text = made.read_text().replace("applications (new).csv", DELIVERED)
    (clone.folder / "configs/datasets/hand_made.yaml").write_text(text)
    (clone.folder / "configs/models/small.yaml").write_text(SMALL)
    (clone.folder / "configs/gates.yaml").write_text(LENIENT)
    clone.replace("dvc.yaml", "configs/datasets/german_credit.yaml", "configs/datasets/hand_made.yaml")
    clone.replace("dvc.yaml", "data/german_credit.csv", DELIVERED)
    clone.replace("dvc.yaml", "configs/models/001_production.yaml", "configs/models/small.yaml")
    clone.replace("dvc.yaml", "var/train/german_credit/001_production", MADE)
    clone.dvc("add", DELIVERED)
    assert clone.repro() == STAGES
    clone.commit()
    return clone


@pytest.fixture
def back(own):
    """`own`, put back to what was committed afterwards."""
    yield own
    own.run("git", "checkout", "--quiet", ".")
    own.dvc("checkout", "--force")


@pytest.fixture(scope="module")
def s3():
    """The address of an S3 server with the bucket `credit`."""
    from moto.server import ThreadedMotoServer  # a second, in which others need not wait

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    urllib.request.urlopen(urllib.request.Request(f"{address}/credit", method="PUT"), timeout=30).close()
    yield address
    server.stop()


def test_an_experiment_runs_what_a_training_parameter_changes_and_is_compared(back):
    shorter = ("--name", "shorter", "-S", "configs/models/small.yaml:training.steps=60")
    output = back.dvc("exp", "run", *shorter, **UNDRAWN)
    assert ran(output) == AFTER_SPLIT
    (metrics,) = json.loads(back.dvc("metrics", "diff", "--json")).values()
    found = metrics["test.log_loss"]
    assert found["old"] != found["new"]
    assert found["diff"] == pytest.approx(found["new"] - found["old"])
    table = list(csv.DictReader(back.dvc("exp", "show", "--csv", "--only-changed").splitlines()))
    (row,) = [row for row in table if row["Experiment"] == "shorter"]
    assert row["configs/models/small.yaml:training.steps"] == "60"
    assert float(row["test.log_loss"]) == found["new"]
    (losses,) = json.loads(back.dvc("plots", "diff", "--json"))["data"]["Learning curves"]
    points = losses["content"]["data"]["values"]
    lengths = {revision: len([p for p in points if p["rev"] == revision]) for revision in losses["revisions"]}
    assert lengths["HEAD"] == 2 * LOOKS
    assert 0 < lengths["workspace"] < 2 * LOOKS  # fewer steps than that
    back.run("git", "checkout", "--quiet", ".")
    assert back.repro() == []  # what was there comes out of the cache


def test_a_bound_of_the_gates_runs_the_gate_and_what_follows(back):
    back.replace("configs/gates.yaml", "least_approval_ratio: 0.0", "least_approval_ratio: 0.01")
    assert back.repro() == ["gate", "publish"]


def test_a_remark_in_a_config_runs_nothing_but_what_reads_its_text(back):
    path = back.folder / "configs/models/small.yaml"
    path.write_text(path.read_text() + "# a remark\n")
    assert back.repro() == []


def in_store(clone: Clone, tag: str) -> Path:
    """The folder of a model in the store of a clone."""
    return clone.home / "bentoml/models" / tag.replace(":", "/")


def test_stages_in_forks_make_the_model_that_one_started_process_makes_byte_for_byte(own, tmp_path):
    """In an empty store."""
    other = own.another(tmp_path / "other")
    (other.folder / DELIVERED).write_bytes((own.folder / DELIVERED).read_bytes())
    tag = other.run(sys.executable, "-m", "train", *INPUTS).stdout.strip()
    assert tag == json.loads((own.folder / MADE / "published.json").read_bytes())["tag"]
    assert digests(in_store(other, tag)) == digests(in_store(own, tag))


def outputs(clone: Clone) -> dict[str, bytes]:
    """The table and all that was made of it."""
    return clone.contents(DELIVERED, MADE)


def test_another_clone_pulls_data_and_results_over_http_and_a_delivery_follows(own, s3, tmp_path):
    own.dvc("remote", "add", "--default", "shared", "s3://credit/store")
    own.dvc("remote", "modify", "shared", "endpointurl", s3)
    own.commit()
    assert "files pushed" in own.dvc("push")
    assert "Everything is up to date." in own.dvc("push")
    kept = (own.folder / ".dvc/config").read_text()
    assert "secret" not in kept

    other = own.another(tmp_path / "other")
    assert outputs(other) == {}
    other.dvc("pull")
    assert "Data and pipelines are up to date." in other.dvc("status")
    made = {name: content for name, content in outputs(own).items() if Path(name).stem not in APART}
    assert outputs(other) == made
    assert len(made) > 20
    assert other.repro() == []
    tag = other.train("publish", *INPUTS).strip()
    assert tag == json.loads((other.folder / MADE / "published.json").read_bytes())["tag"]
    assert (in_store(other, tag) / "model.onnx").is_file()

    before = (own.folder / DELIVERED).read_bytes()
    after = before + before.splitlines(keepends=True)[-1]
    (own.folder / DELIVERED).unlink()  # DVC may have linked it to its cache
    (own.folder / DELIVERED).write_bytes(after)
    own.dvc("add", DELIVERED)
    own.commit()
    own.dvc("push", DELIVERED)
    other.run("git", "pull", "--quiet")
    other.dvc("pull", DELIVERED)
    assert (other.folder / DELIVERED).read_bytes() == after
    assert "check" in other.dvc("status")  # which would have to run now
    other.run("git", "checkout", "--quiet", "HEAD~1")
    other.dvc("checkout", DELIVERED)
    assert (other.folder / DELIVERED).read_bytes() == before


@pytest.mark.parametrize("command", ["push", "pull"])
def test_a_remote_that_does_not_answer_is_named_and_changes_nothing(own, tmp_path, command):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        other = own.another(tmp_path / "other")
        if command == "push":
            (other.folder / DELIVERED).write_bytes((own.folder / DELIVERED).read_bytes())
            other.dvc("commit", "--force", DELIVERED + ".dvc")
        (other.folder / ".dvc/config.local").write_text(
            "[core]\n    remote = shared\n"
            f"['remote \"shared\"']\n    url = s3://credit/store\n    endpointurl = {address}\n"
        )
        before = other.contents(".dvc/config", "data", "var")
        done = other.try_dvc(command, DELIVERED)
        assert done.returncode != 0
        assert f'Could not connect to the endpoint URL: "{address}' in done.stderr
        assert "Traceback" not in done.stderr
        assert other.contents(".dvc/config", "data", "var") == before
