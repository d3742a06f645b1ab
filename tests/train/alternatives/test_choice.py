"""A person's choice of an alternative: who may, what is recorded, and what the card says of it."""

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from configs.model import ModelConfig, Training, read_model
from models.artifact import sha256
from tests.conftest import ROOT
from tests.models.tables import write_hand_made
from train.alternatives import record
from train.alternatives.choice import choose
from train.alternatives.results import Option, Ratio, Search
from train.alternatives.search import FILE
from train.alternatives.section import NONE, section
from train.errors import PipelineError
from train.evaluation.estimate import Estimate
from train.publishing.approval import Decision, decision
from train.version import data_sha256, evidence_settings
from train.workspace import Workspace

ANA = Decision("Ana Example", "as cheap, and it approves the young more alike")
EVEN = Estimate(0.0, 0.0, 0.0)


def option(name, what, **changes):
    ratio = Ratio("alter", Estimate(0.7, 0.6, 0.8), EVEN)
    made = Option(name, what, ModelConfig(), (), 0.25, 0.5, 0.5, EVEN, [ratio])
    return msgspec.structs.replace(made, **changes)


OPTIONS = [
    option("a00", "as it is"),
    option("a01", "seed 1", config=ModelConfig(training=Training(seed=1)), frontier=True),
    option("a02", "without children, threshold 0.2000", dropped=("children",), threshold=0.2, frontier=True),
    option("a03", "beaten"),
]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A workspace with a search, and an empty store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bentoml"))
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    (tmp_path / "small.yaml").write_text("{}\n")
    made = Workspace(write_hand_made(tmp_path), tmp_path / "small.yaml", ROOT / "configs/gates.yaml")
    settings = evidence_settings(made.dataset, made.config, made.baseline, made.gates)
    made.write_json(FILE, Search(settings, data_sha256(made.dataset), 192, 5, 2, 0.9, 0.05, OPTIONS))
    return made


def test_a_choice_records_who_chose_what_when_and_why_and_what_was_declined(workspace, tmp_path):
    said = choose(workspace, "a01", ANA, tmp_path / "chosen.yaml")
    (found,) = record.choices("hand_made")
    assert (found.stated.by, found.stated.why) == (ANA.by, ANA.why)
    assert found.stated.chosen == record.Weighed("a01", "seed 1", 0.5, {"alter": 0.7})
    assert [one.name for one in found.stated.declined] == ["a00", "a02"]
    assert found.stated.looked_at == 4
    assert found.sha256 == sha256(workspace.path(FILE).read_bytes())
    assert found.stated.at.startswith("20")
    assert "alternatives.history" in said[0]
    assert said[-1].endswith(f"MODEL={tmp_path / 'chosen.yaml'}")
    assert read_model(tmp_path / "chosen.yaml").training.seed == 1
    assert ANA.by in (tmp_path / "chosen.yaml").read_text()


def test_what_is_left_to_do_is_said_where_features_are_dropped_or_the_threshold_is_another(workspace, tmp_path):
    _, features, costs, train = choose(workspace, "a02", ANA, tmp_path / "chosen.yaml")
    assert "remove from" in features
    assert features.endswith("the features children")
    assert "missed_event: 4 and false_alarm: 1" in costs
    assert train.startswith("train it")


def test_a_threshold_that_was_written_with_few_digits_needs_no_other_costs(workspace, tmp_path):
    search = workspace.read_json(FILE, Search)
    written = [*search.options[:1], msgspec.structs.replace(search.options[1], threshold=0.250001)]
    workspace.write_json(FILE, msgspec.structs.replace(search, options=written))
    _, train = choose(workspace, "a01", ANA, tmp_path / "chosen.yaml")
    assert train.startswith("train it")


def test_the_model_as_it_is_may_be_chosen_and_declines_every_alternative(workspace, tmp_path):
    assert len(choose(workspace, "a00", ANA, tmp_path / "chosen.yaml")) == 1
    assert [one.name for one in record.choices("hand_made")[0].stated.declined] == ["a01", "a02"]
    assert not (tmp_path / "chosen.yaml").exists()


@pytest.mark.parametrize("name", ["a03", "a99"])
def test_what_was_not_offered_cannot_be_chosen(workspace, tmp_path, name):
    with pytest.raises(PipelineError, match=f"{name} was not offered; choose one of: a00, a01, a02"):
        choose(workspace, name, ANA, tmp_path / "chosen.yaml")
    assert record.choices("hand_made") == []


def test_a_search_about_other_settings_or_none_is_refused(workspace, tmp_path):
    workspace.model_path.write_text("training: {steps: 7}\n")
    other = Workspace(workspace.dataset_path, workspace.model_path, workspace.gates_path)
    with pytest.raises(PipelineError, match="about other settings or another table"):
        choose(other, "a01", ANA, tmp_path / "chosen.yaml")
    workspace.discard(FILE)
    with pytest.raises(PipelineError, match="there is no search"):
        choose(workspace, "a01", ANA, tmp_path / "chosen.yaml")


def test_a_record_that_was_changed_is_refused(workspace, tmp_path):
    for name in ("a01", "a02"):
        choose(workspace, name, ANA, tmp_path / "chosen.yaml")
    file = tmp_path / "bentoml/models/hand_made" / record.CHAIN.name
    file.write_bytes(file.read_bytes().split(b"\n", 1)[1])
    with pytest.raises(PipelineError, match="line 1: does not follow the line before"):
        record.choices("hand_made")


@pytest.fixture
def keys(tmp_path):
    """Ana's private key, and the approvers of the gates."""
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "ana.pub").write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
    return key, {ANA.by: str(tmp_path / "ana.pub")}


def test_where_approvers_have_keys_a_choice_is_signed_by_who_is_named(workspace, tmp_path, keys):
    key, approvers = keys
    with pytest.raises(PipelineError, match="not an approver"):
        decision("Bo", "why", approvers, key)
    choose(workspace, "a01", decision("", ANA.why, approvers, key), tmp_path / "chosen.yaml")
    (line,) = record.lines(record.choices("hand_made"), approvers)
    assert "choose    a01 (seed 1)  by Ana Example" in line
    assert "signed by who is named; declined a00 (as it is), a02" in line


def test_a_choice_that_names_an_approver_who_has_not_signed_it_is_refused(workspace, tmp_path, keys):
    choose(workspace, "a01", ANA, tmp_path / "chosen.yaml")
    found = record.choices("hand_made")
    assert "[not signed;" in record.lines(found, [])[0]
    with pytest.raises(PipelineError, match="names 'Ana Example', who has not signed it; choose again"):
        record.lines(found, keys[1])
    assert "not signed by who is named" in section(workspace.dataset, workspace.config, found, keys[1])


def test_the_card_says_what_was_chosen_and_whether_it_is_this_model(workspace, tmp_path):
    dataset, config = workspace.dataset, workspace.config
    assert section(dataset, config, [], []) == NONE
    choose(workspace, "a00", ANA, tmp_path / "chosen.yaml")
    said = section(dataset, config, record.choices("hand_made"), [])
    assert "Ana Example chose a00, as it is, from 3 models that a search among 4 options offered" in said
    assert ANA.why in said
    assert "This model is the one chosen." in said
    assert "| declined | a02 | without children, threshold 0.2000 | 0.500 | 0.700 |" in said
    choose(workspace, "a02", ANA, tmp_path / "chosen.yaml")
    found = record.choices("hand_made")
    assert "This model is not the one chosen." in section(dataset, config, found, [])
    left = tuple(feature for feature in dataset.features if feature.name != "children")
    costs = msgspec.structs.replace(dataset.costs, missed_event=4)
    assert "is the one chosen" in section(
        msgspec.structs.replace(dataset, features=left, costs=costs), config, found, []
    )
