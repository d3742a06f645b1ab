"""Nothing reports to anybody: what the processes ask the network for, and where they write, as the kernel sees it.

Each program is started without the Makefile and without a variable that turns a report off, in an empty home directory.
A dependency whose next version reports in a way of its own is found by this as well.
"""

import contextlib
import ipaddress
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import yaml

from configs.opt_outs import OPT_OUTS
from tests.conftest import ROOT, START_S, TRAINING_S, apart, environment, free_port, workplace
from tests.train.small import LENIENT, SMALL

CALLS = "connect,sendto,sendmsg,sendmmsg,openat,open,creat,mkdir,mkdirat"
ADDRESS = re.compile(r'sin6?_port=htons\((\d+)\),.*inet_(?:addr\(|pton\(AF_INET6, )"([^"]+)"')
QUERY = re.compile(r"->\S+:53\]>.*")
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
DNS_PORT, DNS_HEADER_BYTES = "53", 12
OPENED = re.compile(r"open(?:at)?\(.*(?:O_WRONLY|O_RDWR|O_CREAT).* = \d+<([^>]+)>")
MADE = re.compile(r'mkdir(?:at\(AT_FDCWD<[^>]*>, |\()"(/[^"]+)".* = 0$')  # what is relative shows in the folder
# Devices, the threads of this process, shared memory, and the bytecode of what has just been installed or changed.
NO_TRACE = re.compile(r"/dev/|/proc/|/sys/|.*/__pycache__(/|$)|(pipe|socket|anon_inode|/memfd):")


class Watched:
    """What a program did.

    Attributes:
        asked: addresses beyond this machine that it sent something to, names of hosts among what was sent.
        written: files and folders that it wrote.
    """

    def __init__(self, home: Path) -> None:
        self.asked: list[str] = []
        self.written: set[Path] = set()
        for line in "".join(path.read_text(errors="replace") for path in home.glob("trace.*")).splitlines():
            self.asked += beyond_this_machine(line)
            if (found := OPENED.search(line) or MADE.search(line)) and not NO_TRACE.match(found[1]):
                self.written.add(Path(found[1]))

    def strays(self, *homes: Path) -> list[str]:
        """What was written outside of these folders."""
        return sorted(str(path) for path in self.written if not any(path.is_relative_to(home) for home in homes))


def beyond_this_machine(line: str) -> list[str]:
    """The addresses that a call connects to, and the names that it looks up.

    The process manager looks up this machine's own name, which leaves the machine where /etc/hosts does not have it.
    """
    if query := QUERY.search(line):
        names = [queried(text.encode().decode("unicode_escape").encode("latin-1")) for text in TEXT.findall(query[0])]
        return [name for name in names if name.split(".")[0] != socket.gethostname().split(".")[0]]
    if not (found := ADDRESS.search(line)) or found[1] == DNS_PORT:
        return []
    return [] if ipaddress.ip_address(found[2]).is_loopback else [line]


def queried(packet: bytes) -> str:
    """The name that a DNS query asks for: labels, each after its length."""
    labels, at = [], DNS_HEADER_BYTES
    while packet[at]:
        labels.append(packet[at + 1 : at + 1 + packet[at]].decode())
        at += 1 + packet[at]
    return ".".join(labels)


def test_a_query_and_a_connection_are_found_in_what_strace_prints():
    packet = r"\352\35\1\0\0\1\0\0\0\0\0\0\1t\7example\3com\0\0\1\0\1"
    query = f'sendto(3<UDP:[10.0.0.2:5000->10.0.0.1:53]>, "{packet}", 35, 0) = 35'
    assert beyond_this_machine(query) == ["t.example.com"]
    connection = 'connect(3<TCP:[5]>, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("%s")}, 16) = 0'
    assert beyond_this_machine(connection % "192.0.2.1")
    assert not beyond_this_machine(connection % "127.0.0.1")


@pytest.fixture
def home(tmp_path):
    """A working directory like a checkout, with a home directory and a folder for temporary files beside it."""
    if not shutil.which("strace"):
        pytest.skip(
            "NOT TESTED: whether anything reports its use. There is no strace here; run: apt-get install strace"
        )
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    return workplace(tmp_path / "work").parent


def bare(variables: dict[str, str], home: Path) -> dict[str, str]:
    """An environment in which nothing is turned off, and no library knows where else to write."""
    ours = ("MPLCONFIGDIR", "TORCHINDUCTOR_CACHE_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "GIT_OPTIONAL_LOCKS", "CI")
    kept = {name: value for name, value in variables.items() if name not in OPT_OUTS and name not in ours}
    return kept | {"HOME": str(home / "home"), "TMPDIR": str(home / "tmp")}


def strace(home: Path) -> list[str]:
    """The command in front of a command: each child's calls too, and only those looked for, so that it costs little."""
    options = ["-ff", "-yy", "-qq", "--seccomp-bpf", "-s", "256", "-e", f"trace={CALLS}", "-e", "signal=none"]
    return ["strace", *options, "-o", str(home / "trace")]


def watch(home: Path, variables: dict[str, str], *command: str) -> Watched:
    """Run a program to its end."""
    done = subprocess.run(
        [*strace(home), sys.executable, *command],
        cwd=home / "work",
        env=bare(variables, home),
        capture_output=True,
        text=True,
        check=False,
        timeout=TRAINING_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Watched(home)


def require_silence(watched: Watched, home: Path) -> None:
    """Nobody beyond this machine was asked, and nothing is left but records and store."""
    assert watched.asked == []
    assert watched.written, "nothing was seen at all"
    assert watched.strays(home) == []
    assert list((home / "home").rglob("*")) == []
    assert list((home / "tmp").rglob("*")) == []
    assert {path.name for path in (home / "work").iterdir()} <= {"configs", "data", "var"}


@pytest.mark.timeout(300)
def test_plain_bentoml_serve_asks_nobody_and_writes_its_records_alone(trained, home):
    port = free_port()
    command = ["-m", "bentoml", "serve", "service:CreditScorer", "--working-dir", str(ROOT), "--port", str(port)]
    variables, log = bare(apart(trained, home / "work/var"), home), home / "work/var/serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*strace(home), sys.executable, *command],
            cwd=home / "work",
            env=variables,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_S
        ready = False
        while not ready:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            with contextlib.suppress(OSError):
                ready = urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).status == 200
        profiler = f"profiling {home / 'work/var'}"  # its first line: everything is imported then
        while profiler not in log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        process.wait(60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert "Traceback" not in log.read_text(), log.read_text()
    require_silence(Watched(home), home)


@pytest.mark.pipeline
@pytest.mark.timeout(600)
def test_training_asks_nobody_and_writes_into_var_and_the_stores_alone(home):
    (home / "work/var").mkdir()
    for name, text in (("gates", LENIENT), ("model", SMALL)):
        (home / f"work/var/{name}.yaml").write_text(text)
    variables = environment(home / "work/var") | {"SCORER_DIRECTORY": "var"}
    dataset = "configs/datasets/german_credit.yaml"
    files = ["--dataset", dataset, "--model", "var/model.yaml", "--gates", "var/gates.yaml"]
    require_silence(watch(home, variables, "-m", "train", *files), home)


@pytest.mark.timeout(300)
def test_building_a_bento_asks_nobody_and_writes_into_the_store_alone(trained, home):
    variables = apart(trained, home / "work/var")
    require_silence(watch(home, variables, "-m", "deploy.packing", "bento", trained.tag), home)


@pytest.mark.parametrize(
    "command", [["-m", "monitoring", "catch-up"], ["-m", "monitoring", "status"], ["-m", "benchmarks.graph", "TAG"]]
)
def test_the_other_commands_ask_nobody(trained, home, command):
    variables = apart(trained, home / "work/var")
    watched = watch(home, variables, *[trained.tag if word == "TAG" else word for word in command])
    assert watched.asked == []
    assert watched.strays(home) == []


def test_a_test_asks_nobody(home):
    """The doctests of a module that imports ONNX Runtime, in a pytest of its own."""
    variables = dict(os.environ)
    cache = f"cache_dir={home / 'cache'}"
    watched = watch(
        home, variables, "-m", "pytest", "-q", "-o", cache, "--rootdir", str(ROOT), f"{ROOT}/models/encoding.py"
    )
    assert watched.asked == []
    assert list((home / "home").rglob("*")) == []


def test_what_is_started_without_our_code_in_front_of_it_is_told_the_same():
    text = (ROOT / "Makefile").read_text()
    assert dict(re.findall(r"^export (\w+) = (.*)$", text, re.MULTILINE)).items() >= OPT_OUTS.items()
    packed = {item["name"]: item["value"] for item in yaml.safe_load((ROOT / "bentofile.yaml").read_text())["envs"]}
    image = dict(re.findall(r"^ +(\w+)=(\S+)", (ROOT / "deploy/packing/image/Dockerfile").read_text(), re.MULTILINE))
    told = {**packed, **{name: value for name, value in image.items() if name in OPT_OUTS}}
    assert told.items() <= OPT_OUTS.items()
    assert {"BENTOML_DO_NOT_TRACK", "ORT_DISABLE_TELEMETRY"} <= told.keys()
    assert re.search(r"analytics = false\s+check_update = false", (ROOT / ".dvc/config").read_text())


def test_bentoml_looks_again_after_it_has_been_told(tmp_path):
    """Fails when BentoML remembers its answer in another way."""
    code = (
        "from bentoml._internal.utils.analytics.usage_stats import do_not_track\n"
        "assert not do_not_track()\n"
        "from serving.usage_reports import stop_usage_reports\n"
        "stop_usage_reports()\n"
        "assert do_not_track()\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=bare(dict(os.environ), tmp_path), check=True)
