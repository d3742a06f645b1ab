"""Bodies that nobody should send: each gets an answer, and none of them is a fault of ours."""

import asyncio
import random
from collections import Counter

import tritonclient.http as triton

from tests.service.tensors import inputs
from tests.torture.conftest import Connection, body_of

CALLERS = 16
INFER = "/v2/models/german_credit/infer"
V2_STATUSES = {200, 400, 413, 415, 422}
BITS = (
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"NaN",
    b"1e999",
    b"-",
    b"\\u0000",
    b"\xff",
    b"\\",
    b" ",
    b"0",
)


def mutate(body, pick):
    """A copy with one to four pieces flipped, cut, doubled, moved or put in."""
    made = bytearray(body)
    for _ in range(pick.randint(1, 4)):
        at, length = pick.randrange(len(made) + 1), pick.choice((1, 1, 3, 20, 200))
        how = pick.randrange(6)
        if how == 0 and at < len(made):
            made[at] ^= 1 << pick.randrange(8)
        elif how == 1:
            del made[at : at + length]
        elif how == 2:
            made[at:at] = made[at : at + length]
        elif how == 3:
            made[at:at] = pick.choice(BITS)
        elif how == 4:
            made[at : at + length] = pick.randbytes(length)
        else:
            del made[at:]
        if not made:
            return b""
    return bytes(made)


def test_mutated_bodies_are_answered_and_none_is_our_fault(service, german_applicants, size):
    pick = random.Random(1)
    good = [body_of([german_applicants[row] for row in range(n, n + rows)]) for n, rows in ((0, 1), (5, 2), (9, 40))]
    bodies = [mutate(good[index % 3 if index % 20 == 0 else 0], pick) for index in range(size(1500, 100_000))]
    statuses = statuses_of(service.port, [("/predict", body, "") for body in bodies])
    assert set(statuses) <= {200, 400, 413, 422}
    assert set(statuses) >= {200, 400, 422}, "the mutations are too tame, or too wild"


def test_mutated_v2_bodies_in_json_are_answered_and_none_is_our_fault(service, german_applicants, size):
    pick = random.Random(2)
    good = [v2_body(german_applicants[:rows], binary=False)[0] for rows in (1, 3)]
    bodies = [mutate(pick.choice(good), pick) for _ in range(size(500, 20_000))]
    statuses = statuses_of(service.port, [(INFER, body, "") for body in bodies])
    assert set(statuses) <= V2_STATUSES
    assert set(statuses) >= {200, 400, 422}, "the mutations are too tame, or too wild"


def test_mutated_v2_bodies_in_binary_are_answered_and_none_is_our_fault(service, german_applicants, size):
    pick = random.Random(3)
    good = [v2_body(german_applicants[:rows], binary=True) for rows in (1, 3)]
    requests = []
    for _ in range(size(500, 20_000)):
        body, length = pick.choice(good)
        text, behind = body[:length], body[length:]
        changed = pick.sample(("JSON", "behind", "length"), pick.choice((1, 1, 1, 2, 3)))
        text = mutate(text, pick) if "JSON" in changed else text
        behind = mutate(behind, pick) if "behind" in changed else behind
        said = len(text)
        if "length" in changed:
            said = pick.choice((length, said + pick.randint(-3, 3), pick.randint(0, 2 * len(body))))
        requests.append((INFER, text + behind, f"inference-header-content-length: {said}\r\n"))
    statuses = statuses_of(service.port, requests)
    assert set(statuses) <= V2_STATUSES
    assert set(statuses) >= {200, 400, 422}, "the mutations are too tame, or too wild"


def v2_body(applicants, binary):
    """A body of the Open Inference Protocol, and where its JSON ends."""
    tensors = inputs(triton, applicants, binary_data=binary)
    outputs = [triton.InferRequestedOutput("probability", binary_data=binary)]
    return triton.InferenceServerClient.generate_request_body(tensors, outputs)


def statuses_of(port, requests):
    """How often each status was answered to `(path, body, more of the head)`; a 5xx is told with its body at once."""
    statuses = Counter()

    async def ask(part):
        connection = Connection(port)
        for path, body, more in part:
            status, answer = await connection.ask(body, path, more)
            assert status < 500, (status, answer, body, more)
            statuses[status] += 1
        connection.close()

    async def run():
        async with asyncio.TaskGroup() as group:
            for first in range(CALLERS):
                group.create_task(ask(requests[first::CALLERS]))

    asyncio.run(run())
    assert statuses.total() == len(requests)
    return statuses
