"""Connections without a request: over HTTP they end after `keep_alive_s`, over gRPC they do not end at all."""

import socket
import time

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from configs.service import read_service

KEEP_ALIVE_S = 6  # more than the 5 s of uvicorn, whose own timer must not be in the way
BALANCERS_S = 60  # of AWS and nginx


def test_an_idle_connection_is_kept_for_as_long_as_the_setting_says_over_both_protocols(trained, serve):
    server = serve(trained, SCORER_KEEP_ALIVE_S=str(KEEP_ALIVE_S))
    states: list[grpc.ChannelConnectivity] = []
    with (
        grpc.insecure_channel(server.grpc) as channel,
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as fresh,
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as used,
    ):
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        assert stub.ServerLive(service_pb2.ServerLiveRequest()).live
        channel.subscribe(states.append)
        used.sendall(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b"\r\n\r\n\n"):  # head and body may come apart
            answer += used.recv(65536)
        began_s = time.monotonic()
        for connection in (used, fresh):
            assert connection.recv(65536) == b"", "closed without a word, as the protocol has it"
        assert time.monotonic() - began_s > KEEP_ALIVE_S - 1, "an idle connection was closed too early"
        assert stub.ServerLive(service_pb2.ServerLiveRequest()).live
        assert set(states) == {grpc.ChannelConnectivity.READY}, "gRPC has had one connection all the time"


def test_by_default_a_connection_is_kept_longer_than_by_the_usual_load_balancers():
    assert read_service().keep_alive_s > BALANCERS_S
