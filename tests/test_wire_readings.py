"""Each rule of `wire`, swapped for a wrong reading of the API, goes wrong against the real sandbox.

Client and sandbox read the reference page independently. Here every goal is reached with the rules
as `wire` has them, and is missed, visibly, with any one of them swapped: so the two cannot share a
mistake, and no rule is idle.
"""

from __future__ import annotations

import http.client
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from pydantic import SecretStr

from hnbulk import wire
from hnbulk.client import Client
from hnbulk.messages import Reply, Request
from hnbulk.sandbox import Sandbox, build_sandbox
from hnbulk.sandbox.refusals import Person
from hnbulk.sandbox.state import put_state, take_state
from hnbulk.serving import serve
from hnbulk.settings import Credentials
from hnbulk.wire import PREVIEW, Dialect

ORDERS = PREVIEW.orders
LETTERS = PREVIEW.letters
NEW = "+12125550119"
HOUR = 3600
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Sent:
    """A request as bytes on the wire, where it is not what a `Request` would send."""

    method: str
    target: str
    body: bytes = b""
    kind: str = FORM


@dataclass(frozen=True)
class Way:
    """How the API is read: as `wire` does, but for what is given. `page` gives the next page's request."""

    dialect: Dialect = PREVIEW
    send: Callable[[Request], Request | Sent] = lambda request: request
    key: str = "items"
    page: Callable[[Request, Any], Request | None] = lambda _, page: (
        wire.follow(PREVIEW, page["meta"]["next_page_url"]) if page["meta"]["next_page_url"] else None
    )


@dataclass
class Bench:
    """A served sandbox with a few orders and letters, the same before every test."""

    sandbox: Sandbox
    client: Client
    names: dict[str, str] = field(default_factory=dict)
    codes: list[int | None] = field(default_factory=list)

    def send(self, what: Request | Sent) -> Any:
        """The document of a reply, None where it has none; its error code is noted."""
        if isinstance(what, Request):
            reply = self.client.send(what)
            assert isinstance(reply, Reply), reply
            status, body = reply.status, reply.body
        else:
            status, body = self._send_bytes(what)
        document = json.loads(body) if body else None
        self.codes.append(document["code"] if status >= 400 else None)
        return document

    def _send_bytes(self, sent: Sent) -> tuple[int, bytes]:
        login = b64encode(f"{self.sandbox.account_sid}:{self.sandbox.auth_token}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": sent.kind}
        connection = http.client.HTTPConnection(urlsplit(self.client.base_url).netloc, timeout=10)
        try:
            connection.request(sent.method, sent.target, sent.body, headers)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def walk(self, way: Way, request: Request) -> list[str]:
        """The sids of every page of a list."""
        sids: list[str] = []
        following: Request | None = request
        while following is not None and len(self.codes) < 20:
            page = self.send(way.send(following))
            if self.codes[-1] is not None:
                break
            sids += [item["sid"] for item in page.get(way.key, ())]
            following = way.page(following, page)
        return sids

    def truth(self, name: str) -> dict[str, Any]:
        """An order as the world knows it."""
        return next(order for order in self.sandbox.orders() if order["sid"] == self.names[name])

    def letter(self, name: str) -> Any:
        """A letter as the world knows it."""
        return self.sandbox.desk.service.world.books.letters[self.names[name]]

    def setting(self, sid: str) -> dict[str, str]:
        """What is set on an incoming phone number."""
        return self.sandbox.desk.service.world.books.numbers[sid].settings


def prepare(sandbox: Sandbox) -> dict[str, str]:
    """Nine orders and two letters are there; the names of those a test is about, with their sids."""
    person = Person(sandbox.account_sid, frozenset({sandbox.account_sid}))

    def ask(request: Request) -> Any:
        reply = sandbox.desk.service.answer(request, person, sandbox.clock.now()).reply
        assert reply.status < 300, reply.body
        return json.loads(reply.body)

    def create(line: int, fate: str) -> Any:
        number = f"+1212555{line:04d}"
        sandbox.set_fate(number, fate)
        sandbox.clock.advance(1)
        fields = {"phone_number": number, "friendly_name": f"Branch {line}", "unique_name": f"name-{line}"}
        return ask(wire.create_order(PREVIEW, fields))["sid"]

    names = {name: create(100 + n, "smooth") for n, name in enumerate(("first", "a", "b", "c", "d"))}
    names["ringing"] = create(105, "never-answers")
    for line in (106, 107, 108, 109, 110):
        create(line, "sms-enabled")
    sandbox.clock.advance(36 * HOUR)
    for name in ("a", "b", "c", "d", "ringing"):
        ask(wire.ask_verification(PREVIEW, names[name]))
    sandbox.clock.advance(300)
    for name, sid, email in (("letter", "c", "c@example.com"), ("other", "d", "d@example.com")):
        fields = {**LETTER, "hosted_number_order_sids": [names[sid]], "email": email}
        names[name] = ask(wire.create_letter(PREVIEW, fields))["sid"]
    ask(wire.update_letter(PREVIEW, names["other"], {"status": "opened"}))
    return names


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Bench, dict[str, Any]]]:
    """One sandbox for all, and its state at the start."""
    sandbox = build_sandbox(seed=7)
    names = prepare(sandbox)
    account = sandbox.account_sid
    with (
        serve(sandbox.api) as server,
        Client(server.url, Credentials(account, account, SecretStr(sandbox.auth_token))) as client,
    ):
        yield Bench(sandbox, client, names), take_state(sandbox.desk)


@pytest.fixture
def bench(served: tuple[Bench, dict[str, Any]]) -> Bench:
    """The sandbox as it was at the start."""
    bench, state = served
    put_state(bench.sandbox.desk, state)
    bench.codes.clear()
    return bench


# What a client wants of the API. Each is done a way, and tells whether the world is then as wanted.

ADDRESS = "AD" + "1" * 32
CREATE: dict[str, Any] = {
    "phone_number": NEW,
    "friendly_name": "Shop & Söhne",
    "unique_name": "new one",
    "cc_emails": ["a@example.com", "b@example.com"],
    "sms_url": "https://example.com/sms?a=1&b=2",
    "sms_method": "GET",
    "sms_fallback_url": "https://example.com/fallback",
    "sms_fallback_method": "GET",
    "status_callback_url": "https://example.com/status",
    "status_callback_method": "GET",
    "sms_application_sid": "AP" + "1" * 32,
    "address_sid": ADDRESS,
    "email": "owner@example.com",
    "verification_type": "phone-bill",
    "verification_document_sid": "RI" + "1" * 32,
}
UPDATE: dict[str, Any] = {
    "friendly_name": "Another",
    "unique_name": "another",
    "email": "new@example.com",
    "cc_emails": ["c@example.com", "d@example.com"],
    "status": "pending-verification",
    "verification_type": "phone-bill",
    "verification_document_sid": "RI" + "2" * 32,
    "extension": "ww1#",
    "call_delay": 15,
}
LETTER: dict[str, Any] = {
    "address_sid": ADDRESS,
    "email": "owner@example.com",
    "contact_title": "Owner",
    "contact_phone_number": "+14155550100",
    "cc_emails": ["a@example.com", "b@example.com"],
}
REWRITTEN: dict[str, Any] = {
    "address_sid": "AD" + "2" * 32,
    "email": "other@example.com",
    "contact_title": "Manager",
    "contact_phone_number": "+14155550101",
    "cc_emails": ["c@example.com", "d@example.com"],
}


def creates(bench: Bench, way: Way) -> bool:
    """There is a new order with every field, in the subaccount."""
    subaccount = bench.sandbox.subaccounts[0].sid
    bench.send(way.send(wire.create_order(way.dialect, {**CREATE, "account_sid": subaccount})))
    made = [order for order in bench.sandbox.orders() if order["phone_number"] == NEW]
    if not made:
        return False
    shown = {**made[0], **wire_names(bench.setting(made[0]["incoming_phone_number_sid"]))}
    wanted = {**CREATE, "account_sid": subaccount}
    return {name: shown.get(name) for name in wanted} == wanted


def wire_names(settings: dict[str, str]) -> dict[str, str]:
    """The settings of a number by our names."""
    ours = {theirs: name for name, theirs in PREVIEW.create_params.items()}
    return {ours[theirs]: value for theirs, value in settings.items()}


def fetches(bench: Bench, way: Way) -> bool:
    """The order named is the one that comes."""
    document = bench.send(way.send(wire.fetch_order(way.dialect, bench.names["first"])))
    return bool(document.get("sid") == bench.names["first"])


def updates(bench: Bench, way: Way) -> bool:
    """Every field of the order has its new value."""
    bench.send(way.send(wire.update_order(way.dialect, bench.names["first"], UPDATE)))
    shown = bench.truth("first")
    return {name: shown[name] for name in UPDATE} == UPDATE


def calls(bench: Bench, way: Way) -> bool:
    """The phone rings, with extension and delay."""
    sid = bench.names["first"]
    bench.send(way.send(wire.ask_verification(way.dialect, sid, extension="1", call_delay=5)))
    called = [call["order_sid"] for call in bench.sandbox.calls() if call["outcome"] == "ringing"]
    shown = bench.truth("first")
    return sid in called and (shown["extension"], shown["call_delay"]) == ("1", 5)


def enters_the_code(bench: Bench, way: Way) -> bool:
    """The order is verified with the code of its call."""
    code = {"verification_code": bench.truth("ringing")["verification_code"]}
    bench.send(way.send(wire.update_order(way.dialect, bench.names["ringing"], code)))
    return bool(bench.truth("ringing")["status"] == "verified")


def cancels(bench: Bench, way: Way) -> bool:
    """The order is gone, and no other."""
    bench.send(way.send(wire.delete_order(way.dialect, bench.names["first"])))
    gone = [order["sid"] for order in bench.sandbox.orders() if order["deleted"]]
    return gone == [bench.names["first"]]


def lists_by(name: str) -> Callable[[Bench, Way], bool]:
    """The orders with this field like that of `first`, from all pages, each once."""

    def lists(bench: Bench, way: Way) -> bool:
        value = bench.truth("first")[name]
        listed = bench.walk(way, wire.list_orders(way.dialect, page_size=2, **{name: value}))
        wanted = [order["sid"] for order in bench.sandbox.orders() if order[name] == value]
        return listed == wanted[::-1]

    return lists


def lists_the_failed(bench: Bench, way: Way) -> bool:
    """The five failed orders, from three pages, each once."""
    listed = bench.walk(way, wire.list_orders(way.dialect, page_size=2, status="failed"))
    wanted = [order["sid"] for order in bench.sandbox.orders() if order["status"] == "failed"]
    return len(wanted) == 5 and listed == wanted[::-1]


def writes_a_letter(bench: Bench, way: Way) -> bool:
    """A letter over two orders is out for signing, with every field."""
    sids = [bench.names["a"], bench.names["b"]]
    document = bench.send(
        way.send(wire.create_letter(way.dialect, {**LETTER, "hosted_number_order_sids": sids}))
    )
    if bench.codes[-1] is not None:
        return False
    letter = bench.sandbox.desk.service.world.books.letters[document["sid"]]
    return letter_is(letter, sids, LETTER) and {bench.truth(name)["status"] for name in "ab"} == {
        "pending-loa"
    }


def letter_is(letter: Any, sids: list[str], fields: dict[str, Any]) -> bool:
    """The letter has these orders and all these fields."""
    return letter.order_sids == sids and {name: getattr(letter, name) for name in fields} == fields


def fetches_a_letter(bench: Bench, way: Way) -> bool:
    """The letter named is the one that comes."""
    document = bench.send(way.send(wire.fetch_letter(way.dialect, bench.names["letter"])))
    return bool(document.get("sid") == bench.names["letter"])


def reopens_a_letter(bench: Bench, way: Way) -> bool:
    """The letter is open, and has new content."""
    fields = {**REWRITTEN, "hosted_number_order_sids": [bench.names["a"]], "status": "opened"}
    bench.send(way.send(wire.update_letter(way.dialect, bench.names["letter"], fields)))
    letter = bench.letter("letter")
    return letter_is(letter, [bench.names["a"]], REWRITTEN) and letter.status == "opened"


def lists_letters_by(**filters: str) -> Callable[[Bench, Way], bool]:
    """The one letter with this field."""

    def lists(bench: Bench, way: Way) -> bool:
        return bench.walk(way, wire.list_letters(way.dialect, **filters)) == [bench.names["letter"]]

    return lists


def lists_dependents(bench: Bench, way: Way) -> bool:
    """The one order of the letter that is waiting for it."""
    request = wire.list_dependents(way.dialect, bench.names["letter"], status="pending-loa")
    return bench.walk(way, request) == [bench.names["c"]]


FILTERS = ("status", "phone_number", "incoming_phone_number_sid", "friendly_name", "unique_name")
GOALS: dict[str, Callable[[Bench, Way], bool]] = {
    "create": creates,
    "fetch": fetches,
    "update": updates,
    "call": calls,
    "code": enters_the_code,
    "cancel": cancels,
    **{f"list by {name}": lists_by(name) for name in FILTERS},
    "pages": lists_the_failed,
    "letter": writes_a_letter,
    "fetch letter": fetches_a_letter,
    "reopen letter": reopens_a_letter,
    "letters by email": lists_letters_by(email="c@example.com"),
    "letters by status": lists_letters_by(status="signing"),
    "dependents": lists_dependents,
}


@pytest.mark.parametrize("goal", GOALS)
def test_the_right_reading_goes_right(bench: Bench, goal: str) -> None:
    """With the rules as they are, the world is as wanted."""
    assert GOALS[goal](bench, Way()), bench.codes
    assert set(bench.codes) == {None}


# The wrong readings: one rule swapped each, of the bytes sent.


def sent(request: Request, **changes: Any) -> Sent:
    """The bytes of a request with something of them changed."""
    return replace(Sent(request.method, request.target(), request.body()), **changes)


def by(method: str) -> Callable[[Request], Sent]:
    """Another method."""
    return lambda request: sent(request, method=method)


def at(old: str, new: str) -> Callable[[Request], Sent]:
    """Another path."""
    return lambda request: sent(request, target=request.target().replace(old, new, 1))


def suffixed(suffix: str) -> Callable[[Request], Sent]:
    """Something at the end of the path."""
    return lambda request: sent(
        request, target=request.target().replace(request.path, request.path + suffix)
    )


def without(name: str) -> Callable[[Request], Request]:
    """A parameter left out."""
    return lambda request: replace(
        request,
        form=tuple(pair for pair in request.form if pair[0] != name),
        query=tuple(pair for pair in request.query if pair[0] != name),
    )


def renamed(old: str, new: str) -> Callable[[Request], Request]:
    """A parameter by another name."""
    return lambda request: replace(
        request,
        form=tuple((new if name == old else name, value) for name, value in request.form),
        query=tuple((new if name == old else name, value) for name, value in request.query),
    )


def valued(name: str, value: str) -> Callable[[Request], Request]:
    """A parameter with another value."""
    return lambda request: replace(
        request,
        form=tuple((one, value if one == name else given) for one, given in request.form),
        query=tuple((one, value if one == name else given) for one, given in request.query),
    )


def joined(name: str) -> Callable[[Request], Request]:
    """A list as one value with commas."""

    def join(request: Request) -> Request:
        values = ",".join(value for one, value in request.form if one == name)
        return replace(request, form=(*(pair for pair in request.form if pair[0] != name), (name, values)))

    return join


def as_json(request: Request) -> Sent:
    """JSON in place of a form."""
    return sent(request, body=json.dumps(dict(request.form)).encode(), kind="application/json")


def in_query(request: Request) -> Sent:
    """The parameters in the address, and no body."""
    return sent(request, target=f"{request.path}?{urlencode(request.form)}", body=b"")


def in_body(request: Request) -> Sent:
    """The filters of a GET in a body."""
    return sent(request, target=request.path, body=urlencode(request.query).encode())


def plus_as_it_is(request: Request) -> Sent:
    """Nothing percent-encoded but spaces: a plus stays a plus."""
    body = "&".join(f"{name}={quote(value, safe='+@:/?')}" for name, value in request.form).encode()
    query = "&".join(f"{name}={quote(value, safe='+')}" for name, value in request.query)
    return sent(request, target=f"{request.path}?{query}" if query else request.path, body=body)


def onto_the_list(request: Request) -> Sent:
    """The list in place of one resource, which is named by a parameter."""
    path, _, sid = request.path.rpartition("/")
    return sent(request, target=path, body=request.body() + f"&Sid={sid}".encode())


def posted(**form: str) -> Callable[[Request], Sent]:
    """A POST of something else to the same resource."""
    return lambda request: sent(request, method="POST", body=urlencode(form).encode())


def by_number_alone(request: Request, page: Any) -> Request | None:
    """The next page by its number, without a token."""
    following = ("Page", str(page["meta"]["page"] + 1))
    return replace(request, query=(*(pair for pair in request.query if pair[0] != "Page"), following))


def by_bare_token(request: Request, page: Any) -> Request | None:
    """The next page by a token made up of the last sid."""
    return replace(request, query=(*request.query, ("Page", "1"), ("PageToken", page["items"][-1]["sid"])))


def without_filters(_: Request, page: Any) -> Request | None:
    """The next page without the filters its address carries."""
    url = page["meta"]["next_page_url"]
    return None if url is None else without("Status")(wire.follow(PREVIEW, url))  # type: ignore[return-value]


def on_top(_: Request, page: Any) -> Request | None:
    """The next page's address beside `meta`, by its name of other APIs."""
    url = page.get("next_page_uri") or page.get("next_page_url")
    return None if url is None else wire.follow(PREVIEW, url)


NOTHING = None  # a success that has done something else, or nothing

# What is misread: the goal, the way, and the error code it meets (`NOTHING`: a 2xx of no avail).
WRONG: dict[str, tuple[str, Way, int | None]] = {
    "create without SmsCapability": ("create", Way(send=without("SmsCapability")), 20001),
    "SmsCapability=1": ("create", Way(send=valued("SmsCapability", "1")), 22119),
    "create by PUT": ("create", Way(send=by("PUT")), 20004),
    "create with .json": ("create", Way(send=suffixed(".json")), 20404),
    "create with a slash at the end": ("create", Way(send=suffixed("/")), 20404),
    "create in lower case": ("create", Way(send=at(ORDERS, ORDERS.lower())), 20404),
    "create under the account": (
        "create",
        Way(send=at("/HostedNumbers", f"/2010-04-01/Accounts/AC{'a' * 32}")),
        20404,
    ),
    "create in JSON": ("create", Way(send=as_json), 20422),
    "create in the address": ("create", Way(send=in_query), 20001),
    "create without a content type": ("create", Way(send=lambda r: sent(r, kind="text/plain")), 20422),
    "a plus that becomes a space": ("create", Way(send=plus_as_it_is), 22102),
    "a number without its plus": ("create", Way(send=valued("PhoneNumber", NEW[1:])), 22102),
    "a national number": ("create", Way(send=valued("PhoneNumber", "(212) 555-0119")), 22102),
    "CcEmails with commas": ("create", Way(send=joined("CcEmails")), 22104),
    "CcEmails[]": ("create", Way(send=renamed("CcEmails", "CcEmails[]")), NOTHING),
    "CcEmail": ("create", Way(send=renamed("CcEmails", "CcEmail")), NOTHING),
    "StatusCallback": ("create", Way(send=renamed("StatusCallbackUrl", "StatusCallback")), NOTHING),
    "phone_bill": ("create", Way(send=valued("VerificationType", "phone_bill")), 22120),
    "fetch with .json": ("fetch", Way(send=suffixed(".json")), 20404),
    "fetch by POST": ("fetch", Way(send=at(ORDERS, LETTERS)), 20404),
    "update by PUT": ("update", Way(send=by("PUT")), 20004),
    "update by PATCH": ("update", Way(send=by("PATCH")), 20004),
    "update of the list": ("update", Way(send=onto_the_list), 20001),
    "update in JSON": ("update", Way(send=as_json), 20422),
    "update in the address": ("update", Way(send=in_query), NOTHING),
    "Status=pending_verification": ("call", Way(send=valued("Status", "pending_verification")), 22111),
    "Status=Pending-Verification": ("call", Way(send=valued("Status", "Pending-Verification")), 22111),
    "Status=verified": ("call", Way(send=valued("Status", "verified")), 22112),
    "Status=received": ("call", Way(send=valued("Status", "received")), 22112),
    "call by GET": ("call", Way(send=by("GET")), NOTHING),
    "call at a path of its own": ("call", Way(send=suffixed("/Verifications")), 20404),
    "VerificationCallDelay": ("call", Way(send=renamed("CallDelay", "VerificationCallDelay")), NOTHING),
    "VerificationCallExtension": (
        "call",
        Way(send=renamed("Extension", "VerificationCallExtension")),
        NOTHING,
    ),
    "Code": ("code", Way(send=renamed("VerificationCode", "Code")), NOTHING),
    "Status=verified with the code": ("code", Way(send=posted(Status="verified")), 22112),
    "DELETE of the list": ("cancel", Way(send=onto_the_list), 20004),
    "Status=canceled": ("cancel", Way(send=posted(Status="canceled")), 22111),
    "Status=deleted": ("cancel", Way(send=posted(Status="deleted")), 22111),
    "DELETE by POST": ("cancel", Way(send=by("POST")), NOTHING),
    "a filter's plus as it is": ("list by phone_number", Way(send=plus_as_it_is), NOTHING),
    "a filter in a body": ("list by phone_number", Way(send=in_body), NOTHING),
    "a filter of another status": ("pages", Way(send=valued("Status", "Failed")), 22111),
    "two statuses in a filter": ("pages", Way(send=valued("Status", "failed,received")), 22111),
    "list by POST": ("pages", Way(send=by("POST")), 20001),
    "items called orders": ("pages", Way(key="orders"), NOTHING),
    "items by the resource's name": ("pages", Way(key="hosted_number_orders"), NOTHING),
    "only the first page": ("pages", Way(page=lambda *_: None), NOTHING),
    "the next page's address on top": ("pages", Way(page=on_top), NOTHING),
    "pages by number": ("pages", Way(page=by_number_alone), 70002),
    "a token made up": ("pages", Way(page=by_bare_token), 21481),
    "pages without their filters": ("pages", Way(page=without_filters), NOTHING),
    "HostedNumberOrderSids with commas": ("letter", Way(send=joined("HostedNumberOrderSids")), 22101),
    "HostedNumberOrderSids[]": (
        "letter",
        Way(send=renamed("HostedNumberOrderSids", "HostedNumberOrderSids[]")),
        22101,
    ),
    "one HostedNumberOrderSid": (
        "letter",
        Way(send=renamed("HostedNumberOrderSids", "HostedNumberOrderSid")),
        22101,
    ),
    "a letter of numbers": ("letter", Way(send=valued("HostedNumberOrderSids", "+12125550101")), 22101),
    "a letter without a contact": ("letter", Way(send=without("ContactTitle")), 20001),
    "a letter under the orders": (
        "letter",
        Way(send=at(LETTERS, f"{ORDERS}/AuthorizationDocuments")),
        20404,
    ),
    "a letter in the singular": ("letter", Way(dialect=replace(PREVIEW, letters=LETTERS[:-1])), 20404),
    "a letter in JSON": ("letter", Way(send=as_json), 20422),
    "a letter canceled by DELETE": ("reopen letter", Way(send=by("DELETE")), 20004),
    "a letter's Status=canceled": ("reopen letter", Way(send=valued("Status", "canceled")), 22122),
    "a letter changed by PUT": ("reopen letter", Way(send=by("PUT")), 20004),
    "a letter changed while it is out": ("reopen letter", Way(send=without("Status")), 22107),
    "a letter's Status of an order": ("letters by status", Way(send=valued("Status", "verified")), 22122),
    "dependents by the orders' name": (
        "dependents",
        Way(send=at("DependentHostedNumberOrders", "HostedNumberOrders")),
        20404,
    ),
    "orders at the letters' path": ("fetch", Way(dialect=replace(PREVIEW, orders=LETTERS)), 20404),
}


@pytest.mark.parametrize("misread", WRONG)
def test_a_wrong_reading_goes_wrong(bench: Bench, misread: str) -> None:
    """The world is not as wanted, and the service says so where it is known to."""
    goal, way, code = WRONG[misread]
    assert not GOALS[goal](bench, way)
    assert bench.codes[-1] == code


# The names: every one in a table of the dialect counts.

TABLES: dict[str, Callable[[str], str]] = {
    "create_params": lambda _: "create",
    "update_params": lambda name: "code" if name == "verification_code" else "update",
    "letter_params": lambda _: "letter",
    "letter_update_params": lambda _: "reopen letter",
    "order_filters": lambda name: f"list by {name}",
    "letter_filters": lambda name: f"letters by {name}",
}
NAMES = [(table, name) for table in TABLES for name in getattr(PREVIEW, table)]


@pytest.mark.parametrize("spelt", [str, str.upper], ids=["ours", "upper"])
@pytest.mark.parametrize(("table", "name"), NAMES, ids=[f"{table}.{name}" for table, name in NAMES])
def test_every_name_counts(bench: Bench, table: str, name: str, spelt: Callable[[str], str]) -> None:
    """A parameter in our spelling, or in capitals, is not the API's."""
    names = {**getattr(PREVIEW, table)}
    names[name] = spelt(name if spelt is str else names[name])
    way = Way(dialect=replace(PREVIEW, **{table: names}))
    assert not GOALS[TABLES[table](name)](bench, way)
