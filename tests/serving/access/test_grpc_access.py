"""Where a call over gRPC comes from, without keys: the peer, and whoever a proxy called for."""

import pytest

from configs.service import read_service
from models.errors import Rejected
from serving.access.authenticator import Authenticator
from serving.access.grpc_access import GrpcAccess


class Call:
    """A call as gRPC hands it over."""

    def __init__(self, peer, *metadata):
        self.peer, self.invocation_metadata = lambda: peer, lambda: metadata


HERE, ELSEWHERE = "ipv4:127.0.0.1:50051", "ipv4:192.0.2.7:50051"


@pytest.fixture
def access():
    return GrpcAccess(Authenticator(None), read_service())


def test_this_machine_may_call(access):
    assert access.authorize(Call(HERE), "predict").name == "neighbour"
    access.authorize(Call(HERE, ("user-agent", "x"), ("host", "anything")), "predict")


@pytest.mark.parametrize(
    "call",
    [
        Call(ELSEWHERE),
        Call(HERE, ("x-forwarded-for", "192.0.2.7")),
        Call(HERE, ("x-forwarded-for", "127.0.0.1"), ("x-forwarded-for", "192.0.2.7")),
        Call(HERE, ("x-forwarded-for", "192.0.2.7, 127.0.0.1")),
        Call(HERE, ("x-forwarded-for", "somebody")),
        Call(HERE, ("x-forwarded-for", "127.0.0.1")),
        Call(HERE, ("x-forwarded-for", "")),
        Call(HERE, ("x-real-ip", "127.0.0.1")),
        Call(HERE, ("forwarded", 'for="[::1]:1"')),
        Call(HERE, ("via", "2 proxy")),
    ],
)
def test_another_machine_may_not_nor_whatever_came_by_a_proxy(access, call):
    with pytest.raises(Rejected) as refused:
        access.authorize(call, "predict")
    assert refused.value.status == 403
