"""An archive that came from elsewhere: its names become folders of the store, so they are looked at first."""

import io
import tarfile

import pytest
import yaml

from tests.deploy.packing.conftest import packing

GOOD = {
    "name": "credit_scorer",
    "version": "1f",
    "args": {"model": "loans:1f"},
    "services": [{"models": [{"tag": "loans:1f"}]}],
}


def archive_of(folder, description, **files):
    """An archive of a bento with this bento.yaml."""
    path = folder / "bento.tar.gz"
    contents = {"bento.yaml": description, "models/loans/1f/model.yaml": b"", **files}
    with tarfile.open(path, "w:gz") as members:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            members.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": ""}, "is no bento of credit_scorer"),
        ({"version": "{store}/bentos/other"}, "is no bento of credit_scorer"),
        ({"version": "../other"}, "is no bento of credit_scorer"),
        ({"name": "../models"}, "is no bento of credit_scorer"),
        ({"name": "another"}, "is no bento of credit_scorer"),
        ({"services": [{"models": [{"tag": "../..:x"}]}]}, "is no bento of credit_scorer"),
        ({"services": []}, "carries no model"),
        ({"services": None}, "its bento.yaml is damaged"),
        ({"services": [{"models": [{"tag": "loans:1f"}, {"tag": "loans:2f"}]}]}, "lacks the model loans:2f"),
        ({"args": {"model": "loans:2f"}}, "serves the model 'loans:2f', and carries loans:1f"),
        ({"args": {}}, "its bento.yaml is damaged"),
    ],
)
def test_an_archive_that_names_what_it_may_not_is_refused_and_touches_nothing(tmp_path, change, said):
    store = tmp_path / "store"
    for name in ("bentos/credit_scorer/1f", "bentos/other", "models/loans/1f"):
        (store / name).mkdir(parents=True)
        (store / name / "here").touch()
    before = sorted(store.rglob("*"))
    description = yaml.safe_dump(GOOD | change).replace("{store}", str(store))
    archive = archive_of(tmp_path, description.encode())
    done = packing("import", archive, environment={"BENTOML_HOME": str(store), "PATH": "/usr/bin"}, cwd=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(store.rglob("*")) == before


def test_a_model_that_is_not_named_is_not_brought_along(tmp_path):
    archive = archive_of(tmp_path, yaml.safe_dump(GOOD).encode(), **{"models/loans/2f/model.yaml": b""})
    environment = {"BENTOML_HOME": str(tmp_path / "store"), "PATH": "/usr/bin"}
    done = packing("import", archive, environment=environment, cwd=tmp_path)
    assert done.returncode == 1
    assert "carries models that it does not name (loans:2f)" in done.stderr
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("description", [b"a: [", b"\xff\xfe", b"- a list"])
def test_a_damaged_description_is_named_with_the_remedy(tmp_path, description):
    archive = archive_of(tmp_path, description)
    done = packing("import", archive, environment={"BENTOML_HOME": str(tmp_path), "PATH": "/usr/bin"}, cwd=tmp_path)
    assert done.returncode == 1
    assert "its bento.yaml is damaged" in done.stderr
    assert "make bento" in done.stderr


def test_another_bento_under_the_same_tag_is_kept(tmp_path):
    stored = tmp_path / "store/bentos/credit_scorer/1f"
    stored.mkdir(parents=True)
    (stored / "bento.yaml").write_bytes(b"name: of another build")
    archive = archive_of(tmp_path, yaml.safe_dump(GOOD).encode())
    environment = {"BENTOML_HOME": str(tmp_path / "store"), "PATH": "/usr/bin"}
    done = packing("import", archive, environment=environment, cwd=tmp_path)
    assert done.returncode == 1
    assert "to replace it: bentoml delete credit_scorer:1f" in done.stderr
    assert (stored / "bento.yaml").read_bytes() == b"name: of another build"
