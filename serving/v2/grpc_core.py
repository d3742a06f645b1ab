"""A gRPC server on gRPC's C core: what `grpc.aio.server` is, for a third of its processor time.

Owns the completion queue, and giving its events to the event loop, as many at a time as there are: `grpc.aio` wakes the
loop and makes several tasks per call, which takes 380 us of processor time where this takes 110, of which the core
takes most. Leaves a call to `grpc_call`, and which calls there are to its handlers (`grpc_server`).

The core has no public way in from Python: `grpc._cython.cygrpc` is what `grpc.server` and `grpc.aio` are made of.
Only this module and `grpc_call` touch it; tests/serving/v2/test_grpc_core.py fails where it has changed. Why:
docs/decisions/0026-grpc-without-grpc-aio.md.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from threading import Thread
from typing import Any

from grpc import StatusCode
from grpc._cython import cygrpc

from serving.v2.grpc_call import GrpcCall, Handler

REQUESTED_CALLS = 64  # for which the core has a place, so that it hands over a burst without waiting for the loop
FOREVER = None
_ARRIVAL = object()  # the tag of an event that is a new call; that of any other is a function that takes the event


class GrpcCore:
    """A server.

    Args:
        options: of gRPC's core, by name.
        handlers: of the calls, by path: `/service/method`.
    """

    def __init__(self, options: Sequence[tuple[str, int]], handlers: Mapping[str, Handler]) -> None:
        self._handlers = {path.encode(): handler for path, handler in handlers.items()}
        self._queue = cygrpc.CompletionQueue()
        self._server = cygrpc.Server(tuple(options), False)
        self._server.register_completion_queue(self._queue)
        self._events: deque[Any] = deque()
        self._woken = False
        self._thread = Thread(target=self._poll, name="grpc-events", daemon=True)

    def listen(self, address: str, credentials: Any = None) -> int:
        """Listen on `host:port` once started, with TLS if there are credentials (`grpc.ssl_server_credentials`).

        Returns:
            The port, if that of the address is 0.

        Raises:
            RuntimeError: the address is taken, or none.
        """
        arguments = () if credentials is None else (credentials._credentials,)  # noqa: SLF001 - as `grpc.server` does
        port = int(self._server.add_http2_port(address.encode(), *arguments))
        if not port:
            raise RuntimeError(f"gRPC cannot listen on {address}")
        return port

    def start(self) -> None:
        """Answer from now on, on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._server.start()
        for _ in range(REQUESTED_CALLS):
            self._request_call()
        self._thread.start()

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, let running ones finish in `grace_s` seconds, cancel the others, and free everything."""
        ended: asyncio.Future[None] = self._loop.create_future()
        self._server.shutdown(self._queue, lambda _: ended.set_result(None))
        await asyncio.wait([ended], timeout=grace_s)
        if not ended.done():
            self._server.cancel_all_calls()
            await ended
        self._server.destroy()
        self._queue.shutdown()
        await asyncio.to_thread(self._thread.join)

    def _request_call(self) -> None:
        self._server.request_call(self._queue, self._queue, _ARRIVAL)

    def _poll(self) -> None:
        """In a thread: wait for events, which takes no interpreter lock, and wake the loop for the first of several."""
        with contextlib.suppress(RuntimeError):  # the loop was closed: the process ends
            while True:
                event = self._queue.poll(FOREVER)
                if event.completion_type == cygrpc.CompletionType.queue_shutdown:
                    return
                self._events.append(event)
                del event  # or its call would live until the next event
                if not self._woken:
                    self._woken = True
                    self._loop.call_soon_threadsafe(self._take)

    def _take(self) -> None:
        self._woken = False  # before looking: what comes from now on wakes the loop again
        events = self._events
        for _ in range(len(events)):
            event = events.popleft()
            if event.tag is _ARRIVAL:
                self._begin(event)
            else:
                event.tag(event)

    def _begin(self, event: Any) -> None:
        if not event.success:  # the server stops
            return
        self._request_call()
        handler = self._handlers.get(event.call_details.method)
        call = GrpcCall(event, self._loop)
        if handler is None:
            call.end(StatusCode.UNIMPLEMENTED, "Method not found!")
        else:
            call.run(handler)
