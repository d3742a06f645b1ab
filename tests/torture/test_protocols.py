"""All protocols at once: whatever shares a batch with whom, each caller gets the answer to what it asked."""

import asyncio
import json
import random
import resource
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import grpc
import numpy as np
import onnxruntime
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton
from tritonclient.grpc import service_pb2, service_pb2_grpc

from configs.dataset import RESERVED
from monitoring.records.segments import read, segments
from tests.service.tensors import inputs
from tests.torture.conftest import Connection, body_of

MODEL = "german_credit"
INFER = f"/v2/models/{MODEL}/infer"
OUTPUTS = (RESERVED, "probability")
CHANNELS = 8  # HTTP/2 connections, over which the calls of gRPC go side by side
LARGE = 0.1  # share of requests with more than one row
MAX_ROWS = 300
LONG_S = 240

Told = tuple[list[str], list[float]]  # ids and probabilities of an answer


class Asked(NamedTuple):
    """A request, made before the clock starts: on the way nobody is to wait for its caller's encoding."""

    number: int
    protocol: str  # as the decision log has it
    applicants: list[dict[str, Any]]
    payload: Any


class BusyError(Exception):
    """The service has told to come back."""


class OverHttp:
    """A connection for each request on the way, as far as file descriptors last; never more than `most`."""

    def __init__(self, port: int, most: int) -> None:
        self._port, self._most = port, most
        self._free: asyncio.Queue[Connection] = asyncio.Queue()

    async def open(self) -> None:
        """Connect, one after the other: all at once would measure the length of the kernel's queue."""
        for _ in range(self._most):
            connection = Connection(self._port)
            await connection.connect()
            self._free.put_nowait(connection)

    async def ask(self, path: str, body: bytes, more: str, way: "Way") -> tuple[bytes, int | None]:
        """The answer, and where its JSON ends if it says so."""
        connection = await self._free.get()
        try:
            with way:
                status, answer = await connection.ask(body, path, more)
            if status == 503:
                raise BusyError
            assert status == 200, (status, answer)
            length = connection.head.partition(b"\r\ninference-header-content-length:")[2].partition(b"\r\n")[0]
            return answer, int(length) if length else None
        finally:
            self._free.put_nowait(connection)

    def close(self) -> None:
        """Hang up."""
        while not self._free.empty():
            self._free.get_nowait().close()


class Way:
    """Counts those on the way, for as long as each is in its `with`."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def __enter__(self) -> None:
        self.now += 1
        self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        self.now -= 1


def of_predict(number: int, applicants: list[dict[str, Any]]) -> bytes:
    return body_of(applicants)


def of_rest(number: int, applicants: list[dict[str, Any]], binary: bool) -> tuple[bytes, int | None]:
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in OUTPUTS]
    body, length = triton.InferenceServerClient.generate_request_body(
        inputs(triton, applicants, binary_data=binary), outputs, str(number)
    )
    assert (length is not None) == binary
    return body, length


def of_grpc(number: int, applicants: list[dict[str, Any]], raw: bool) -> Any:
    request = service_pb2.ModelInferRequest(model_name=MODEL, id=str(number))
    for name in OUTPUTS:
        request.outputs.add(name=name)
    for tensor in inputs(triton_grpc, applicants):
        if raw:
            request.inputs.append(tensor._get_tensor())
            request.raw_input_contents.append(tensor._get_content())
            continue
        values = [applicant[tensor.name()] for applicant in applicants]
        typed = request.inputs.add(name=tensor.name(), datatype=tensor.datatype(), shape=[len(values)])
        if tensor.datatype() == "BYTES":
            typed.contents.bytes_contents.extend(value.encode() for value in values)
        else:
            kind = typed.contents.int64_contents if tensor.datatype() == "INT64" else typed.contents.fp64_contents
            kind.extend(values)
    return request


class Callers:
    """Asks over each protocol, and reads what comes back."""

    def __init__(self, http: OverHttp, stubs: list[Any], way: Way) -> None:
        self._http, self._stubs, self._way = http, stubs, way

    async def predict(self, asked: Asked) -> Told:
        answer, _ = await self._http.ask("/predict", asked.payload, "", self._way)
        rows = json.loads(answer)
        return [row[RESERVED] for row in rows], [row["probability"] for row in rows]

    async def rest(self, asked: Asked) -> Told:
        body, length = asked.payload
        more = f"inference-header-content-length: {length}\r\n" if length else ""
        answer, length_back = await self._http.ask(INFER, body, more, self._way)
        assert (length is None) == (length_back is None), "binary is answered in binary, JSON in JSON"
        result = triton.InferenceServerClient.parse_response_body(answer, header_length=length_back)
        assert result.get_response()["id"] == str(asked.number)
        return told(result)

    async def grpc(self, asked: Asked) -> Told:
        try:
            with self._way:
                answer = await self._stubs[asked.number % CHANNELS].ModelInfer(asked.payload)
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                raise BusyError from None
            raise
        assert answer.id == str(asked.number)
        assert bool(answer.raw_output_contents) == bool(asked.payload.raw_input_contents)
        if answer.raw_output_contents:
            return told(triton_grpc.InferResult(answer))
        by_name = {output.name: output.contents for output in answer.outputs}
        ids = [word.decode() for word in by_name[RESERVED].bytes_contents]
        return ids, [*by_name["probability"].fp64_contents]


def told(result: Any) -> Told:
    ids = [word.decode() if isinstance(word, bytes) else word for word in result.as_numpy(RESERVED).tolist()]
    return ids, result.as_numpy("probability").tolist()


# Name, protocol in the log, how a request is made, how it is asked.
WAYS: list[tuple[str, str, Callable[..., Any], Callable[[Callers, Asked], Awaitable[Told]]]] = [
    ("/predict", "http", of_predict, Callers.predict),
    ("V2 in JSON", "v2", lambda *what: of_rest(*what, binary=False), Callers.rest),
    ("V2 in binary", "v2", lambda *what: of_rest(*what, binary=True), Callers.rest),
    ("gRPC typed", "grpc", lambda *what: of_grpc(*what, raw=False), Callers.grpc),
    ("gRPC raw", "grpc", lambda *what: of_grpc(*what, raw=True), Callers.grpc),
]


@pytest.fixture(scope="module")
def directly(trained, german_applicants):
    """What ONNX Runtime says of each applicant of the table, alone, asked with the record as it is; bits as float32."""
    session = onnxruntime.InferenceSession(str(trained.folder / "model.onnx"), providers=["CPUExecutionProvider"])
    kinds = {value.name: object if "string" in value.type else np.float32 for value in session.get_inputs()}
    return [
        session.run(["probability"], {name: np.array([[applicant[name]]], kind) for name, kind in kinds.items()})[0][0]
        for applicant in german_applicants
    ]


@pytest.mark.timeout(LONG_S)
def test_all_protocols_at_once_and_each_caller_gets_its_own_answer(
    trained, serve, german_applicants, directly, size, say, tmp_path
):
    dice = random.Random(4)
    requests: list[Asked] = []
    expected: dict[str, tuple[str, np.float32]] = {}  # protocol and probability by application id
    for number in range(size(400, 10_000)):
        rows = dice.randint(2, MAX_ROWS) if dice.random() < LARGE else 1
        _, protocol, make, _ = WAYS[number % len(WAYS)]
        applicants = []
        for row in range(rows):
            which, identifier = dice.randrange(len(german_applicants)), f"private-{number}-{row}"
            applicants.append(german_applicants[which] | {RESERVED: identifier})
            expected[identifier] = (protocol, directly[which])
        requests.append(Asked(number, protocol, applicants, make(number, applicants)))
    refused: Counter[str] = Counter()
    way = Way()

    async def one(callers: Callers, asked: Asked) -> None:
        name, _, _, ask = WAYS[asked.number % len(WAYS)]
        while True:
            try:
                ids, probabilities = await ask(callers, asked)
                break
            except BusyError:
                refused[name] += 1
                await asyncio.sleep(random.uniform(0.2, 1))
        assert ids == [applicant[RESERVED] for applicant in asked.applicants]
        wanted = np.array([expected[identifier][1] for identifier in ids])
        # A float64 holds a float32 as it is, so what was rounded on the way would show here as well.
        assert probabilities == wanted.tolist(), asked.number
        assert np.array(probabilities, np.float32).tobytes() == wanted.tobytes()

    async def run() -> None:
        over_http = sum(asked.protocol != "grpc" for asked in requests)
        http = OverHttp(service.port, min(over_http, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2))
        await http.open()
        # Channels to one address share a connection unless told not to.
        options = [("grpc.use_local_subchannel_pool", 1)]
        channels = [grpc.aio.insecure_channel(service.grpc, options=options) for _ in range(CHANNELS)]
        callers = Callers(http, [service_pb2_grpc.GRPCInferenceServiceStub(channel) for channel in channels], way)
        try:
            async with asyncio.TaskGroup() as group:
                for asked in requests:
                    group.create_task(one(callers, asked))
        finally:
            http.close()
            await asyncio.gather(*(channel.close() for channel in channels))

    # One segment, as what is full may be archived before it is read here.
    service = serve(trained, SCORER_SEGMENT_BYTES=str(1 << 30))
    asyncio.run(run())

    batches = [batch for segment in segments(tmp_path / "var") for batch, _ in read(segment)]
    logged = [row for batch in batches for row in batch.rows]
    times = Counter(row.applicant[RESERVED] for row in logged)
    assert set(times.values()) == {1}, "in the log twice"
    assert times.keys() == expected.keys()
    for row in logged:
        protocol, probability = expected[row.applicant[RESERVED]]
        assert (row.protocol, row.probability) == (protocol, probability)
    mixed = sum(len({row.protocol for row in batch.rows}) > 1 for batch in batches)
    assert "Traceback" not in service.log.read_text()
    assert "private-" not in service.log.read_text()
    say(
        f"{len(requests)} requests of {len(expected)} rows over {len(WAYS)} ways, up to {way.most} of them on the way; "
        f"refused and asked again: {dict(refused) or 'none'}; {len(batches)} batches, {mixed} of several protocols"
    )


def test_a_burst_of_calls_is_answered_or_refused_with_a_time_to_retry(service, german_applicants, size):
    request = of_grpc(1, [german_applicants[0] | {RESERVED: "private-burst"}], raw=True)
    codes: Counter[grpc.StatusCode] = Counter()

    async def one(stub: Any) -> None:
        call = stub.ModelInfer(request)
        codes[await call.code()] += 1

    async def run() -> None:
        async with grpc.aio.insecure_channel(service.grpc) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            await asyncio.gather(*(one(stub) for _ in range(size(4_000, 15_000))))

    asyncio.run(run())
    assert codes[grpc.StatusCode.OK]
    assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}, codes
