"""The deployable bento: it carries its model, serves it from anywhere, and its bytes follow from its contents."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import httpx
import pytest
import yaml

from tests.conftest import ROOT, Server, apart
from tests.forks import SERVICE


def packing(*arguments, environment, cwd, root=ROOT):
    """`python -m deploy.packing …` of the project in `root`, run in `cwd`."""
    environment = environment | {"PYTHONPATH": str(root)}
    if root == ROOT:
        return SERVICE.run("deploy.packing", arguments, cwd, environment)
    return subprocess.run(
        [sys.executable, "-m", "deploy.packing", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def built(model_tag, environment, cwd, root=ROOT):
    """The tag and the archive of the bento of that model, built now."""
    done = packing("bento", model_tag, environment=environment, cwd=cwd, root=root)
    assert done.returncode == 0, done.stderr
    tag = done.stdout.splitlines()[-1]
    return tag, cwd / f"var/bentos/{tag.replace(':', '-')}.tar.gz"


def without_model(environment):
    return {name: value for name, value in environment.items() if name not in ("SCORER_MODEL", "PYTHONPATH")}


@pytest.fixture(scope="module")
def bento(trained, tmp_path_factory):
    """The environment of a store with a bento of the trained model in it, its tag, its archive, and an empty folder."""
    home = tmp_path_factory.mktemp("bento")
    environment = without_model(apart(trained, home))
    tag, archive = built(trained.tag, environment, home)
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    return environment, tag, archive, elsewhere


def served(environment, target, log, cwd):
    """The model that a service of `target` answers with."""
    server = Server(environment, log, target=target, cwd=cwd)
    try:
        example = httpx.get(f"{server.url}/model").json()["example"]
        answer = httpx.post(f"{server.url}/predict", json={"applicants": [example]})
        return answer.json()[0]["model"]
    finally:
        assert server.stop() == 0


def test_it_serves_the_model_it_was_built_with_whatever_the_environment_says(bento, trained, tmp_path):
    environment, _, _, elsewhere = bento
    wrong = environment | {"SCORER_MODEL": "german_credit:0000000000000000"}
    assert served(wrong, "credit_scorer:latest", tmp_path / "serve.log", elsewhere) == trained.tag
    assert not any(elsewhere.iterdir())


def test_exported_and_imported_into_an_empty_store_it_serves_there(bento, trained, tmp_path):
    environment, tag, _, elsewhere = bento
    empty = environment | {"BENTOML_HOME": str(tmp_path / "store"), "SCORER_DIRECTORY": str(tmp_path / "var")}
    exported = tmp_path / "exported.bento"
    for command, store in ((["export", tag, str(exported)], environment), (["import", str(exported)], empty)):
        assert SERVICE.run("bentoml", command, elsewhere, store).returncode == 0
    assert served(empty, tag, tmp_path / "serve.log", elsewhere) == trained.tag


def test_its_archive_can_be_imported_too(bento, tmp_path):
    environment, tag, archive, elsewhere = bento
    empty = environment | {"BENTOML_HOME": str(tmp_path / "store")}
    done = packing("import", str(archive), environment=empty, cwd=elsewhere)
    assert (done.returncode, done.stdout.strip()) == (0, tag), done.stderr
    model = yaml.safe_load((tmp_path / "store/bentos" / tag.replace(":", "/") / "bento.yaml").read_text())
    (name,) = [one["tag"] for service in model["services"] for one in service["models"]]
    assert (tmp_path / "store/models" / name.replace(":", "/") / "model.onnx").is_file()


def test_two_folders_two_stores_and_two_environments_give_the_same_bytes(bento, trained, tmp_path):
    _, tag, archive, _ = bento
    project, store = tmp_path / "another checkout", tmp_path / "another store"
    listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    for name in [*reversed(listed.splitlines()), "serving/v2/inference.binpb"]:
        if (ROOT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_bytes((ROOT / name).read_bytes())
    shutil.copytree(Path(trained.environment["BENTOML_HOME"]) / "models", store / "models")
    environment = without_model(trained.environment) | {
        "BENTOML_HOME": str(store),
        "SCORER_WORKERS": "7",
        "SCORER_TIMEOUT_S": "9",
        "TZ": "Asia/Tokyo",
        "PYTHONHASHSEED": "1",
    }
    before = os.umask(0o077)
    try:
        other_tag, other = built(trained.tag, environment, project, root=project)
    finally:
        os.umask(before)
    assert other_tag == tag
    assert hashlib.sha256(other.read_bytes()).digest() == hashlib.sha256(archive.read_bytes()).digest()


def test_a_bento_that_is_there_is_not_built_again(bento, trained):
    environment, tag, archive, elsewhere = bento
    before = archive.stat()
    done = packing("bento", trained.tag, environment=environment, cwd=elsewhere.parent)
    assert done.returncode == 0
    assert done.stdout == f"{tag}\n"
    assert "is there already" in done.stderr
    assert archive.stat() == before


@pytest.mark.parametrize("name", ["{}.tar.gz", "{}.provenance.json"])
def test_what_was_damaged_is_built_again(bento, trained, name):
    environment, tag, archive, elsewhere = bento
    before = archive.read_bytes()
    damaged = archive.with_name(name.format(archive.name.removesuffix(".tar.gz")))
    damaged.write_bytes(damaged.read_bytes()[:1000])
    done = packing("bento", trained.tag, environment=environment, cwd=elsewhere.parent)
    assert (done.returncode, done.stdout) == (0, f"{tag}\n"), done.stderr
    assert archive.read_bytes() == before


def test_what_a_killed_import_left_is_replaced(bento, trained, tmp_path):
    environment, tag, archive, _ = bento
    store = tmp_path / "store"
    shutil.copytree(Path(environment["BENTOML_HOME"]) / "models", store / "models")
    half = store / "bentos" / tag.replace(":", "/")
    half.mkdir(parents=True)
    with tarfile.open(archive) as members:
        (half / "bento.yaml").write_bytes(members.extractfile("bento.yaml").read())
    done = packing("import", str(archive), environment=environment | {"BENTOML_HOME": str(store)}, cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, tag), done.stderr
    assert (half / "src/service.py").is_file()


def test_half_a_model_is_replaced_and_a_missing_one_is_added_to_a_bento_that_is_there(bento, trained, tmp_path):
    environment, tag, archive, _ = bento
    empty = environment | {"BENTOML_HOME": str(tmp_path / "store")}
    model = tmp_path / "store/models" / trained.tag.replace(":", "/")
    assert packing("import", str(archive), environment=empty, cwd=tmp_path).returncode == 0
    whole = {path.name: path.read_bytes() for path in model.iterdir() if path.name != "model.yaml"}
    for name in ("model.onnx", "manifest.json"):
        (model / name).write_bytes(whole[name][:100])
    (model / "metrics.json").unlink()
    done = packing("import", str(archive), environment=empty, cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, tag), done.stderr
    assert {path.name: path.read_bytes() for path in model.iterdir() if path.name != "model.yaml"} == whole
    shutil.rmtree(tmp_path / "store/models")
    done = packing("import", str(archive), environment=empty, cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, tag), done.stderr
    assert {path.name: path.read_bytes() for path in model.iterdir() if path.name != "model.yaml"} == whole


def test_another_model_under_its_tag_is_not_taken_for_it(bento, trained, tmp_path):
    environment, _, archive, _ = bento
    empty = environment | {"BENTOML_HOME": str(tmp_path / "store")}
    assert packing("import", str(archive), environment=empty, cwd=tmp_path).returncode == 0
    file = tmp_path / "store/models" / trained.tag.replace(":", "/") / "model_card.md"
    file.write_text("another")
    done = packing("import", str(archive), environment=empty, cwd=tmp_path)
    assert done.returncode == 1
    assert f"to replace it: bentoml models delete {trained.tag}" in done.stderr
    assert file.read_text() == "another"


def test_a_changed_line_is_another_version(tmp_path, trained):
    from deploy.packing.bento.contents import Contents

    for name in ("bentofile.yaml", "requirements/serving.txt", "service.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    versions = [Contents.of(tmp_path, trained.tag, trained.folder).version]
    for name in ("bentofile.yaml", "requirements/serving.txt", "service.py"):
        with (tmp_path / name).open("a") as file:
            file.write("# changed\n")
        versions.append(Contents.of(tmp_path, trained.tag, trained.folder).version)
    versions.append(Contents.of(tmp_path, "german_credit:another", trained.folder).version)
    assert len(set(versions)) == 5
    assert Contents.of(tmp_path, "german_credit:another", trained.folder).version == versions[-1]


def test_it_carries_the_service_and_nothing_of_what_trains_of_the_data_or_of_a_secret(bento):
    _, _, archive, _ = bento
    with tarfile.open(archive) as members:
        files = {member.name: members.extractfile(member).read() for member in members if member.isfile()}
        facts = {(member.uid, member.gid, member.uname, member.gname, member.mtime) for member in members.getmembers()}
    assert facts == {(0, 0, "", "", 0)}
    assert list(files) == sorted(files)
    assert {name.split("/")[1] for name in files if name.startswith("src/")} == {
        "bentofile.yaml",
        "configs",
        "models",
        "monitoring",
        "service.py",
        "serving",
        "signatures",
    }
    assert {Path(name).suffix for name in files if name.startswith("src/")} == {".py", ".yaml", ".binpb", ".css", ".js"}
    assert not [name for name in files if name.endswith((".csv", ".parquet", ".pem", ".key", ".pyc"))]
    for name, content in files.items():
        assert b"PRIVATE KEY" not in content or name.endswith("/keys.py"), name
        for place in (str(ROOT), str(Path.home()), "/tmp"):
            assert place.encode() not in content or name.startswith("env/docker/"), f"{name}: {place}"


def test_its_requirements_are_the_pinned_list_and_name_nothing_of_training(bento):
    _, _, archive, _ = bento
    with tarfile.open(archive) as members:
        listed = members.extractfile("env/python/requirements.txt").read().decode()
        described = yaml.safe_load(members.extractfile("bento.yaml").read())
    assert listed == (ROOT / "requirements/serving.txt").read_text() == described["image"]["python_requirements"]
    pinned = [line for line in listed.splitlines() if line[:1].isalpha()]
    assert all("==" in line for line in pinned)
    names = {line.partition("==")[0] for line in pinned}
    assert "onnxruntime" in names
    assert not names & {"torch", "mlflow", "pandas", "scikit-learn", "dvc"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"nothing of the kind",
        lambda content: content[:5000] + bytes(64) + content[5064:],
        lambda content: b"",
    ],
)
def test_a_damaged_archive_is_refused_with_the_remedy(bento, tmp_path, damage):
    environment, _, archive, elsewhere = bento
    damaged = tmp_path / "damaged.tar.gz"
    damaged.write_bytes(damage(archive.read_bytes()))
    store = tmp_path / "store"
    done = packing("import", str(damaged), environment=environment | {"BENTOML_HOME": str(store)}, cwd=elsewhere)
    assert (done.returncode, done.stdout) == (1, "")
    assert str(damaged) in done.stderr
    assert "make bento" in done.stderr
    assert "Traceback" not in done.stderr
    assert not store.exists()


@pytest.mark.parametrize(
    ("tag", "said"), [("german_credit:0000000000000000", "run: make train"), ("german_credit", "<name>:<version>")]
)
def test_a_model_that_is_not_there_is_named_with_the_remedy(bento, tag, said):
    environment, _, _, elsewhere = bento
    done = packing("bento", tag, environment=environment, cwd=elsewhere)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert not any(elsewhere.iterdir())


def test_a_file_with_a_key_is_not_packed(trained, tmp_path):
    from deploy.packing.bento.contents import Contents
    from deploy.packing.errors import PackingError

    shutil.copy(ROOT / "bentofile.yaml", tmp_path)
    (tmp_path / "serving").mkdir()
    (tmp_path / "serving/key.py").write_text(f"KEY = '-----BEGIN {'PRIVATE'} KEY-----'\n")
    with pytest.raises(PackingError, match="holds a key"):
        Contents.of(tmp_path, trained.tag, trained.folder)


def test_without_a_champion_there_is_no_bento_of_it(trained, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "train", "tag", "--champion"],
        cwd=ROOT,
        env=trained.environment | {"BENTOML_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "make train" in done.stderr
    assert "promote" in done.stderr
