"""Hosted number orders over the API: create, list, fetch, update, cancel.

Every function takes a request's parameters, who asks, and the time in whole seconds, and gives
the reply or raises a `Refusal`. A refused request has changed nothing, but for the one POST too
many that uses up the attempts.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from hnbulk.lifecycle import ASKABLE, MAX_ATTEMPTS, known, may_call, may_cancel, may_update
from hnbulk.messages import Reply, Request
from hnbulk.sandbox import forms
from hnbulk.sandbox.fates import FATES, is_hostable
from hnbulk.sandbox.forms import Form
from hnbulk.sandbox.paging import Turn, cut, page_body
from hnbulk.sandbox.records import PREVIEW, Key, Order
from hnbulk.sandbox.refusals import Done, Person, Refusal, json_reply, not_found
from hnbulk.sandbox.world import World

# The filters of a list in the order in which page addresses echo them.
FILTERS = {
    "Status": "status",
    "FriendlyName": "friendly_name",
    "PhoneNumber": "phone_number",
    "UniqueName": "unique_name",
    "IncomingPhoneNumberSid": "incoming_phone_number_sid",
}


def create(world: World, person: Person, form: Form, now: int) -> Done:
    """201 and the new order in `twilio-processing`."""
    number = forms.read_phone_number(form.required("PhoneNumber"))
    if form.required("SmsCapability").lower() != "true":
        raise Refusal(22119)
    account = _account_for(person, form)
    shown = _read_fields(form) | {"address_sid": forms.read(form, "AddressSid")}
    settings = forms.read_number_settings(form)
    kind = shown.setdefault("verification_type", "phone-call")
    if kind == "phone-bill" and not shown.get("verification_document_sid"):
        raise Refusal(22118, "Invalid Verification Document SID: required for phone-bill")
    if world.settings.enforce_numbers and _is_taken(world, number, now):
        raise Refusal(22110, "Phone Number Not Hostable: the number is already being hosted")
    _refuse_taken_name(world, person, account, shown.get("unique_name"))
    case = world.case_for(account, number)
    if not is_hostable(case, world.settings):
        raise Refusal(22110)
    order = world.create(case, now, number_settings=settings, **shown)
    world.run_until(now)  # a check that takes no time is over in the reply already
    return Done(json_reply(201, order.json()), f"created {order.sid}", order.sid)


def fetch(order: Order) -> Done:
    """200 and the order."""
    return Done(json_reply(200, order.json()), "read", order.sid)


def update(world: World, person: Person, order: Order, form: Form, now: int) -> Done:
    """200 and the order with what was changed; an empty update changes nothing.

    A verification code is looked at before a status, and where it is right the status is not.
    Everything is held against its rule before anything is changed.
    """
    status, code = form.get("Status"), form.get("VerificationCode")
    changes = _read_changes(world, person, form, order)
    if changes and not may_update(order.status):
        raise Refusal(22112)
    if code is not None:
        if status not in (None, ASKABLE):
            raise Refusal(22112)
        _check_code(world, order, code, now)
    elif status is not None:
        _check_status(world, order, status, changes, now)
    did = _apply(world, order, changes, now)
    if code is not None:
        world.verify(order, now)
        did = "verified"
    elif status is not None:
        did = _ask_verification(world, order, now)
    reply = json_reply(200, order.json())
    return Done(reply, f"{did} {order.sid}" if did != "nothing" else did, order.sid)


def cancel(world: World, order: Order, now: int) -> Done:
    """204 and no body; the order and its number are gone."""
    only_received = world.settings.delete_only_received
    if not may_cancel(order.status) or (only_received and order.status != "received"):
        code = world.settings.delete_conflict_code
        told = "The order is not in a status that allows this modification" if code == 20409 else None
        raise Refusal(code, told)
    world.delete(order, now)
    return Done(Reply(204), f"canceled {order.sid}", order.sid)


def list_orders(world: World, person: Person, request: Request) -> Done:
    """200 and a page of the orders the person may see, newest first."""
    query = dict(request.query)
    filters = read_filters(query)
    body = list_page(
        world,
        person,
        request,
        filters,
        Turn.read(query, clamped=world.settings.page_size_clamped),
        keys=_narrow(world, filters),
    )
    return Done(json_reply(200, body), "read")


def find(world: World, person: Person, sid: str, path: str) -> Order:
    """The listed order of this sid. Refuses (20404) one that is gone, or of another account.

    Where the settings say so, of this UniqueName too: "a unique and addressable name ... to be
    optionally used in addition to SID" (reference page, properties).
    """
    order = world.books.orders.get(sid)
    if order is None and world.settings.address_by_unique_name:
        order = next((one for one in world.books.with_name(sid) if one.account_sid in person.sees), None)
    if order is None or order.deleted or order.account_sid not in person.sees:
        raise not_found(path)
    if order.created > person.until:
        raise not_found(path)
    return order


def read_filters(query: Mapping[str, str]) -> dict[str, str]:
    """The filters of a list, by parameter name. Refuses (22111) a status nobody knows."""
    if "Status" in query and known(query["Status"]) is None:
        raise Refusal(22111)
    return {name: query[name] for name in FILTERS if query.get(name)}


def list_page(
    world: World,
    person: Person,
    request: Request,
    filters: Mapping[str, str],
    turn: Turn,
    *,
    keys: list[Key],
    without_url: bool = False,
) -> bytes:
    """The body of a page out of `keys`, filtered. Without a filter nothing beyond the page is read."""
    orders = world.books.orders
    wanted = [(FILTERS[name], value) for name, value in filters.items()]

    def keep(sid: str) -> bool:
        order = orders[sid]
        hidden = order.created > person.until or order.account_sid not in person.sees
        if order.deleted or hidden:
            return False
        return all(getattr(order, field) == value for field, value in wanted)

    def key_of(sid: str) -> Key | None:
        order = orders.get(sid)
        return None if order is None or order.account_sid not in person.sees else order.key

    unseen = person.until != inf or not world.books.accounts <= person.sees
    everything = keys is world.books.order_keys and not unseen and not wanted
    newest_first = world.settings.list_newest_first
    page = cut(keys, turn, key_of, None if everything else keep, newest_first=newest_first)
    write = _dependent if without_url else Order.json
    items = (write(orders[sid]) for sid in page.sids)
    return page_body(f"{request.origin or PREVIEW}{request.path}", list(filters.items()), turn, page, items)


def _narrow(world: World, filters: Mapping[str, str]) -> list[Key]:
    """The keys among which a page is looked for: few where an index knows them."""
    books = world.books
    if "PhoneNumber" in filters:
        return sorted(order.key for order in books.with_number(filters["PhoneNumber"]))
    if "UniqueName" in filters:
        return sorted(order.key for order in books.with_name(filters["UniqueName"]))
    if "IncomingPhoneNumberSid" in filters:
        number = books.numbers.get(filters["IncomingPhoneNumberSid"])
        return [] if number is None else [books.orders[number.order_sid].key]
    return books.order_keys


def _dependent(order: Order) -> bytes:
    """An order of a letter, as JSON: without `url`."""
    start, _, rest = order.json().partition(b'"url": "')
    return start + rest.partition(b'", ')[2]


def _account_for(person: Person, form: Form) -> str:
    account = forms.read(form, "AccountSid")
    if account is None:
        return person.account_sid
    if account not in person.sees:
        raise Refusal(21471)
    return account


def _is_taken(world: World, phone_number: str, now: int) -> bool:
    """No order for the number is possible: it has a live one, or has not left the platform yet."""
    for order in world.books.with_number(phone_number):
        number = world.books.numbers.get(order.incoming_phone_number_sid)
        leaving = number is not None and number.released_at is not None and now < number.released_at
        if order.occupies or leaving:
            return True
    return False


def _read_fields(form: Form) -> dict[str, Any]:
    """What create and update have in common, by field name; only what is given."""
    fields: dict[str, Any] = {}
    if "FriendlyName" in form:
        fields["friendly_name"] = forms.read(form, "FriendlyName")
    if "UniqueName" in form:
        fields["unique_name"] = forms.read(form, "UniqueName")
    if "Email" in form:
        fields["email"] = forms.read(form, "Email")
    if "CcEmails" in form:
        fields["cc_emails"] = forms.read_all(form, "CcEmails")
    if "VerificationType" in form:
        fields["verification_type"] = forms.read(form, "VerificationType")
    if "VerificationDocumentSid" in form:
        fields["verification_document_sid"] = forms.read(form, "VerificationDocumentSid")
    return fields


def _read_changes(world: World, person: Person, form: Form, order: Order) -> dict[str, Any]:
    """The fields an update gives another value."""
    fields = _read_fields(form)
    if "Extension" in form:
        fields["extension"] = forms.read(form, "Extension")
    if "CallDelay" in form:
        fields["call_delay"] = forms.read_call_delay(form, world.settings.max_call_delay)
    status = form.get("Status")
    if status is not None and known(status) is None:
        raise Refusal(22111)
    changes = {name: value for name, value in fields.items() if getattr(order, name) != value}
    kind = changes.get("verification_type", order.verification_type)
    document = changes.get("verification_document_sid", order.verification_document_sid)
    if kind == "phone-bill" and document is None:
        raise Refusal(22118, "Invalid Verification Document SID: required for phone-bill")
    if "unique_name" in changes:
        _refuse_taken_name(world, person, order.account_sid, changes["unique_name"])
    return changes


def _refuse_taken_name(world: World, person: Person, account: str, unique_name: str | None) -> None:
    if unique_name is None or person.may_double or not world.settings.enforce_unique_names:
        return
    for other in world.books.with_name(unique_name):
        if other.account_sid == account and other.occupies:
            raise Refusal(20409, "Conflict: the UniqueName is in use by another order")


def _check_code(world: World, order: Order, code: str, now: int) -> None:
    if order.status != "pending-verification" or order.verification_code is None:
        raise Refusal(22114)
    if not world.code_is_right(order, code, now):
        raise Refusal(22113)


def _check_status(world: World, order: Order, status: str, changes: Mapping[str, Any], now: int) -> None:
    """The order may be asked to go to `status`. The document rule has been held already.

    "There can be a max of three verification attempts before the status changes to
    action_required." (reference page): the fourth POST is refused and changes it.
    """
    if status != ASKABLE or not may_call(order.status):
        raise Refusal(22112)
    if changes.get("verification_type", order.verification_type) != "phone-call":
        return
    if order.verification_attempts >= MAX_ATTEMPTS:
        world.use_up(order, now)
        raise Refusal(22100)
    if FATES[order.fate].call_blocked:
        raise Refusal(22123)


def _apply(world: World, order: Order, changes: dict[str, Any], now: int) -> str:
    if not changes:
        return "nothing"
    if "unique_name" in changes:
        world.books.rename(order, changes["unique_name"])
    for name, value in changes.items():
        setattr(order, name, value)
    world.touch(order, now)
    return "updated"


def _ask_verification(world: World, order: Order, now: int) -> str:
    """A call is placed, or the bill is under review."""
    if order.verification_type == "phone-bill":
        world.review(order, now)
        return "reviewed"
    call = world.call(order, now)
    return f"called {call.sid} for"
