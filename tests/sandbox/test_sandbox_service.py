"""The service: statuses, attempts, codes, errors, letters, numbers."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_driver import ADDRESS, DAY, DOCUMENT, FIXED, HOUR, LETTERS, ORDERS, PLAIN, Driver

from hnbulk.sandbox import WorldSettings
from hnbulk.sandbox.records import ORDER_KEYS
from hnbulk.sandbox.refusals import ERRORS, Person


def test_a_new_order_has_the_keys_of_the_api_and_nothing_else() -> None:
    """Exactly the 23 keys, in alphabetical order, with the values of a fresh order."""
    order = Driver().create(FriendlyName="Market St", CcEmails=["a@x.com", "b@x.com"])
    assert tuple(order) == ORDER_KEYS == tuple(sorted(ORDER_KEYS))
    assert len(ORDER_KEYS) == 23
    assert order["status"] == "twilio-processing"
    assert order["cc_emails"] == ["a@x.com", "b@x.com"]
    assert (order["verification_call_sids"], order["verification_code"]) == (None, None)
    assert order["date_created"] == order["date_updated"] == "2026-01-05T15:00:00Z"
    assert order["url"].endswith(f"{ORDERS}/{order['sid']}")


@pytest.mark.parametrize(
    ("code", "number", "form"),
    [
        (20001, "", {}),
        (20001, PLAIN, {"SmsCapability": ""}),
        (22119, PLAIN, {"SmsCapability": "false"}),
        (22102, "4155550123", {}),
        (22102, "+1415555012", {}),
        (22102, "+11115550123", {}),
        (22102, "+12115550123", {}),
        (22103, "+442079460000", {}),
        (22103, "+18765550123", {}),
        (22110, "+19005550123", {}),
        (22110, FIXED + "177", {}),
        (22116, PLAIN, {"FriendlyName": "x" * 129}),
        (22115, PLAIN, {"UniqueName": "x" * 129}),
        (22104, PLAIN, {"Email": "nobody"}),
        (22104, PLAIN, {"CcEmails": ["a@x.com", "b"]}),
        (22105, PLAIN, {"SmsUrl": "ftp://x.com"}),
        (22105, PLAIN, {"StatusCallbackUrl": "x.com/cb"}),
        (22106, PLAIN, {"SmsMethod": "PUT"}),
        (22108, PLAIN, {"SmsApplicationSid": "AP1"}),
        (22109, PLAIN, {"AddressSid": "AD1"}),
        (22120, PLAIN, {"VerificationType": "fax"}),
        (22118, PLAIN, {"VerificationType": "phone-bill"}),
        (22118, PLAIN, {"VerificationDocumentSid": "RI1"}),
        (21470, PLAIN, {"AccountSid": "AC1"}),
        (21471, PLAIN, {"AccountSid": "AC" + "0" * 32}),
    ],
)
def test_a_create_is_refused_with_its_code_and_makes_nothing(
    code: int, number: str, form: dict[str, Any]
) -> None:
    """Each rule has its error code, and a refused create leaves no order."""
    box = Driver()
    assert box.refused_create(number, **form) == code
    assert box.sandbox.orders() == []


@pytest.mark.parametrize("number", ["+18005550123", "+12045550199", "+12125550100", "+18675550100"])
def test_numbers_of_both_countries_and_toll_free_ones_are_taken(number: str) -> None:
    """The United States, Canada and toll-free, the fictional 555-01xx included."""
    box = Driver()
    box.sandbox.set_fate(number, "smooth")
    assert box.create(number)["phone_number"] == number


def test_capability_is_read_in_any_case_and_unknown_parameters_are_ignored() -> None:
    """`True` is true, and what nobody knows does no harm."""
    status, _ = Driver().send("POST", ORDERS, PhoneNumber=PLAIN, SmsCapability="True", Colour="red")
    assert status == 201


def test_an_error_body_has_its_four_keys() -> None:
    """Code, message, more_info and status, and nothing that a client library reads otherwise."""
    _, body = Driver().send("GET", f"{ORDERS}/HRx")
    assert body == {
        "code": 20404,
        "message": f"The requested resource {ORDERS}/HRx was not found",
        "more_info": "https://www.twilio.com/docs/errors/20404",
        "status": 404,
    }


def test_every_code_of_the_hosted_numbers_is_in_the_table() -> None:
    """22100 to 22123, without a gap."""
    assert [code for code in range(22100, 22124) if code not in ERRORS] == []


def test_a_number_has_one_live_order() -> None:
    """A second order for a number is refused until the first has failed or is canceled."""
    box = Driver()
    sid = box.received("170")
    assert box.refused_create(FIXED + "170") == 22110
    assert box.send("DELETE", f"{ORDERS}/{sid}") == (204, None)
    assert box.truth(box.create(FIXED + "170")["sid"])["attempt"] == 2


def test_a_unique_name_has_one_live_order() -> None:
    """A second order of the name is a conflict; by setting it is not."""
    box = Driver()
    box.create(UniqueName="one")
    assert box.refused_create("+14155550124", UniqueName="one") == 20409
    loose = Driver(settings=WorldSettings(enforce_unique_names=False))
    loose.create(UniqueName="one")
    loose.create("+14155550124", UniqueName="one")


def test_an_empty_update_is_legal_and_changes_nothing() -> None:
    """200 and the order as it was."""
    box = Driver()
    order = box.create()
    box.wait(60)
    assert box.update(order["sid"]) == (200, order)


def test_a_change_dates_the_order_and_a_repeat_does_not() -> None:
    """`date_updated` moves with every change and only then."""
    box = Driver()
    sid = box.create()["sid"]
    box.wait(60)
    assert box.update(sid, FriendlyName="New")[1]["date_updated"] == "2026-01-05T15:01:00Z"
    box.wait(60)
    assert box.update(sid, FriendlyName="New")[1]["date_updated"] == "2026-01-05T15:01:00Z"


def test_all_fields_of_an_update_are_set() -> None:
    """Names, addresses, extension and delay are as sent."""
    box = Driver()
    sid = box.create(UniqueName="old")["sid"]
    form = {"FriendlyName": "F", "UniqueName": "new", "Email": "a@b.co", "CcEmails": ["c@d.co"]}
    _, order = box.update(sid, **form, Extension="12#*w", CallDelay="60")
    assert (order["unique_name"], order["cc_emails"], order["call_delay"]) == ("new", ["c@d.co"], 60)
    assert box.send("GET", ORDERS, query={"UniqueName": "new"})[1]["items"][0]["sid"] == sid
    assert box.send("GET", ORDERS, query={"UniqueName": "old"})[1]["items"] == []


@pytest.mark.parametrize(
    ("code", "form"),
    [
        (22111, {"Status": "flying"}),
        (22112, {"Status": "completed"}),
        (22112, {"Status": "pending-verification"}),
        (22114, {"VerificationCode": "123456"}),
        (22117, {"Extension": ""}),
        (22117, {"Extension": "12a"}),
        (20001, {"CallDelay": "61"}),
        (20001, {"CallDelay": "-1"}),
        (22118, {"VerificationType": "phone-bill"}),
        (22116, {"FriendlyName": "x" * 129}),
    ],
)
def test_an_update_is_refused_with_its_code_and_changes_nothing(code: int, form: dict[str, str]) -> None:
    """In twilio-processing: each rule has its code, and nothing of the form is taken."""
    box = Driver()
    order = box.create()
    given = {"Email": "new@example.com", **form}
    assert box.refused("POST", f"{ORDERS}/{order['sid']}", **given) == code
    assert box.order(order["sid"]) == order


def test_an_order_that_has_ended_takes_no_update() -> None:
    """22112 for a field, 200 for an update of nothing."""
    box = Driver()
    sid = box.received("176")
    assert box.refused("POST", f"{ORDERS}/{sid}", FriendlyName="x") == 22112
    assert box.update(sid)[0] == 200


def test_a_call_is_counted_at_once() -> None:
    """Status, attempt, call sid and six-digit code stand in the reply to the POST."""
    box = Driver()
    sid = box.received("171")
    _, order = box.call(sid)
    assert (order["status"], order["verification_attempts"]) == ("pending-verification", 1)
    assert len(order["verification_call_sids"]) == 1
    assert len(order["verification_code"]) == 6


def test_a_code_lives_ten_minutes() -> None:
    """A call within ten minutes carries the same code, one after them a new one."""
    box = Driver()
    sid = box.received("171")
    first = box.call(sid)[1]["verification_code"]
    box.wait(599)
    assert box.call(sid)[1]["verification_code"] == first
    box.wait(1)
    assert box.call(sid)[1]["verification_code"] != first


def test_the_fourth_call_is_refused_and_requires_action() -> None:
    """22100, and the order is in action-required though the third call still rings."""
    box = Driver()
    sid = box.received("171")
    for _ in range(3):
        assert box.call(sid)[0] == 200
    assert box.refused("POST", f"{ORDERS}/{sid}", Status="pending-verification") == 22100
    assert box.status(sid) == "action-required"
    assert len(box.order(sid)["verification_call_sids"]) == 3
    assert {call["outcome"] for call in box.sandbox.calls()} == {"hung-up"}


def test_the_right_code_in_time_verifies() -> None:
    """The code of the reply, posted within ten minutes, verifies; a wrong one does not."""
    box = Driver()
    sid = box.received("171")
    code = box.call(sid)[1]["verification_code"]
    wrong = "000000" if code != "000000" else "111111"
    assert box.refused("POST", f"{ORDERS}/{sid}", VerificationCode=wrong) == 22113
    status, order = box.update(sid, VerificationCode=code)
    assert (status, order["status"]) == (200, "verified")
    assert box.refused("POST", f"{ORDERS}/{sid}", VerificationCode=code) == 22114


def test_an_expired_code_does_not_verify() -> None:
    """After ten minutes the right code is wrong."""
    box = Driver()
    sid = box.received("171")
    code = box.call(sid)[1]["verification_code"]
    box.wait(600)
    assert box.refused("POST", f"{ORDERS}/{sid}", VerificationCode=code) == 22113


def test_a_call_that_cannot_be_placed_is_refused_and_not_counted() -> None:
    """22123, and the order stays in received."""
    box = Driver()
    sid = box.received("178")
    assert box.refused("POST", f"{ORDERS}/{sid}", Status="pending-verification") == 22123
    assert (box.status(sid), box.order(sid)["verification_attempts"]) == ("received", 0)


@pytest.mark.parametrize(("ending", "wait"), [("170", 0), ("176", 2), ("180", 2)])
def test_an_order_is_canceled_only_where_the_lifecycle_allows(ending: str, wait: int) -> None:
    """In twilio-processing, failed and action-required a DELETE is a conflict."""
    box = Driver()
    sid = box.create(FIXED + ending)["sid"]
    box.wait(wait * DAY)
    status, body = box.send("DELETE", f"{ORDERS}/{sid}")
    assert (status, body["code"]) == (409, 20409)


def test_a_canceled_order_is_gone_with_its_number() -> None:
    """404 for both; the truth keeps the order and says that it is deleted."""
    box = Driver()
    sid = box.received()
    number = box.order(sid)["incoming_phone_number_sid"]
    box.send("DELETE", f"{ORDERS}/{sid}")
    assert box.refused("GET", f"{ORDERS}/{sid}") == 20404
    path = f"/2010-04-01/Accounts/{box.sandbox.account_sid}/IncomingPhoneNumbers/{number}.json"
    assert box.refused("GET", path) == 20404
    assert box.truth(sid)["deleted"]
    assert box.send("GET", ORDERS)[1]["items"] == []


def test_a_stricter_reading_of_delete_is_a_setting() -> None:
    """With it, only received can be canceled."""
    box = Driver(settings=WorldSettings(delete_only_received=True))
    sid = box.verified()
    assert box.refused("DELETE", f"{ORDERS}/{sid}") == 20409


def test_the_code_of_a_delete_that_comes_too_late_is_a_setting() -> None:
    """400, 22112 in place of 409, 20409; the order stays."""
    box = Driver(settings=WorldSettings(delete_conflict_code=22112))
    sid = box.create()["sid"]
    status, body = box.send("DELETE", f"{ORDERS}/{sid}")
    assert (status, body["code"], box.status(sid)) == (400, 22112, "twilio-processing")


def test_an_order_is_found_by_its_unique_name_where_the_settings_say_so() -> None:
    """Fetched, updated and canceled there; by default, and for a name nobody has, 404."""
    box = Driver(settings=WorldSettings(address_by_unique_name=True))
    order = box.create(UniqueName="shop-1")
    assert box.send("GET", f"{ORDERS}/shop-1") == (200, order)
    assert box.update("shop-1", FriendlyName="Shop")[1]["friendly_name"] == "Shop"
    assert box.refused("GET", f"{ORDERS}/shop-2") == 20404
    other = Person("AC" + "9" * 32, frozenset({"AC" + "9" * 32}))
    assert box.send("GET", f"{ORDERS}/shop-1", person=other)[0] == 404
    box.wait(36 * HOUR)
    assert box.send("DELETE", f"{ORDERS}/shop-1")[0] == 204
    assert box.refused("GET", f"{ORDERS}/shop-1") == 20404
    usual = Driver()
    usual.create(UniqueName="shop-1")
    assert usual.refused("GET", f"{ORDERS}/shop-1") == 20404


@pytest.mark.parametrize("status", [400, 409, 422])
def test_the_status_of_the_22xxx_errors_is_a_setting(status: int) -> None:
    """Of them alone: others keep theirs, and the body says the same as the reply."""
    box = Driver(settings=WorldSettings(rule_status=status))
    box.create()
    answers = [
        box.send("POST", ORDERS, PhoneNumber=PLAIN, SmsCapability="true"),
        box.send("GET", f"{ORDERS}/HR{'0' * 32}"),
        box.send("POST", ORDERS, SmsCapability="true"),
    ]
    assert [(got, body["code"]) for got, body in answers] == [(status, 22110), (404, 20404), (400, 20001)]
    assert all(got == body["status"] for got, body in answers)


def test_an_account_without_access_gets_404_for_everything() -> None:
    """Even a POST is not found."""
    box = Driver(settings=WorldSettings(preview_access=False))
    assert box.refused_create() == 20404


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("PUT", ORDERS, 20004),
        ("DELETE", LETTERS, 20004),
        ("GET", "/HostedNumbers/hostednumberorders", 20404),
        ("GET", ORDERS + "/", 20404),
        ("GET", "/", 20404),
    ],
)
def test_other_methods_and_paths_are_refused(method: str, path: str, code: int) -> None:
    """405 for a method, 404 for a path; paths are case sensitive."""
    assert Driver().refused(method, path) == code


def test_a_letter_takes_verified_orders() -> None:
    """201, in signing; the orders are in pending-loa and name the letter."""
    box = Driver()
    sid = box.verified()
    status, letter = box.letter(sid, CcEmails=["x@y.co"])
    assert (status, letter["status"], letter["cc_emails"]) == (201, "signing", ["x@y.co"])
    order = box.order(sid)
    assert (order["status"], order["signing_document_sid"]) == ("pending-loa", letter["sid"])
    _, page = box.send("GET", f"{LETTERS}/{letter['sid']}/DependentHostedNumberOrders")
    assert set(page["items"][0]) == set(ORDER_KEYS) - {"url"}
    assert box.send("GET", LETTERS, query={"Status": "signing"})[1]["items"] == [letter]
    assert box.send("GET", LETTERS, query={"Email": "no@no.no"})[1]["items"] == []


@pytest.mark.parametrize(
    ("code", "form"),
    [
        (22101, {"HostedNumberOrderSids": []}),
        (22101, {"HostedNumberOrderSids": ["HR1"]}),
        (22101, {"HostedNumberOrderSids": ["HR" + "0" * 32]}),
        (20001, {"AddressSid": ""}),
        (22109, {"AddressSid": "XX"}),
        (20001, {"Email": ""}),
        (22104, {"Email": "nobody"}),
        (20001, {"ContactTitle": ""}),
        (20001, {"ContactPhoneNumber": ""}),
        (22102, {"ContactPhoneNumber": "12"}),
    ],
)
def test_a_letter_is_refused_with_its_code(code: int, form: dict[str, Any]) -> None:
    """Each rule of a letter has its code, and the order stays verified."""
    box = Driver()
    sid = box.verified()
    status, body = box.letter(sid, **form)
    assert (status, body["code"], box.status(sid)) == (400, code, "verified")


def test_a_letter_refuses_an_order_that_is_not_verified() -> None:
    """22101, and the verified one of the same letter is not taken either."""
    box = Driver()
    verified, received = box.verified(), box.received("171")
    assert box.letter(verified, received)[1]["code"] == 22101
    assert box.status(verified) == "verified"


def test_a_letter_can_be_opened_changed_and_sent_again() -> None:
    """Opened, its orders are verified again; content changes only then; signing takes them back."""
    box = Driver()
    sid = box.verified()
    path = f"{LETTERS}/{box.letter(sid)[1]['sid']}"
    assert box.refused("POST", path, Email="new@example.com") == 22107
    assert box.refused("POST", path, Status="signed") == 22122
    assert box.send("POST", path, Status="opened")[1]["status"] == "opened"
    assert (box.status(sid), box.order(sid)["signing_document_sid"]) == ("verified", None)
    assert box.send("POST", path, Email="new@example.com")[1]["email"] == "new@example.com"
    assert box.send("POST", path, Status="signing")[1]["status"] == "signing"
    assert box.status(sid) == "pending-loa"


def test_a_signed_letter_takes_no_update() -> None:
    """22107 once it is signed."""
    box = Driver()
    path = f"{LETTERS}/{box.letter(box.verified())[1]['sid']}"
    box.wait(6 * DAY)
    assert box.send("GET", path)[1]["status"] == "signed"
    assert box.refused("POST", path, Status="opened") == 22107


def test_a_number_comes_with_its_order_and_is_off_boarded_after_completion() -> None:
    """RFC 2822 dates, settings of the create, in-use when completed, gone three days after DELETE."""
    box = Driver()
    sid = box.verified(SmsUrl="https://example.com/sms", AddressSid=ADDRESS)
    number = box.order(sid)["incoming_phone_number_sid"]
    path = f"/2010-04-01/Accounts/{box.sandbox.account_sid}/IncomingPhoneNumbers/{number}.json"
    _, shown = box.send("GET", path)
    assert (shown["origin"], shown["sms_url"]) == ("hosted", "https://example.com/sms")
    assert shown["date_created"] == "Mon, 05 Jan 2026 15:00:00 +0000"
    assert box.refused("DELETE", path) == 20409
    box.letter(sid)
    box.wait(12 * DAY)
    assert box.send("POST", path, SmsMethod="GET")[1]["status"] == "in-use"
    assert box.send("DELETE", path) == (204, None)
    box.wait(3 * DAY)
    assert box.refused("GET", path) == 20404
    box.create(FIXED + "170")


def test_a_subaccount_has_its_own_orders() -> None:
    """The parent may create for it and sees them; the subaccount sees only its own."""
    box = Driver()
    sub = box.sandbox.subaccounts[0].sid
    mine, theirs = box.create()["sid"], box.create("+14155550124", AccountSid=sub)
    assert theirs["account_sid"] == sub
    child = Person(sub, frozenset({sub}))
    assert [order["sid"] for order in box.send("GET", ORDERS, person=child)[1]["items"]] == [theirs["sid"]]
    assert box.send("GET", f"{ORDERS}/{mine}", person=child)[0] == 404
    assert len(box.send("GET", ORDERS)[1]["items"]) == 2


def test_phone_bill_needs_its_document_and_places_no_call() -> None:
    """With a document the review begins; asking again changes nothing."""
    box = Driver()
    sid = box.received()
    form = {"Status": "pending-verification", "VerificationType": "phone-bill"}
    assert box.refused("POST", f"{ORDERS}/{sid}", **form) == 22118
    _, order = box.update(sid, **form, VerificationDocumentSid=DOCUMENT)
    assert (order["status"], order["verification_attempts"]) == ("pending-verification", 0)
    assert box.call(sid)[1] == order
    box.wait(HOUR)
    assert box.sandbox.calls() == []


def test_a_fourth_call_changes_no_field() -> None:
    """The POST too many requires action; of what came with it nothing is taken."""
    box = Driver()
    sid = box.received("171")
    for _ in range(3):
        box.call(sid)
    form = {"Status": "pending-verification", "FriendlyName": "new", "Extension": "1"}
    assert box.refused("POST", f"{ORDERS}/{sid}", **form) == 22100
    order = box.order(sid)
    assert (order["friendly_name"], order["extension"], order["status"]) == (None, None, "action-required")


def test_a_number_on_its_way_out_takes_no_order() -> None:
    """Between its DELETE and three days later it is still hosted."""
    box = Driver()
    sid = box.verified()
    box.letter(sid)
    box.wait(12 * DAY)
    number = box.order(sid)["incoming_phone_number_sid"]
    path = f"/2010-04-01/Accounts/{box.sandbox.account_sid}/IncomingPhoneNumbers/{number}.json"
    assert box.send("DELETE", path) == (204, None)
    assert box.refused_create(FIXED + "170") == 22110
    box.wait(3 * DAY - 1)
    assert box.refused_create(FIXED + "170") == 22110
    box.wait(1)
    box.create(FIXED + "170")


def test_a_letter_that_is_out_is_not_changed_by_signing_again() -> None:
    """`Status=signing` in signing, and `opened` in opened, change nothing, not even the date."""
    box = Driver()
    _, letter = box.letter(box.verified())
    path = f"{LETTERS}/{letter['sid']}"
    box.wait(HOUR)
    assert box.send("POST", path, Status="signing") == (200, letter)
    _, opened = box.send("POST", path, Status="opened")
    box.wait(HOUR)
    assert box.send("POST", path, Status="opened") == (200, opened)


def test_a_letter_without_a_free_order_is_not_sent_out() -> None:
    """22101 where another letter has taken its orders meanwhile; it stays opened."""
    box = Driver()
    sid = box.verified()
    path = f"{LETTERS}/{box.letter(sid)[1]['sid']}"
    box.send("POST", path, Status="opened")
    assert box.letter(sid)[0] == 201
    assert box.refused("POST", path, Status="signing") == 22101
    assert box.send("GET", path)[1]["status"] == "opened"


@pytest.mark.parametrize("url", ["http://x.com:99999/", "http://x.com:0/", "http://[::1/", "http:///cb"])
def test_an_address_without_a_host_or_with_no_port_is_refused(url: str) -> None:
    """22105, at create already."""
    assert Driver().refused_create(StatusCallbackUrl=url) == 22105


@pytest.mark.parametrize(("hours", "status"), [(0, "received"), (1, "twilio-processing")])
def test_a_check_that_takes_no_time_is_over_in_the_reply(hours: int, status: str) -> None:
    """With a span of zero a new order is in received at once, as in the page's example."""
    box = Driver(settings=WorldSettings(check_hours=(hours, hours), min_stage_hours=0))
    assert box.create(FIXED + "170")["status"] == status


def test_what_goes_to_the_number_is_never_shown_with_the_order() -> None:
    """Neither keys nor values, in any reply of the order; the number has them."""
    box = Driver()
    form = {
        "SmsUrl": "https://a.example/one",
        "SmsMethod": "GET",
        "SmsFallbackUrl": "https://a.example/two",
        "SmsFallbackMethod": "POST",
        "StatusCallbackUrl": "https://a.example/three",
        "StatusCallbackMethod": "GET",
        "SmsApplicationSid": "AP" + "a" * 32,
    }
    order = box.create(**form)
    assert "a.example" not in str(order)
    assert tuple(box.update(order["sid"], FriendlyName="x", **form)[1]) == ORDER_KEYS
    path = f"/2010-04-01/Accounts/{order['account_sid']}/IncomingPhoneNumbers/"
    _, number = box.send("GET", f"{path}{order['incoming_phone_number_sid']}.json")
    names = ("sms_url", "sms_method", "sms_fallback_url", "sms_fallback_method")
    names += ("status_callback", "status_callback_method", "sms_application_sid")
    assert [number[name] for name in names] == list(form.values())


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("+99912345678", 22102),
        ("+21012345678", 22102),
        ("+12129115555", 22102),
        ("+12122115555", 22102),
        ("+442079460000", 22103),
        ("+18765550123", 22103),
    ],
)
def test_a_number_of_no_country_is_no_number(number: str, code: int) -> None:
    """22102 for a country code or an exchange nobody has, 22103 for a country that cannot be hosted."""
    assert Driver().refused_create(number) == code


def test_a_status_nobody_may_ask_for_is_refused_beside_a_right_code_too() -> None:
    """Nothing of the request was done."""
    box = Driver()
    sid = box.received("171")
    code = box.call(sid)[1]["verification_code"]
    assert box.refused("POST", f"{ORDERS}/{sid}", VerificationCode=code, Status="completed") == 22112
    assert box.status(sid) == "pending-verification"
    assert box.update(sid, VerificationCode=code, Status="pending-verification")[1]["status"] == "verified"


def test_a_code_for_an_order_at_its_end_is_not_awaited() -> None:
    """22114, as wherever the order is not in pending-verification."""
    box = Driver()
    sid = box.create(FIXED + "176")["sid"]
    box.wait(36 * HOUR)
    assert box.status(sid) == "failed"
    assert box.refused("POST", f"{ORDERS}/{sid}", VerificationCode="123456") == 22114
    assert box.refused("POST", f"{ORDERS}/{sid}", FriendlyName="x") == 22112


def test_a_number_keeps_a_name_of_its_own_and_loses_its_application() -> None:
    """FriendlyName is the number's; an empty SmsApplicationSid takes the application away."""
    box = Driver()
    order = box.create(SmsApplicationSid="AP" + "1" * 32, FriendlyName="Order")
    path = f"/2010-04-01/Accounts/{order['account_sid']}/IncomingPhoneNumbers/"
    path += f"{order['incoming_phone_number_sid']}.json"
    assert box.send("GET", path)[1]["friendly_name"] == "Order"
    _, number = box.send("POST", path, FriendlyName="Number", SmsApplicationSid="")
    assert (number["friendly_name"], number["sms_application_sid"]) == ("Number", "")
    assert box.order(order["sid"])["friendly_name"] == "Order"
