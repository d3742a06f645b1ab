"""`python -m monitoring verify` as an auditor uses it, and the keys of the seals."""

import json
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from configs.source import ConfigError
from monitoring.records.log_keys import LogKeys
from monitoring.records.proof.chain import read_chain
from monitoring.records.proof.seal_keys import seal_keys_from
from tests.conftest import ROOT
from tests.forks import SERVICE
from tests.monitoring.records.proof.conftest import ENCRYPTED, SEAL_KEY, SEALS, SIGNED, lines_of

PRIVATE = SEAL_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = SEAL_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
OTHER_KIND = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def verify(tmp_path):
    """`verify(*arguments, **variables)` runs `python -m monitoring verify` on `tmp_path`."""

    def run(*arguments, **variables):
        environment = os.environ | {"SCORER_DIRECTORY": str(tmp_path)} | variables
        return SERVICE.run("monitoring", ["verify", *arguments], ROOT, environment)

    return run


def test_intact_records_give_exit_code_0_and_what_is_not_proved_in_words(write, verify):
    write(LogKeys(), 2, 3)
    done = verify("--json")
    assert (done.returncode, json.loads(done.stdout)) == (
        0,
        {"segments": 1, "rows": 5, "intact": True, "broken": []},
    )
    assert done.stderr == ("1 of 1 segments sealed without a key: whoever can write the files can make such seals\n")
    assert verify().stdout == "intact: 5 rows in 1 segment\n"


def test_an_auditor_needs_the_public_key_alone_and_finds_what_is_broken_with_exit_code_3(tmp_path, write, verify):
    segment = write(SIGNED, 2, 3)
    (tmp_path / "public.pem").write_text(PUBLIC)
    keys = {"SCORER_SEAL_PUBLIC_KEYS_FILE": str(tmp_path / "public.pem")}
    done = verify("--anchor", read_chain(tmp_path)[-1].hash, **keys)
    assert (done.returncode, done.stdout, done.stderr) == (0, "intact: 5 rows in 1 segment\n", "")
    assert "no key of the seals was given, so signatures were not checked" in verify().stderr
    assert verify("--anchor", "ab" * 32, **keys).returncode == 3
    head, first, _, seal = lines_of(segment)
    segment.write_bytes(b"".join((head, first, seal)))
    done = verify("--json", **keys)
    broken = [{"segment": segment.name, "line": 3, "why": "seals 5 rows in 2 lines, which are not these 2 in 1"}]
    assert (done.returncode, json.loads(done.stdout)["broken"]) == (3, broken)
    assert f"{segment.name}, line 3: seals 5 rows" in verify(**keys).stdout


def test_what_cannot_be_looked_at_gives_exit_code_1(tmp_path, write, verify):
    done = verify("--json", SCORER_DIRECTORY=str(tmp_path / "nowhere"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "no such folder, so there are no records to verify" in done.stderr
    write(ENCRYPTED, 1)
    done = verify(SCORER_SEAL_KEY=PRIVATE)
    assert done.returncode == 1
    assert "which is not in SCORER_LOG_KEY" in done.stderr


def test_keys_come_from_the_environment_or_from_a_file(tmp_path):
    file = tmp_path / "key.pem"
    file.write_text(PRIVATE)
    assert not seal_keys_from({})
    assert seal_keys_from({"SCORER_SEAL_KEY": PRIVATE}).signer == seal_keys_from({}, str(file)).signer == SEALS.signer
    file.write_text(PUBLIC)
    public = seal_keys_from({}, "", str(file))
    assert (bool(public), public.signer) == (True, "")


@pytest.mark.parametrize(
    "text", ["", "secret", PUBLIC, OTHER_KIND, f"{PRIVATE}{OTHER_KIND}", PRIVATE.replace("M", "x")]
)
def test_an_invalid_key_is_rejected_with_a_remedy_and_not_shown(text):
    with pytest.raises(ConfigError) as refused:
        seal_keys_from({"SCORER_SEAL_KEY": text})
    assert str(refused.value) == (
        "environment: SCORER_SEAL_KEY: is not an Ed25519 private key in PEM without a password; "
        "make one: openssl genpkey -algorithm ed25519 -out seal-key.pem"
    )


@pytest.mark.parametrize("setting", ["key_file", "public_file"])
@pytest.mark.parametrize("content", [None, "", OTHER_KIND])
def test_a_key_file_that_cannot_be_used_is_named(tmp_path, setting, content):
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"key\.pem"):
        seal_keys_from({}, **{setting: str(path)})
