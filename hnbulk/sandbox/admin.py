"""Administration as a second ASGI application: the clock, the truth, the ledger, faults and fates.

It has its own address and its own bearer token and is no part of the API. What it shows is what
the world knows, not what a client could have learned.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hnbulk.sandbox.clock import seconds_of, stamp
from hnbulk.sandbox.desk import Desk, is_served
from hnbulk.sandbox.faults import Fault
from hnbulk.sandbox.nanp import judge
from hnbulk.sandbox.openapi import describe
from hnbulk.sandbox.records import encode
from hnbulk.sandbox.state import put_state, take_state
from hnbulk.sandbox.truth import callbacks_of, calls_of, ledger_of, orders_of
from hnbulk.sandbox.world import give_fates

Handler = Callable[[Request], Awaitable[Response]]
#: The longest document that is read: a state of many orders.
LONGEST = 1 << 30


def admin_app(desk: Desk, token: str) -> Starlette:
    """The application that administers the sandbox of `desk` for whoever has `token`."""
    admin = _Admin(desk, token)
    routes = {
        ("/clock", "GET"): admin.clock,
        ("/clock", "POST"): admin.advance,
        ("/orders", "GET"): admin.orders,
        ("/ledger", "GET"): admin.ledger,
        ("/calls", "GET"): admin.calls,
        ("/callbacks", "GET"): admin.callbacks,
        ("/faults", "GET"): admin.faults,
        ("/faults", "POST"): admin.set_faults,
        ("/faults", "DELETE"): admin.clear_faults,
        ("/fates", "GET"): admin.fates,
        ("/fates", "POST"): admin.give_fates,
        ("/state", "GET"): admin.state,
        ("/state", "PUT"): admin.put,
        ("/openapi.json", "GET"): admin.openapi,
    }
    return Starlette(
        routes=[
            Route(path, admin.guarded(handler), methods=[method])
            for (path, method), handler in routes.items()
        ]
    )


class _Admin:
    def __init__(self, desk: Desk, token: str) -> None:
        self._desk = desk
        self._token = token.encode()

    def guarded(self, handler: Handler) -> Handler:
        """The handler, for who has the token; wrong input is answered with 400."""

        async def guarded(request: Request) -> Response:
            if not is_served(request.headers.get("host", "")):
                return JSONResponse({"message": "this is not that host"}, 421)
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not secrets.compare_digest(given.encode(), self._token):
                return JSONResponse({"message": "a bearer token is needed"}, 401)
            try:
                return await handler(request)
            except ValueError as error:
                return JSONResponse({"message": str(error)}, 400)

        return guarded

    async def clock(self, _: Request) -> Response:
        return self._time()

    async def advance(self, request: Request) -> Response:
        document = await _read(request, dict)
        seconds = document.get("advance")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise ValueError('the clock takes {"advance": seconds}')
        self._desk.clock.advance(seconds)
        self._desk.service.settle(seconds_of(self._desk.clock.now()))
        return self._time()

    async def orders(self, _: Request) -> Response:
        return _lines(orders_of(self._desk))

    async def ledger(self, request: Request) -> Response:
        after = request.query_params.get("after", "0")
        if not (after.isascii() and after.isdecimal()):
            raise ValueError("after is the number of a request")
        return _lines(ledger_of(self._desk, after=int(after[:18])))

    async def calls(self, _: Request) -> Response:
        return _lines(calls_of(self._desk))

    async def callbacks(self, _: Request) -> Response:
        return _lines(callbacks_of(self._desk))

    async def faults(self, _: Request) -> Response:
        return JSONResponse([rule.as_rule() for rule in self._desk.faults.rules])

    async def set_faults(self, request: Request) -> Response:
        document = await _read(request, list, dict)
        rules = [Fault.read(rule) for rule in (document if isinstance(document, list) else [document])]
        with self._desk.service.world.lock:
            self._desk.faults.set(rules)
        return JSONResponse({"rules": len(rules)})

    async def clear_faults(self, _: Request) -> Response:
        with self._desk.service.world.lock:
            self._desk.faults.set([])
        return JSONResponse({"rules": 0})

    async def fates(self, _: Request) -> Response:
        return JSONResponse(self._desk.service.world.fates)

    async def give_fates(self, request: Request) -> Response:
        document = await _read(request, list, dict)
        given = document if isinstance(document, list) else [document]
        for one in given:
            if not isinstance(one, dict) or set(one) != {"phone_number", "fate"}:
                raise ValueError('a fate is {"phone_number": "+1...", "fate": name}')
            if judge(str(one["phone_number"])) == 22102:
                raise ValueError("phone_number is not a number in E.164 format")
        with self._desk.service.world.lock:
            give_fates(self._desk.service.world, {one["phone_number"]: str(one["fate"]) for one in given})
        return JSONResponse({"fates": len(given)})

    async def state(self, _: Request) -> Response:
        return Response(encode(take_state(self._desk)), media_type="application/json")

    async def put(self, request: Request) -> Response:
        put_state(self._desk, await _read(request, dict))
        return self._time()

    async def openapi(self, _: Request) -> Response:
        return JSONResponse(describe(self._desk.service.world.settings))

    def _time(self) -> Response:
        now = stamp(seconds_of(self._desk.clock.now()))
        return JSONResponse({"now": now, "mode": self._desk.clock.mode, "speed": self._desk.clock.speed})


async def _read(request: Request, *kinds: type) -> Any:
    """The JSON document of a request. Raises `ValueError` for anything else."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LONGEST:
            raise ValueError("the body is longer than any state")
    try:
        document = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ValueError("the body is not a JSON document") from None
    if not isinstance(document, kinds):
        raise ValueError("the body is not the JSON document this takes")
    return document


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _lines(documents: Iterable[dict[str, Any]]) -> Response:
    body = b"".join(encode(document) + b"\n" for document in documents)
    return Response(body, media_type="application/jsonl")
