"""Calls on gRPC's core, from gRPC's own client: messages, errors, calls that are given up, and the end of the server.

These tests fail where `grpc._cython.cygrpc` has changed, which no release of gRPC promises not to do.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from grpc import StatusCode

from serving.v2.grpc_core import GrpcCore


def asked(handler: Any, ask: Callable[[grpc.aio.Channel, GrpcCore], Awaitable[Any]]) -> Any:
    """What `ask` returns, given a channel to a server that answers `/a/b` with `handler`."""

    async def run() -> Any:
        server = GrpcCore((), {"/a/b": handler})
        port = server.listen("127.0.0.1:0")
        server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                return await ask(channel, server)
        finally:
            await server.stop(0)

    return asyncio.run(asyncio.wait_for(run(), 30))


async def echo(call):
    return await call.read()


async def wait_for_ever(call):
    await asyncio.get_running_loop().create_future()


def test_hundreds_of_calls_at_once_get_each_its_own_answer():
    async def ask(channel, _):
        call = channel.unary_unary("/a/b")
        return await asyncio.gather(*(call(b"%d" % number) for number in range(300)))

    assert asked(echo, ask) == [b"%d" % number for number in range(300)]


def test_a_handler_sees_who_calls_with_what_and_for_how_long():
    seen = []

    async def look(call):
        seen.append((call.peer(), dict(call.invocation_metadata()), call.auth_context(), call.time_remaining()))
        return b""

    async def ask(channel, _):
        await channel.unary_unary("/a/b")(b"", metadata=(("x-name", "value"), ("x-bytes-bin", b"\xff")), timeout=5)
        await channel.unary_unary("/a/b")(b"")

    asked(look, ask)
    (peer, metadata, properties, remaining_s), (*_, for_ever_s) = seen
    assert peer.startswith("ipv4:127.0.0.1:")
    assert (metadata["x-name"], metadata["x-bytes-bin"]) == ("value", b"\xff")
    assert properties.get("transport_security_type", [b"none"])[0] in {b"none", b"insecure"}
    assert 0 < remaining_s < 6  # the core rounds a deadline up
    assert for_ever_s is None


def test_streams_of_messages_go_both_ways_until_the_caller_has_no_more():
    async def double(call):
        while (message := await call.read()) is not None:
            await call.write(message * 2)

    async def ask(channel, _):
        stream = channel.stream_stream("/a/b")(iter([b"a", b"b", b"c"]))
        return [message async for message in stream], await stream.code()

    assert asked(double, ask) == ([b"aa", b"bb", b"cc"], StatusCode.OK)


async def status(call):
    """Code, words and trailing metadata of an answer."""
    return await call.code(), await call.details(), dict(await call.trailing_metadata())


def test_an_error_has_code_words_and_metadata_and_ends_the_handler():
    reached = []

    async def refuse(call):
        await call.abort(StatusCode.NOT_FOUND, "no such thing", (("x-why", "because"),))
        reached.append("more")

    async def ask(channel, _):
        return await status(channel.unary_unary("/a/b")(b""))

    assert asked(refuse, ask) == (StatusCode.NOT_FOUND, "no such thing", {"x-why": "because"})
    assert reached == []


def test_an_unforeseen_exception_is_logged_and_says_nothing_and_the_next_call_is_answered(caplog):
    async def fail_once(call):
        if await call.read() == b"fail":
            raise ValueError("secret")
        return b"good"

    async def ask(channel, _):
        call = channel.unary_unary("/a/b")
        return await status(call(b"fail")), await call(b"")

    (code, words, _), answer = asked(fail_once, ask)
    assert (code, "secret" in words, answer) == (StatusCode.INTERNAL, False, b"good")
    assert "ValueError: secret" in caplog.text


def test_a_call_that_nobody_knows_is_unimplemented():
    async def ask(channel, _):
        return (await status(channel.unary_unary("/a/c")(b"")))[0]

    assert asked(echo, ask) == StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("how", ["cancelled", "past its deadline", "disconnected"])
def test_the_handler_of_a_call_that_was_given_up_is_cancelled(how):
    ended = asyncio.Event()

    async def note(call):
        try:
            await wait_for_ever(call)
        except asyncio.CancelledError:
            ended.set()
            raise

    async def ask(channel, _):
        waiting = channel.unary_unary("/a/b")(b"", timeout=0.5 if how == "past its deadline" else None)
        await channel.channel_ready()
        await asyncio.sleep(0.2)
        if how == "cancelled":
            waiting.cancel()
        elif how == "disconnected":
            await channel.close()
        await ended.wait()
        return how

    assert asked(note, ask) == how


def test_a_message_that_was_read_too_late_is_dropped_and_the_call_answered():
    async def impatient(call):
        message = call.read()
        message.set_result(b"nothing came")
        return await message

    async def ask(channel, _):
        return await channel.unary_unary("/a/b")(b"late")

    assert asked(impatient, ask) == b"nothing came"


def test_a_server_that_stops_lets_calls_finish_for_the_grace_and_cancels_the_others():
    async def slow(call):
        seconds = float(await call.read())
        await asyncio.sleep(seconds)
        return b"done"

    async def ask(channel, server):
        call = channel.unary_unary("/a/b")
        quick, endless = call(b"0.5"), call(b"3600")
        await channel.channel_ready()
        await asyncio.sleep(0.2)
        await server.stop(1.5)
        return await quick, await endless.code()

    async def run():
        server = GrpcCore((), {"/a/b": slow})
        port = server.listen("127.0.0.1:0")
        server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            return await ask(channel, server)

    answer, code = asyncio.run(asyncio.wait_for(run(), 30))
    assert answer == b"done"
    assert code in {StatusCode.CANCELLED, StatusCode.UNAVAILABLE}  # by what arrives first: the call's end, or all's


def test_a_port_that_is_taken_is_an_error():
    async def run():
        first, second = GrpcCore((("grpc.so_reuseport", 0),), {}), GrpcCore((("grpc.so_reuseport", 0),), {})
        port = first.listen("127.0.0.1:0")
        with pytest.raises(RuntimeError, match=str(port)):
            second.listen(f"127.0.0.1:{port}")

    asyncio.run(run())
