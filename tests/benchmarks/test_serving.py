"""The comparison: its load counts right, its references answer as the service does, its verdicts follow its bounds."""

import asyncio
import doctest
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from benchmarks import applicants, rounds, verdict
from benchmarks.applicants import bodies, draw
from benchmarks.contenders import HTTP, MLSERVER, MOSEC, OURS, SYNCED, TWO
from benchmarks.figures import Figures, Plan
from benchmarks.generator import Generator
from benchmarks.load import Head
from benchmarks.measurement import Load
from benchmarks.memory import WARM_UP, Memory
from benchmarks.references import rows
from benchmarks.references.model import Model
from benchmarks.references.rows import ARTIFACT, msgspec_row, pydantic_row
from benchmarks.rounds import Compared
from benchmarks.server import Server, free_port
from configs.dataset import read_dataset
from models.artifact import Artifact
from tests.conftest import GERMAN_CREDIT, ROOT

REFERENCES = sorted((ROOT / "benchmarks/references").glob("*.py"))
DATASET = read_dataset(GERMAN_CREDIT)
CONNECTIONS = 5


@pytest.mark.parametrize("path", REFERENCES, ids=lambda path: path.stem)
def test_a_reference_compiles(path):
    compile(path.read_text(encoding="utf-8"), path, "exec")


@pytest.mark.parametrize("module", [applicants, rounds, rows, verdict], ids=lambda module: module.__name__)
def test_its_examples_hold(module):
    failed, tried = doctest.testmod(module)
    assert tried > 0
    assert not failed


def test_applicants_are_valid_different_and_the_same_for_a_seed():
    drawn = draw(DATASET)
    assert drawn == draw(DATASET)
    assert drawn != draw(DATASET, seed=1)
    assert len({msgspec.json.encode(applicant) for applicant in drawn}) == len(drawn)
    for row in (msgspec_row(DATASET), None):
        for body in bodies(drawn[:50], 3):
            for applicant in msgspec.json.decode(body)["applicants"]:
                if row:
                    msgspec.json.decode(msgspec.json.encode(applicant), type=row)
                else:
                    pydantic_row(DATASET).model_validate(applicant)
            assert len(msgspec.json.decode(body)["applicants"]) == 3


@pytest.mark.parametrize(("field", "value"), [("duration_months", -3), ("purpose", "yacht"), ("shoe_size", 43)])
def test_both_kinds_of_row_refuse_what_the_service_refuses(field, value):
    applicant = draw(DATASET, 1)[0] | {field: value}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(applicant, msgspec_row(DATASET))
    with pytest.raises(ValueError, match=field):
        pydantic_row(DATASET).model_validate(applicant)


class Counter(asyncio.Protocol):
    """A server that counts requests, answers in two pieces of changing length, and fails from number `fails` on."""

    seen: list[bytes]

    def __init__(self, seen: list[bytes], fails: int) -> None:
        self.seen, self.fails, self.held = seen, fails, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.held += data
        head, end, body = self.held.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]):
            return
        self.seen.append(body)
        self.held = b""
        status = b"200 OK" if len(self.seen) < self.fails else b"503 Service Unavailable"
        answer = b"x" * (95 + len(self.seen) % 10)  # two digits and three
        self.transport.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n" % (status, len(answer)) + answer[:50])
        asyncio.get_running_loop().call_soon(self.transport.write, answer[50:])


def put_load(tmp_path: Path, fails: int) -> tuple[subprocess.CompletedProcess[bytes], list[bytes]]:
    """A second of load, in a process of its own, on a `Counter`; what it said, and the bodies that arrived."""
    sent = tmp_path / "bodies"
    sent.write_bytes(b"\n".join(bodies(draw(DATASET, 20), 1)))

    async def run():
        seen: list[bytes] = []
        server = await asyncio.get_running_loop().create_server(lambda: Counter(seen, fails), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            load = Load(port=port, bodies=str(sent), connections=CONNECTIONS, lead_s=0, seconds=0.5)
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "benchmarks.load", cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            said, _ = await process.communicate(msgspec.json.encode(load) + b"\n")
        return msgspec.json.decode(said), seen

    return asyncio.run(run())


def test_each_answer_is_counted_once_and_each_body_is_sent(tmp_path):
    measured, seen = put_load(tmp_path, fails=1 << 60)
    assert measured["error"] == ""
    assert 0 <= len(seen) - measured["requests"] <= CONNECTIONS  # the last of each connection comes after the time
    assert measured["per_second"] == pytest.approx(measured["requests"] / 0.5)
    assert 0 < measured["p50_ms"] <= measured["p99_ms"]
    assert set(seen) == set(bodies(draw(DATASET, 20), 1))


def test_an_answer_other_than_200_ends_the_load(tmp_path):
    measured, _ = put_load(tmp_path, fails=30)
    assert "503 Service Unavailable" in measured["error"]


def test_the_length_of_an_answer_is_read_wherever_it_stands():
    head = Head()
    for lines in (
        b"server: a\r\nContent-Length: %d\r\n",
        b"Content-Length: %d\r\nserver: a\r\n",
        b"content-length: %d\r\n",
    ):
        for length in (7, 12, 120, 8):
            start = b"HTTP/1.1 200 OK\r\n" + lines % length + b"\r\n"
            assert head.length(start[:30]) == -1
            assert head.length(start + b"x" * length) == len(start) + length
            assert head.length(start) == len(start) + length
    assert head.length(b"HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\n{}") == 0
    assert head.length(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n") == 0


@pytest.mark.parametrize("module", ["asgi_msgspec", "asgi_constant"])
def test_a_reference_answers_as_the_graph_does(trained, tmp_path, module):
    """Those that need no more than the service's own libraries; the benchmark itself compares all of them."""
    drawn = draw(DATASET, 8)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"benchmarks.references.{module}:app", "--port", str(port)]
    with Server(module, command, port, tmp_path / module, {ARTIFACT: str(trained.folder)}) as server:
        sent = bodies(drawn, 1)
        server.wait(sent[0])
        answers = [server.predict(body)[0] for body in sent]
        with Generator("benchmarks.load", ROOT) as generator:
            (tmp_path / "bodies").write_bytes(b"\n".join(sent))
            load = Load(port=port, bodies=str(tmp_path / "bodies"), connections=2, lead_s=0.1, seconds=0.2)
            assert generator.measure(module, load).requests > 0
    assert server.process.poll() is not None
    if module == "asgi_msgspec":
        artifact = Artifact(trained.folder, retrain="make train")
        valid = [msgspec.convert(applicant, artifact.schema.row) for applicant in drawn]
        truth = [probability for probability, _ in artifact.scorer().score(valid)]
        assert answers == pytest.approx(truth, abs=1e-6)
        model = Model(trained.folder)
        table = [msgspec.convert(applicant, msgspec_row(DATASET)) for applicant in drawn]
        assert model.probabilities(table) == pytest.approx(truth, abs=1e-6)
        assert {prediction["model"] for prediction in model.predict(table)} == {trained.tag}


GOOD = Compared(per_second=10_000, p50_ms=1, p99_ms=1.4, busy=0.2, cpu_us=50, ratio=100)


def figures(cores=4):
    names = (OURS, *HTTP)
    return Figures(
        model="m:1",
        cores=cores,
        plan=Plan(rounds=1, seconds=1, requests=1),
        many=dict.fromkeys(names, GOOD) | {MOSEC: replace(GOOD, cpu_us=100)},
        one=dict.fromkeys(names, GOOD),
        table=GOOD,
        workers={OURS: GOOD, TWO: replace(GOOD, ratio=0.5)},
        synced=dict.fromkeys((OURS, *SYNCED), GOOD),
        synced_one=dict.fromkeys((OURS, *SYNCED), GOOD),
        rpc={OURS: GOOD, MLSERVER: GOOD},
        memory=Memory(before_mb=200, after_mb=201, requests=1, warm_up=WARM_UP),
    )


def verdicts(measured):
    return [bound.verdict for bound in measured.bounds()]


def test_a_good_service_passes_and_each_shortfall_is_one_miss():
    assert "MISSED" not in verdicts(figures())
    assert verdicts(replace(figures(), rpc={})).count("MISSED") == 1
    assert verdicts(replace(figures(), workers={TWO: replace(GOOD, ratio=0.6)})).count("MISSED") == 1
    assert (
        verdicts(replace(figures(), memory=Memory(before_mb=200, after_mb=210, requests=1, warm_up=WARM_UP))).count(
            "MISSED"
        )
        == 1
    )
    for name in HTTP:
        slow = figures().many | {name: replace(figures().many[name], ratio=0.2)}
        assert verdicts(replace(figures(), many=slow)).count("MISSED") == 1
    costly = figures().many | {MOSEC: replace(GOOD, cpu_us=20)}
    assert verdicts(replace(figures(), many=costly)).count("MISSED") == 1


def test_two_workers_are_not_judged_where_they_share_their_cores_with_the_client():
    measured = replace(figures(cores=2), workers={TWO: replace(GOOD, ratio=1)})
    assert verdicts(measured).count("not judged") == 1
    assert "MISSED" not in verdicts(measured)


def test_a_client_at_its_limit_is_told():
    assert figures().limited() == []
    assert replace(figures(), rpc={MLSERVER: replace(GOOD, busy=0.99)}).limited() == [MLSERVER]


def test_each_way_to_sync_the_log_has_its_cost_printed():
    synced = {OURS: GOOD} | dict.fromkeys(SYNCED, replace(GOOD, ratio=2))
    table = verdict.shares_table(OURS, synced, synced, 64).splitlines()
    assert [line.split(" | ")[0].lstrip("| ") for line in table[2:]] == [OURS, *SYNCED]
    assert "%" not in table[2]
    assert all(line.count("50%") == 2 for line in table[3:])
