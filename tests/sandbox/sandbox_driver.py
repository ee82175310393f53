"""What the sandbox's tests share: one sandbox driven without HTTP, and one behind a real listener."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from hnbulk.messages import Request
from hnbulk.sandbox import Sandbox, build_sandbox
from hnbulk.sandbox.refusals import Person
from hnbulk.serving import serve

ORDERS = "/HostedNumbers/HostedNumberOrders"
LETTERS = "/HostedNumbers/AuthorizationDocuments"
PLAIN = "+14155550123"
FIXED = "+19075550"  # and three digits of the table of fixed fates
ADDRESS = "AD" + "1" * 32
DOCUMENT = "RI" + "2" * 32
HOUR = 3600
DAY = 24 * HOUR


class Driver:
    """A sandbox whose service is asked directly; parameters go as keywords, lists repeat the name."""

    def __init__(self, **options: Any) -> None:
        self.sandbox: Sandbox = build_sandbox(**options)
        self.service = self.sandbox.desk.service
        subs = {sub.sid for sub in self.sandbox.subaccounts}
        self.person = Person(self.sandbox.account_sid, frozenset({self.sandbox.account_sid, *subs}))

    def send(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        person: Any = None,
        **form: Any,
    ) -> tuple[int, Any]:
        """Status and JSON document of one request."""
        pairs = [(k, str(one)) for k, v in form.items() for one in (v if isinstance(v, list) else [v])]
        request = Request(method, path, tuple((query or {}).items()), tuple(pairs), "http://127.0.0.1:1")
        reply = self.service.answer(request, person or self.person, self.sandbox.clock.now()).reply
        return reply.status, json.loads(reply.body) if reply.body else None

    def create(self, phone_number: str = PLAIN, **form: Any) -> dict[str, Any]:
        """A new order, which is not refused."""
        status, order = self.send("POST", ORDERS, PhoneNumber=phone_number, SmsCapability="true", **form)
        assert status == 201, order
        return order

    def refused(self, method: str, path: str, **form: Any) -> int:
        """The error code of a request that is refused."""
        status, document = self.send(method, path, **form)
        assert status >= 400, document
        assert document["status"] == status
        return document["code"]

    def refused_create(self, phone_number: str = PLAIN, **form: Any) -> int:
        """The error code of a create that is refused."""
        given = {"PhoneNumber": phone_number, "SmsCapability": "true", **form}
        return self.refused("POST", ORDERS, **given)

    def update(self, sid: str, **form: Any) -> tuple[int, Any]:
        """An update of an order."""
        return self.send("POST", f"{ORDERS}/{sid}", **form)

    def call(self, sid: str) -> tuple[int, Any]:
        """A verification call is asked for."""
        return self.update(sid, Status="pending-verification")

    def order(self, sid: str) -> dict[str, Any]:
        """The order as it is now."""
        status, order = self.send("GET", f"{ORDERS}/{sid}")
        assert status == 200, order
        return order

    def status(self, sid: str) -> str:
        """The order's status now."""
        return self.order(sid)["status"]

    def wait(self, seconds: float) -> None:
        """Time goes on."""
        self.sandbox.clock.advance(seconds)

    def received(self, ending: str = "170", **form: Any) -> str:
        """The sid of an order that has passed its check."""
        sid = self.create(FIXED + ending, **form)["sid"]
        self.wait(36 * HOUR)
        return sid

    def verified(self, ending: str = "170", **form: Any) -> str:
        """The sid of an order whose number is verified."""
        sid = self.received(ending, **form)
        self.call(sid)
        self.wait(300)
        assert self.status(sid) == "verified"
        return sid

    def letter(self, *sids: str, **form: Any) -> tuple[int, Any]:
        """A letter for these orders."""
        given = {
            "HostedNumberOrderSids": list(sids),
            "AddressSid": ADDRESS,
            "Email": "owner@example.com",
            "ContactTitle": "Owner",
            "ContactPhoneNumber": "+14155550100",
            **form,
        }
        return self.send("POST", LETTERS, **given)

    def truth(self, sid: str) -> dict[str, Any]:
        """The order as the world knows it."""
        return next(order for order in self.sandbox.orders() if order["sid"] == sid)

    def path_of(self, sid: str) -> list[str]:
        """The statuses the order went through."""
        return [event["status"] for event in self.truth(sid)["history"]]


@dataclass
class Served:
    """A sandbox behind real listeners."""

    sandbox: Sandbox
    url: str
    admin_url: str
    api: httpx.Client
    admin: httpx.Client

    def create(self, phone_number: str = PLAIN, **form: str) -> httpx.Response:
        """A create over HTTP."""
        return self.api.post(ORDERS, data={"PhoneNumber": phone_number, "SmsCapability": "true", **form})


@contextmanager
def served(**options: Any) -> Iterator[Served]:
    """A sandbox that accepts connections, with a client for the API and one for administration."""
    sandbox = build_sandbox(**options)
    login = (sandbox.account_sid, sandbox.auth_token)
    token = {"Authorization": f"Bearer {sandbox.admin_token}"}
    with (
        serve(sandbox.api) as api,
        serve(sandbox.admin) as admin,
        httpx.Client(base_url=api.url, auth=login, trust_env=False, verify=False) as client,
        httpx.Client(base_url=admin.url, headers=token, trust_env=False, verify=False) as administrator,
    ):
        yield Served(sandbox, api.url, admin.url, client, administrator)
