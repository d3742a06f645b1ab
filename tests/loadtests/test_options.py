"""The command line of a load test: every wrong value is named by its variable of make, before anything is sent."""

import re

import pytest

from loadtests.options import KEY, parse
from loadtests.problems import LoadTestError
from tests.conftest import ROOT


def test_make_and_the_command_line_have_the_same_defaults():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    options = parse([], {})
    variables = dict(re.findall(r"^([A-Z_]+) = ?(.*)$", makefile, re.MULTILINE))
    assert (options.users, options.shape, options.target) == (
        int(variables["USERS"]),
        variables["SHAPE"],
        variables["TARGET"],
    )
    assert (variables["RUN_TIME"], options.run_s) == ("60s", 60)
    assert (str(options.slo), str(options.dataset)) == (variables["SLO"], variables["DATASET"])
    assert options.grpc_target == f"127.0.0.1:{variables['GRPC_PORT']}"
    assert (options.processes, options.remote) == (int(variables["PROCESSES"]), int(variables["REMOTE_WORKERS"]))
    assert options.master_port == int(variables["MASTER_PORT"])
    assert not options.distributed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--users", "0"], "USERS=0: must be a whole number from 1"),
        (["--users", "1.5"], "USERS=1.5: must be a whole number"),
        (["--run-time", "soon"], "RUN_TIME=soon: not a time; write it as 60s, 5m or 1h30m"),
        (["--run-time", "1m30"], None),
        (["--run-time", "30 1m"], "RUN_TIME=30 1m: not a time"),
        (["--run-time", "2s"], "RUN_TIME=2s: must be from 5s"),
        (["--shape", "wave"], "SHAPE=wave: no such shape; there are steady, ramp, spike, soak, breakpoint"),
        (["--target", "localhost"], "TARGET=localhost: must be a URL"),
        (["--target", "http://a:b"], "TARGET=http://a:b: must be a URL"),
        (["--target", "http://host/path"], "TARGET=http://host/path: must be a URL"),
        (["--grpc-target", "host"], "GRPC_TARGET=host: must be host:port"),
        (["--grpc-port", "http"], "GRPC_TARGET=127.0.0.1:http: must be host:port"),
        (["--processes", "0"], "PROCESSES=0: must be"),
        (["--master-port", "99999"], "MASTER_PORT=99999: must be"),
        (["--key-file", "/nowhere"], "KEY_FILE=/nowhere: cannot be read"),
    ],
)
def test_a_wrong_value_is_refused(arguments, said):
    if said is None:
        assert parse(arguments, {}).run_s == 90
        return
    with pytest.raises(LoadTestError, match=re.escape(said)):
        parse(arguments, {})


def test_grpc_is_asked_on_the_host_of_the_target():
    assert parse(["--target", "https://scorer.example", "--grpc-port", "444"], {}).grpc_target == "scorer.example:444"
    assert parse(["--target", "http://[::1]:3000"], {}).grpc_target == "[::1]:3001"


def test_a_key_comes_from_the_environment_or_a_file_and_is_never_repeated(tmp_path):
    path = tmp_path / "key"
    path.write_text("scorer_secret\n")
    assert parse([], {KEY: "scorer_1"}).key == "scorer_1"
    assert parse(["--key-file", str(path)], {}).key == "scorer_secret"
    with pytest.raises(LoadTestError, match="not both"):
        parse(["--key-file", str(path)], {KEY: "scorer_1"})
    path.write_text("\n")
    with pytest.raises(LoadTestError, match="is empty"):
        parse(["--key-file", str(path)], {})
    with pytest.raises(LoadTestError) as raised:
        parse([], {KEY: "two words"})
    assert "two" not in str(raised.value)
    with pytest.raises(LoadTestError) as raised:
        parse(["--target", "http://me:secret@host"], {})
    assert "secret" not in str(raised.value)
