"""The registry with five versions: promoted, rolled back, told, and followed by the service."""

import httpx
import pytest
import yaml
from cryptography.hazmat.primitives import serialization

from signatures.keys import SignatureError, public_key
from signatures.model import check_model
from signatures.promotions import FILE, read
from tests.conftest import Trained, environment, lenient_gates, with_mlflow, workplace
from tests.forks import TRAIN
from tests.models.tables import write_hand_made
from tests.signatures.test_promotions import new_key
from tests.train.small import UNDRAWN

SMALL = {
    "network": {"layers": [4], "members": 2},
    "encoding": {"numbers": "piecewise_linear", "bins": 4},
    "training": {"steps": 12, "folds": 2, "learning_rate": 0.02},
}
VERSIONS = range(5)

pytestmark = pytest.mark.pipeline


def run(home, commands):
    """Exit code, standard output and standard error of each `python -m train` with these arguments."""
    done = [TRAIN.run("train", command, with_mlflow(home), environment(home) | UNDRAWN) for command in commands]
    results = [(one.returncode, one.stdout, one.stderr) for one in done]
    assert not any("Traceback" in errors for _, _, errors in results), results
    return results


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A place with five versions of one model, and their versions in the order in which they were published.

    It is trained once: a version counts its gates too, of which each has others.
    """
    home = workplace(tmp_path_factory.mktemp("registry"))
    inputs = ["--dataset", str(write_hand_made(home)), "--model", str(home / "small.yaml")]
    (home / "small.yaml").write_text(yaml.safe_dump(SMALL))
    trainings = []
    for version in VERSIONS:
        gates = home / f"gates{version}.yaml"
        lenient_gates(home, most_artifact_bytes=50_000_000 + version).rename(gates)
        trainings.append([*(["publish"] if trainings else []), *inputs, "--gates", str(gates)])
    lenient_gates(home)
    results = run(home, trainings)
    assert [code for code, _, _ in results] == [0] * len(VERSIONS), results
    return home, [tag.strip().split(":")[1] for _, tag, _ in results]


@pytest.fixture
def commands(registry):
    """`commands(("promote", …), …)` in order, as a person types them: (exit code, output, errors) of each."""
    home, _ = registry

    def run_all(*several, gates=None):
        inputs = {"--dataset": "hand_made.yaml", "--model": "small.yaml", "--gates": str(gates or "gates.yaml")}
        more = [word for option in inputs.items() for word in option]
        return run(home, [[*arguments, *more] for arguments in several])

    return run_all


def champion(home):
    return (home / "bentoml/models/hand_made/champion").read_text().strip()


def test_promotions_and_rollbacks_are_told_in_order_and_followed(registry, commands, serve):
    home, versions = registry
    assert champion(home) == versions[0], "the first to pass the gates"

    promoted = commands(
        ("promote", versions[2], "--by", "Ana", "--why", "better on new applicants"),
        ("promote", versions[4][:10], "--by", "Bo", "--why", "simpler"),
    )
    assert [code for code, _, _ in promoted] == [0, 0]
    assert champion(home) == versions[4]
    (rolled_back, _, _), (code, told, _) = commands(("rollback", "--by", "Ana", "--why", "complaints"), ("history",))
    assert (rolled_back, code) == (0, 0)
    assert champion(home) == versions[2]
    lines = told.splitlines()
    assert [line.split()[1:3] for line in lines] == [
        ["first", versions[0]],
        ["promote", versions[2]],
        ["promote", versions[4]],
        ["rollback", versions[2]],
    ]
    assert f"instead of {versions[2]}  by Bo: simpler" in lines[2]
    assert all("gates" in line and "run " in line for line in lines)

    follows = Trained("hand_made:champion", home, environment(home) | {"SCORER_MODEL": "hand_made:champion"})
    service = serve(follows)
    assert httpx.get(f"{service.url}/model").json()["version"] == versions[2]
    service.stop()
    (back, _, _), (once_more, _, said) = commands(
        ("rollback", "--by", "Ana", "--why", "still complaints"), ("rollback", "--why", "once more")
    )
    assert (back, once_more) == (0, 1)
    assert "has no previous champion to roll back to" in said
    assert httpx.get(f"{serve(follows).url}/model").json()["version"] == versions[0]


def test_a_champion_is_promoted_again_to_be_signed_and_its_history_verified(registry, commands, tmp_path):
    home, _ = registry
    (key, public), (theirs, _) = new_key(tmp_path, "ours"), new_key(tmp_path, "theirs")
    ours, other = tmp_path / "ours.pem", tmp_path / "theirs.pem"
    for path, private in ((ours, key), (other, theirs)):
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        path.write_bytes(private.private_bytes(*form))
    store = home / "bentoml/models/hand_made"
    before, number = champion(home), len(read(store))
    signing = ("--signing-key", str(ours))
    unsigned, again, once_more, said_by_theirs, told = commands(
        ("history", *signing),
        ("promote", before, "--why", "to sign it", *signing),
        ("promote", before, "--why", "once more", *signing),
        ("history", "--signing-key", str(other)),
        ("history", *signing),
    )
    assert unsigned[0] == said_by_theirs[0] == 1
    assert "its newest entry is not signed by this key" in unsigned[2]
    assert (again[0], once_more[0], told[0]) == (0, 1, 0)
    assert "is already the champion" in once_more[2]
    assert f"{store / FILE} is whole: {number + 1} entries, 1 signed" in told[2]
    assert read(store)[-1].line.is_signed_by(key.public_key())
    assert (champion(home), public.exists()) == (before, True)


def test_a_history_or_a_champion_that_was_edited_is_named_and_nothing_is_promoted_on_it(registry, commands):
    home, versions = registry
    store = home / "bentoml/models/hand_made"
    commands(("promote", versions[1], "--why", "one"), ("promote", versions[2], "--why", "two"))
    whole, before = (store / FILE).read_bytes(), champion(home)
    lines = whole.splitlines(keepends=True)
    edited = next(version for version in versions if version != before)
    changes = {
        "line 2: does not follow": lambda: (store / FILE).write_bytes(b"".join([lines[0], *lines[2:]])),
        f"names {edited}, and {before} was promoted last": lambda: (store / "champion").write_text(edited),
    }
    for said, change in changes.items():
        change()
        after = (store / FILE).read_bytes()
        for code, _, errors in commands(("history",), ("promote", versions[4], "--why", "none")):
            assert code == 1
            assert said in errors
        assert (store / FILE).read_bytes() == after
        (store / FILE).write_bytes(whole)
        (store / "champion").write_text(before + "\n")
    (store / FILE).write_bytes(b"".join(lines[:-1]))  # with the champion of that time, which services would believe
    (store / "champion").write_text(read(store)[-1].version)
    ((code, _, errors),) = commands(("history",))
    assert code == 1
    assert "somebody has removed the newest entries of one" in errors
    (store / FILE).write_bytes(whole)
    (store / "champion").write_text(before + "\n")
    assert commands(("history",))[0][0] == 0


def test_a_version_is_signed_when_it_is_published(registry, commands, tmp_path):
    home, versions = registry
    key, public = new_key(tmp_path, "ours")
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "ours.pem").write_bytes(key.private_bytes(*form))
    folder = home / "bentoml/models/hand_made" / versions[0]
    with pytest.raises(SignatureError, match="is not signed"):
        check_model(folder, public)
    wrong, published = commands(
        ("publish", "--signing-key", str(public)), ("publish", "--signing-key", str(tmp_path / "ours.pem"))
    )
    assert wrong[0] == 1
    assert f"{public}: is not a private key in PEM" in wrong[2]
    assert published[0] == 0, published[2]
    check_model(folder, public)


def test_a_version_that_is_not_there_cannot_be_promoted(registry, commands):
    faults = {
        "0000": "is not in the BentoML store; it has ",
        "": "is not in the BentoML store",
        "champion": "is not in",
    }
    before = champion(registry[0])
    results = commands(*(("promote", version, "--why", "a reason") for version in faults))
    for (version, fault), (code, _, said) in zip(faults.items(), results, strict=True):
        assert code == 1, version
        assert fault in said, version
    assert champion(registry[0]) == before


def test_only_approvers_may_promote_where_there_are_some(registry, commands, tmp_path):
    home, versions = registry
    before = champion(home)
    gates = lenient_gates(tmp_path, approvers=["Chair of the model risk committee"])
    ((code, _, said),) = commands(("promote", versions[3], "--by", "Ana", "--why", "mine"), gates=gates)
    assert (code, champion(home)) == (1, before)
    assert "--by must be one of: Chair of the model risk committee" in said
    approved = ("promote", versions[3], "--by", "Chair of the model risk committee", "--why", "minutes of 21 November")
    assert commands(approved, gates=gates)[0][0] == 0
    assert champion(home) == versions[3]


def test_an_approver_with_a_key_proves_the_name_by_it(registry, commands, tmp_path):
    home, versions = registry
    store = home / "bentoml/models/hand_made"
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    publics = {}
    for name in ("Ana", "Bo"):
        key, publics[name] = new_key(tmp_path, name)
        (tmp_path / f"{name}.pem").write_bytes(key.private_bytes(*form))
    gates = lenient_gates(tmp_path, approvers={name: str(path) for name, path in publics.items()})
    ana, bo = str(tmp_path / "Ana.pem"), str(tmp_path / "Bo.pem")
    before = champion(home)
    other = next(version for version in versions if version != before)
    promote = ("promote", other, "--why", "minutes of 27 November")
    refused = commands(
        (*promote, "--by", "Ana"),
        (*promote, "--by", "Ana", "--approver-key", bo),
        (*promote, "--by", "Cy", "--approver-key", ana),
        ("rollback", "--by", "Bo", "--why", "complaints", "--approver-key", ana),
        ("history",),
        gates=gates,
    )
    faults = ("Ana has to prove it", "the key given is not that of Ana", "Cy is not an approver", "not that of Bo")
    for (code, _, said), fault in zip(refused, (*faults, "who has not signed it; promote the champion"), strict=True):
        assert (code, fault in said) == (1, True), said
    assert champion(home) == before
    (code, _, _), (told, lines, said) = commands((*promote, "--approver-key", ana), ("history",), gates=gates)
    assert (code, told, champion(home)) == (0, 0, other)
    assert "by Ana: minutes of 27 November" in lines.splitlines()[-1]
    assert "1 by the approver whom they name" in said
    newest = read(store)[-1].line
    assert newest.is_signed_by(public_key(publics["Ana"]))
    assert not newest.is_signed_by(public_key(publics["Bo"]))


def test_a_promotion_needs_a_reason(commands):
    ((code, _, said),) = commands(("promote", "00"))
    assert code == 2
    assert "--why" in said


def test_store_and_registry_are_linked_both_ways(registry):
    import sqlite3

    home, versions = registry
    with sqlite3.connect(home / "mlflow.db") as database:
        tags = database.execute("select version, value from model_version_tags where key = 'bentoml'").fetchall()
    database.close()
    assert {value for _, value in tags} == {f"hand_made:{version}" for version in versions}
    for number, tag in tags:
        labels = yaml.safe_load((home / "bentoml/models" / tag.replace(":", "/") / "model.yaml").read_text())["labels"]
        assert labels["mlflow_version"] == str(number)
