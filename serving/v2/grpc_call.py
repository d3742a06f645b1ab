"""One gRPC call, as its handler sees it: who calls, messages in, messages or an error out.

Owns the operations of gRPC's core for a call, and its end. Nothing of a message is read before a handler asks for it.
Leaves the events to `grpc_core`.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn

from google.protobuf.message import Message
from grpc import StatusCode
from grpc._cython import cygrpc

Handler = Callable[["GrpcCall"], Awaitable[bytes | Message | None]]
Metadata = Sequence[tuple[str, str | bytes]]
NO_FLAGS = 0
NEVER_S = 1e12  # seconds since 1970; the core says 2**63 for "no deadline"
logger = logging.getLogger("bentoml.scorer")


class AbortError(Exception):
    """Ends a handler whose call has been answered with an error."""


class GrpcCall:
    """A call; its methods are those of `grpc.aio.ServicerContext`, which services of gRPC's packages take.

    Args:
        event: of the core, that it has arrived.
        loop: on which it is answered.
    """

    def __init__(self, event: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._call = event.call
        self._metadata: Metadata = event.invocation_metadata
        self._deadline_s: float = event.call_details.deadline
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._headed = self._ended = False

    def run(self, handler: Handler) -> None:
        """Answer the call with what `handler` returns, or with the messages that it writes and nothing more."""
        self._call.start_server_batch((cygrpc.ReceiveCloseOnServerOperation(NO_FLAGS),), self._on_close)
        self._task = self._loop.create_task(self._run(handler))

    async def _run(self, handler: Handler) -> None:
        try:
            self.end(StatusCode.OK, "", answer=await handler(self))
        except (AbortError, asyncio.CancelledError):
            self.end(StatusCode.CANCELLED, "")  # which sends nothing where an error was sent
        except Exception:
            logger.exception("answering a gRPC call")
            self.end(StatusCode.INTERNAL, "an unforeseen fault")

    def _on_close(self, event: Any) -> None:
        if event.batch_operations[0].cancelled() and self._task:
            self._task.cancel()

    def read(self) -> "asyncio.Future[bytes | None]":
        """The next message, None if there is none; who does not want it any more may set another result."""
        message: asyncio.Future[bytes | None] = self._loop.create_future()

        def on_message(event: Any) -> None:
            if not message.done():
                message.set_result(event.batch_operations[0].message())

        self._call.start_server_batch((cygrpc.ReceiveMessageOperation(NO_FLAGS),), on_message)
        return message

    async def messages(self, kind: type[Message]) -> AsyncIterator[Message]:
        """All messages, parsed; raises `DecodeError`."""
        while (body := await self.read()) is not None:
            yield kind.FromString(body)

    async def write(self, message: bytes | Message) -> None:
        """Send a message of several, and wait until gRPC has taken it."""
        taken: asyncio.Future[None] = self._loop.create_future()

        def on_taken(_: Any) -> None:
            if not taken.done():
                taken.set_result(None)

        self._call.start_server_batch(
            (*self._head(), cygrpc.SendMessageOperation(_encoded(message), NO_FLAGS)), on_taken
        )
        await taken

    async def abort(self, code: StatusCode, details: str = "", trailing_metadata: Metadata = ()) -> NoReturn:
        """End the call with an error, and its handler."""
        self.end(code, details, trailing_metadata)
        raise AbortError

    def end(
        self, code: StatusCode, details: str, trailing: Metadata = (), answer: bytes | Message | None = None
    ) -> None:
        """Send the status, after `answer` if there is one; nothing if it has been sent."""
        if self._ended:
            return
        self._ended = True
        sent = () if answer is None else (cygrpc.SendMessageOperation(_encoded(answer), NO_FLAGS),)
        status = cygrpc.SendStatusFromServerOperation(trailing, code.value[0], details.encode(), NO_FLAGS)
        self._call.start_server_batch((*self._head(), *sent, status), _ignored)

    def _head(self) -> tuple[Any, ...]:
        if self._headed:
            return ()
        self._headed = True
        return (cygrpc.SendInitialMetadataOperation(None, NO_FLAGS),)

    def invocation_metadata(self) -> Metadata:
        """Names and values that came with the call; values are bytes where the name ends in `-bin`."""
        return self._metadata

    def peer(self) -> str:
        """Who calls, as gRPC writes it: `ipv4:127.0.0.1:50051`."""
        return str(self._call.peer().decode())

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        """What TLS knows of the caller."""
        properties = cygrpc.auth_context(self._call) or {}
        return {name.decode(): values for name, values in properties.items()}

    def time_remaining(self) -> float | None:
        """Seconds for which the caller waits; None without a deadline."""
        return None if self._deadline_s > NEVER_S else max(self._deadline_s - time.time(), 0.0)


def _encoded(message: bytes | Message) -> bytes:
    return message if isinstance(message, bytes) else bytes(message.SerializeToString())


def _ignored(_: Any) -> None:
    """For the event that a status has been sent: nobody waits for it."""
