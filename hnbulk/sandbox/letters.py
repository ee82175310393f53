"""Authorization documents over the API: write, list, fetch, update, and the orders of each.

A letter goes out for signing with its creation. Its content can change only while it is opened,
and a signed one not at all.
"""

from __future__ import annotations

from hnbulk.lifecycle import LETTER_ORDER, may_authorize
from hnbulk.messages import Request
from hnbulk.sandbox import forms
from hnbulk.sandbox.forms import Form
from hnbulk.sandbox.orders import list_page, read_filters
from hnbulk.sandbox.paging import Turn, cut, page_body
from hnbulk.sandbox.parameters import LETTER_STATUS
from hnbulk.sandbox.records import PREVIEW, Key, Letter, Order, encode
from hnbulk.sandbox.refusals import Done, Person, Refusal, json_reply, not_found
from hnbulk.sandbox.world import World

MOST_NUMBERS = 15_000
#: The filters of a list.
FILTERS = ("Email", "Status")
#: The parameters that are a letter's content: they change only while it is opened.
CONTENT = (
    "HostedNumberOrderSids",
    "AddressSid",
    "Email",
    "CcEmails",
    "ContactTitle",
    "ContactPhoneNumber",
)


def create(world: World, person: Person, form: Form, now: int) -> Done:
    """201 and the new letter; its orders are in `pending-loa`."""
    address = _read_address(form)
    email = _read_email(form)
    copies = forms.read_all(form, "CcEmails")
    title, contact = _read_contact(world, form)
    orders = _read_orders(world, person, form)
    letter = world.write_letter(person.account_sid, orders, now, address_sid=address, email=email)
    letter.cc_emails, letter.contact_title, letter.contact_phone_number = copies, title, contact
    return _shown(letter, 201, f"wrote {letter.sid}")


def fetch(letter: Letter) -> Done:
    """200 and the letter."""
    return _shown(letter, 200, "read")


def update(world: World, person: Person, letter: Letter, form: Form, now: int) -> Done:
    """200 and the letter. `Status=opened` comes before changes of content, `signing` after them."""
    status = form.get("Status")
    content = any(name in form for name in CONTENT)
    if status is not None and not forms.fits(LETTER_STATUS, status):
        raise Refusal(LETTER_STATUS.code)
    if not content and status in (None, letter.status):
        return _shown(letter, 200, "nothing")
    opens = letter.status == "signing" and status == "opened"
    if letter.status not in ("opened", "signing") or (content and letter.status != "opened" and not opens):
        raise Refusal(22107)
    # Everything is read before anything is changed, and opening frees the letter's own orders.
    orders = _read_orders(world, person, form, own=letter) if "HostedNumberOrderSids" in form else None
    fields = _read_content(form)
    if status == "signing" and orders is None and not world.may_sign_again(letter):
        raise Refusal(22101, "Invalid Hosted Number Order SIDs: no order of the letter is verified")
    if opens:
        world.reopen(letter, now)
    if orders is not None:
        letter.order_sids = [order.sid for order in orders]
    for name, value in fields.items():
        setattr(letter, name, value)
    letter.updated = now
    if status == "signing" and letter.status == "opened":
        world.sign_again(letter, now)
    return _shown(letter, 200, f"updated {letter.sid}")


def list_letters(world: World, person: Person, request: Request) -> Done:
    """200 and a page of letters, newest first; filters `Email` and `Status`."""
    query = dict(request.query)
    if "Status" in query and query["Status"] not in LETTER_ORDER:
        raise Refusal(22122)
    filters = [(name, query[name]) for name in FILTERS if query.get(name)]
    letters = world.books.letters
    turn = Turn.read(query, clamped=world.settings.page_size_clamped)

    def keep(sid: str) -> bool:
        letter = letters[sid]
        wanted = {"Email": letter.email, "Status": letter.status}
        if letter.account_sid not in person.sees or letter.created > person.until:
            return False
        return all(wanted[name] == value for name, value in filters)

    def key_of(sid: str) -> Key | None:
        letter = letters.get(sid)
        return None if letter is None or letter.account_sid not in person.sees else (letter.created, sid)

    base = f"{request.origin or PREVIEW}{request.path}"
    newest_first = world.settings.list_newest_first
    page = cut(world.books.letter_keys, turn, key_of, keep, newest_first=newest_first)
    items = (encode(letters[sid].shown()) for sid in page.sids)
    return Done(json_reply(200, page_body(base, filters, turn, page, items)), "read")


def list_dependents(world: World, person: Person, letter: Letter, request: Request) -> Done:
    """200 and a page of the letter's orders; items have no `url`."""
    query = dict(request.query)
    keys = sorted(world.books.orders[sid].key for sid in letter.order_sids)
    filters = read_filters(query)
    turn = Turn.read(query, clamped=world.settings.page_size_clamped)
    body = list_page(world, person, request, filters, turn, keys=keys, without_url=True)
    return Done(json_reply(200, body), "read", letter.sid)


def find(world: World, person: Person, sid: str, path: str) -> Letter:
    """The letter of this sid. Refuses (20404) one that is not there, or of another account."""
    letter = world.books.letters.get(sid)
    if letter is None or letter.account_sid not in person.sees or letter.created > person.until:
        raise not_found(path)
    return letter


def _read_address(form: Form) -> str:
    form.required("AddressSid")
    return forms.read(form, "AddressSid") or ""


def _read_email(form: Form) -> str:
    form.required("Email")
    return forms.read(form, "Email") or ""


def _read_contact(world: World, form: Form) -> tuple[str | None, str | None]:
    if world.settings.contact_required:
        form.required("ContactTitle")
        form.required("ContactPhoneNumber")
    contact = form.get("ContactPhoneNumber")
    if contact:
        _check_contact(contact)
    return form.get("ContactTitle"), contact


def _check_contact(contact: str) -> None:
    """A contact may be anywhere, and of any kind; it must be a number."""
    try:
        forms.read_phone_number(contact, name="ContactPhoneNumber")
    except Refusal as refusal:
        if refusal.code == 22102:
            raise


def _read_orders(world: World, person: Person, form: Form, *, own: Letter | None = None) -> list[Order]:
    """The orders named, each once. Refuses (22101) none, too many, unknown, foreign, or not verified."""
    sids = list(dict.fromkeys(form.all("HostedNumberOrderSids")))
    if not sids or len(sids) > MOST_NUMBERS:
        raise Refusal(22101)
    orders = [order for sid in sids if (order := world.books.orders.get(sid)) is not None]
    if len(orders) < len(sids):
        raise Refusal(22101)
    for order in orders:
        waiting = own is not None and order.signing_document_sid == own.sid
        if order.deleted or order.account_sid not in person.sees:
            raise Refusal(22101)
        if not may_authorize(order.status) and not (waiting and order.status == "pending-loa"):
            raise Refusal(22101, "Invalid Hosted Number Order SIDs: an order is not verified")
    return orders


def _read_content(form: Form) -> dict[str, object]:
    fields: dict[str, object] = {}
    if "AddressSid" in form:
        fields["address_sid"] = _read_address(form)
    if "Email" in form:
        fields["email"] = _read_email(form)
    if "CcEmails" in form:
        fields["cc_emails"] = forms.read_all(form, "CcEmails")
    if "ContactTitle" in form:
        fields["contact_title"] = form.get("ContactTitle")
    contact = form.get("ContactPhoneNumber")
    if contact is not None:
        _check_contact(contact)
        fields["contact_phone_number"] = contact
    return fields


def _shown(letter: Letter, status: int, did: str) -> Done:
    return Done(json_reply(status, encode(letter.shown())), did, letter.sid)
