"""Users of V2 inference over gRPC.

`grpc` has to know gevent before its first channel, or a call would stop every other user: this module does that when
it is imported, as only locust's processes do.
"""

import time

import grpc
import grpc.experimental.gevent
from locust import User, events, task

from loadtests.clients.sending import PATIENCE_S, Asking, Lost, key_header
from loadtests.mix import CLASSES
from loadtests.payloads.applicants import Applicant
from loadtests.payloads.messages import CALL, Messages

grpc.experimental.gevent.init_gevent()

PUSHBACK = "grpc-retry-pushback-ms"  # which the service sends with UNAVAILABLE, and a broken connection does not
# Statuses that the library gives itself to a call without an answer of the service.
UNANSWERED = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
)


class GrpcUser(Asking, User):  # type: ignore[misc] # locust is not installed where types are checked
    """Open Inference over gRPC, on a channel of its own."""

    kind, weight = "grpc", CLASSES["grpc"].weight

    def on_start(self) -> None:
        """Called by locust."""
        self.begin()
        # Without a pool of their own, the channels of all users would share one connection.
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(self.environment.parsed_options.grpc_target, options)
        self.call = self.channel.unary_unary(CALL)
        self.messages = Messages()
        self.metadata = tuple(key_header().items())

    def on_stop(self) -> None:
        """Called by locust."""
        self.channel.close()

    @task
    def infer(self) -> None:
        """One call."""
        self.book(self.send)

    def send(self, them: list[Applicant]) -> str | None:
        """One call; as `Asking.book` wants it."""
        message, answer, failure = self.messages.request(self.model, them[0]), b"", None
        begin_s = time.perf_counter()
        try:
            answer = self.call(message, timeout=PATIENCE_S, metadata=self.metadata)
        except grpc.RpcError as error:
            failure = error
        events.request.fire(
            request_type="gRPC",
            name=self.kind,
            response_time=(time.perf_counter() - begin_s) * 1000,
            response_length=len(answer),
            exception=failure,
            context={},
        )
        if failure is None:
            if not self.messages.is_about(answer, them[0]):
                raise Lost("a response about somebody else")
            return None
        code, details = failure.code(), failure.details()
        pushed_back = PUSHBACK in dict(failure.trailing_metadata() or ())
        if code in UNANSWERED and not pushed_back:
            raise Lost(f"{code.name}: {details}")
        return f"{code.name} {details}"
