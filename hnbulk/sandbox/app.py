"""The API as an ASGI application: reads a request, asks the desk, writes the reply.

It also does to the connection what a fault says. Resetting one needs a listener that offers
`hnbulk.abort` among the extensions of the scope, as `serving` does. No framework stands between
the listener and the desk: this is the path of every request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from hnbulk.messages import Reply
from hnbulk.sandbox.desk import LONGEST_BODY, Desk, Visit
from hnbulk.sandbox.faults import Fault, fault_reply, redirect_reply, spoiled

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


def api_app(desk: Desk) -> Application:
    """The application of a desk."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("this application speaks HTTP only")
        body = await read_body(receive, LONGEST_BODY)
        if body is None:
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        visit = desk.enter(scope["method"], scope["path"], scope["query_string"], headers, body)
        try:
            await _Answering(desk, visit, scope, receive, send).run()
        finally:
            desk.leave(visit)

    return app


async def read_body(receive: Receive, longest: int) -> bytes | None:
    """The whole body, None where the client went away before its end; what is too much is cut off."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        if size <= longest:
            parts.append(part)
        size += len(part)
        more = message.get("more_body", False)
    return b"".join(parts)


class _Answering:
    """One request being answered, with whatever fault it meets."""

    def __init__(self, desk: Desk, visit: Visit, scope: Message, receive: Receive, send: Send) -> None:
        self._desk = desk
        self._visit = visit
        self._scope = scope
        self._receive = receive
        self._send = send

    async def run(self) -> None:
        latency = self._desk.latency
        if latency and self._visit.refused is None:
            await asyncio.sleep(latency)
        fault = self._visit.fault
        if fault is None:
            await self._reply(self._desk.answer(self._visit))
        else:
            await self._trouble(fault)

    async def _trouble(self, fault: Fault) -> None:
        match fault.action:
            case "reset_before":
                await self._abort()
            case "late":
                self._desk.answer_later(self._visit, fault.seconds)
                await self._abort()
            case "status" | "redirect":
                if fault.processed:
                    self._desk.answer(self._visit)
                request = self._visit.request
                leads_on = fault.action == "redirect"
                await self._reply(redirect_reply(fault, request) if leads_on else fault_reply(fault))
            case "delay":
                await asyncio.sleep(fault.seconds)
                await self._reply(self._desk.answer(self._visit))
            case "reset_after":
                self._desk.answer(self._visit)
                await self._abort()
            case "ignore_filter" | "list_lag" | "swap" | "double_name":  # the desk has asked accordingly
                await self._reply(self._desk.answer(self._visit))
            case "truncated":
                await self._truncated(self._desk.answer(self._visit))
            case "drip":
                await self._drip(self._desk.answer(self._visit), fault)
            case _:
                reply = self._desk.answer(self._visit)
                await self._reply(spoiled(fault, reply, self._visit.request))

    async def _reply(self, reply: Reply) -> None:
        await self._start(reply)
        await self._send({"type": "http.response.body", "body": reply.body})

    async def _start(self, reply: Reply) -> None:
        self._visit.line["sent"] = reply.status
        headers = self._desk.headers(self._visit, reply)
        await self._send({"type": "http.response.start", "status": reply.status, "headers": headers})

    async def _truncated(self, reply: Reply) -> None:
        await self._start(reply)
        half = reply.body[: len(reply.body) // 2]
        await self._send({"type": "http.response.body", "body": half, "more_body": True})
        await asyncio.sleep(0.02)  # the half is on its way before the connection goes
        await self._abort()

    async def _drip(self, reply: Reply, fault: Fault) -> None:
        await self._start(reply)
        size = fault.bytes or 16
        for place in range(0, len(reply.body), size):
            piece = reply.body[place : place + size]
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(fault.seconds)
        await self._send({"type": "http.response.body", "body": b""})

    async def _abort(self) -> None:
        """The connection is reset: the client gets no reply, or no more of it."""
        abort = self._scope.get("extensions", {}).get("hnbulk.abort")
        if abort is None:
            raise RuntimeError("this listener cannot reset a connection")
        abort()
        while (await self._receive())["type"] != "http.disconnect":
            pass
