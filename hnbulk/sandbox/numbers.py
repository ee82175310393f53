"""Incoming phone numbers: what an order brings with it, and how a hosted number is off-boarded.

Only fetch, update and delete of one number are here. A number goes with its canceled order; once
its order is completed it can be deleted, and is gone some days later.
"""

from __future__ import annotations

from email.utils import format_datetime

from hnbulk.messages import Reply
from hnbulk.sandbox import forms
from hnbulk.sandbox.clock import moment_of
from hnbulk.sandbox.fates import days
from hnbulk.sandbox.forms import Form
from hnbulk.sandbox.records import Number, encode
from hnbulk.sandbox.refusals import Done, Person, Refusal, json_reply, not_found
from hnbulk.sandbox.world import World

SHOWN_SETTINGS = {
    "SmsUrl": "sms_url",
    "SmsMethod": "sms_method",
    "SmsFallbackUrl": "sms_fallback_url",
    "SmsFallbackMethod": "sms_fallback_method",
    "StatusCallbackUrl": "status_callback",
    "StatusCallbackMethod": "status_callback_method",
    "SmsApplicationSid": "sms_application_sid",
}


def find(world: World, person: Person, account: str, sid: str, path: str, now: int) -> Number:
    """The number of this sid in this account. Refuses (20404) one that is gone or foreign."""
    number = world.books.numbers.get(sid)
    if number is None or number.account_sid != account or account not in person.sees:
        raise not_found(path)
    if number.released_at is not None and now >= number.released_at:
        raise not_found(path)
    return number


def fetch(world: World, number: Number) -> Done:
    """200 and the number."""
    return Done(json_reply(200, encode(_shown(world, number))), "read", number.sid)


def update(world: World, number: Number, form: Form, now: int) -> Done:
    """200 and the number with its new settings; of this resource, callbacks have a name without Url."""
    settings = forms.read_number_settings(form.renamed("StatusCallback", "StatusCallbackUrl"))
    if "FriendlyName" in form:
        settings["FriendlyName"] = forms.read(form, "FriendlyName") or ""
    if not settings:
        return Done(json_reply(200, encode(_shown(world, number))), "nothing", number.sid)
    world.configure(number, settings, now)
    return Done(json_reply(200, encode(_shown(world, number))), f"updated {number.sid}", number.sid)


def remove(world: World, number: Number, now: int) -> Done:
    """204; the number leaves the platform, and after some days another order may take it."""
    order = world.books.orders[number.order_sid]
    if order.status != "completed" or number.released_at is not None:
        raise Refusal(20409, "The number is not in a state that allows this modification")
    number.released_at = now + days(world.settings.release_days)
    number.status, number.updated = "released", now
    order.offboarded = True
    return Done(Reply(204), f"released {number.sid}", number.sid)


def _shown(world: World, number: Number) -> dict[str, object]:
    settings = {shown: number.settings.get(name, "") for name, shown in SHOWN_SETTINGS.items()}
    for name in ("sms_method", "sms_fallback_method", "status_callback_method"):
        settings[name] = settings[name].upper() or "POST"
    order = world.books.orders[number.order_sid]
    return {
        "account_sid": number.account_sid,
        "address_requirements": "none",
        "address_sid": order.address_sid,
        "beta": False,
        "capabilities": {"fax": False, "mms": False, "sms": True, "voice": False},
        "date_created": format_datetime(moment_of(number.created)),
        "date_updated": format_datetime(moment_of(number.updated)),
        "friendly_name": number.settings.get("FriendlyName", order.friendly_name) or number.phone_number,
        "origin": "hosted",
        "phone_number": number.phone_number,
        "sid": number.sid,
        **settings,
        "status": number.status,
        "uri": f"/2010-04-01/Accounts/{number.account_sid}/IncomingPhoneNumbers/{number.sid}.json",
    }
