"""Administration: the clock, the truth, the ledger, faults, fates, state."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sandbox_driver import DAY, ORDERS, PLAIN, Served, served

from hnbulk.sandbox.records import ORDER_KEYS


@pytest.fixture(name="box")
def _box() -> Iterator[Served]:
    with served(orders=20) as box:
        yield box


@pytest.fixture(name="shared", scope="module")
def _shared() -> Iterator[Served]:
    """For tests that change nothing."""
    with served(orders=20) as box:
        yield box


def lines(reply: httpx.Response) -> list[dict[str, Any]]:
    """The documents of a JSON Lines reply."""
    assert reply.status_code == 200
    return [json.loads(line) for line in reply.text.splitlines()]


def test_the_clock_is_read_and_advanced(box: Served) -> None:
    """The new time is the answer, and the world has caught up."""
    sid = box.create().json()["sid"]
    assert box.admin.get("/clock").json()["now"] == "2026-01-05T15:00:00Z"
    assert box.admin.post("/clock", json={"advance": 2 * DAY}).json()["now"] == "2026-01-07T15:00:00Z"
    assert box.api.get(f"{ORDERS}/{sid}").json()["status"] == "received"


def test_the_truth_has_all_fields_and_the_history(box: Served) -> None:
    """The 23 keys and deleted, attempt, fate and history."""
    sid = box.create().json()["sid"]
    truth = lines(box.admin.get("/orders"))
    order = next(one for one in truth if one["sid"] == sid)
    assert len(truth) == 21
    assert set(order) == {*ORDER_KEYS, "deleted", "attempt", "fate", "history"}
    assert order["history"] == [
        {"status": "twilio-processing", "at": "2026-01-05T15:00:00Z", "mover": "client"}
    ]


def test_ledger_and_calls_are_json_lines(box: Served) -> None:
    """A call of an order stands in both."""
    sid = box.create().json()["sid"]
    box.admin.post("/clock", json={"advance": 2 * DAY})
    order = box.api.post(f"{ORDERS}/{sid}", data={"Status": "pending-verification"}).json()
    box.admin.post("/clock", json={"advance": 600})
    call = next(one for one in lines(box.admin.get("/calls")) if one["order_sid"] == sid)
    assert [call["sid"]] == order["verification_call_sids"]
    assert call["outcome"] in ("right", "wrong", "no-answer")
    assert lines(box.admin.get("/ledger"))[-1]["did"] == f"called {call['sid']} for {sid}"


def test_a_ledger_can_be_read_on_from_where_one_was(box: Served) -> None:
    """`after` leaves out so many; what is no number is refused."""
    for _ in range(3):
        box.api.get(ORDERS)
    assert [line["n"] for line in lines(box.admin.get("/ledger?after=1"))] == [2, 3]
    assert lines(box.admin.get("/ledger?after=3")) == lines(box.admin.get(f"/ledger?after={10**20}")) == []
    assert box.admin.get("/ledger?after=-1").status_code == 400


def test_a_fate_is_given_by_name(box: Served) -> None:
    """The next order of the number has it."""
    assert box.admin.post("/fates", json={"phone_number": PLAIN, "fate": "not-hostable"}).json()
    assert box.create().json()["code"] == 22110
    assert box.admin.get("/fates").json()[PLAIN] == "not-hostable"


def test_state_put_and_taken_again_is_equal(box: Served) -> None:
    """A state can be put back, and from it the world goes on as it would have."""
    box.create()
    box.admin.post("/faults", json=[{"action": "late", "seconds": 50, "method": "DELETE"}])
    with pytest.raises(httpx.HTTPError):
        box.api.delete(f"{ORDERS}/{box.api.get(ORDERS).json()['items'][1]['sid']}")
    state = box.admin.get("/state").json()
    box.admin.post("/clock", json={"advance": 20 * DAY})
    later = box.admin.get("/orders").text
    assert box.admin.put("/state", json=state).status_code == 200
    assert box.admin.get("/state").json() == state
    box.admin.post("/clock", json={"advance": 20 * DAY})
    assert box.admin.get("/orders").text == later


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer wrong", "Basic eDp5", "{token}"])
@pytest.mark.parametrize(
    "path", ["/clock", "/orders", "/ledger", "/calls", "/callbacks", "/state", "/fates", "/faults"]
)
def test_administration_needs_its_token(shared: Served, path: str, token: str) -> None:
    """401 without it; the account's credentials do not open it, nor does the bare token."""
    headers = {"Authorization": token.format(token=shared.sandbox.admin_token)}
    reply = httpx.get(shared.admin_url + path, headers=headers, trust_env=False)
    assert reply.status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/clock", "{"),
        ("POST", "/clock", "[]"),
        ("POST", "/clock", "{}"),
        ("POST", "/clock", '{"advance": -1}'),
        ("POST", "/clock", '{"advance": NaN}'),
        ("POST", "/clock", '{"advance": true}'),
        ("POST", "/clock", '{"advance": 1e300}'),
        ("POST", "/clock", "[" * 100_000),
        ("POST", "/faults", '{"action": "explode"}'),
        ("POST", "/faults", '{"action": "status", "colour": 1}'),
        ("POST", "/faults", '[{"action": "delay", "path": "("}]'),
        ("POST", "/faults", '[{"action": "delay", "probability": 2}]'),
        ("POST", "/faults", '[{"action": "delay", "nth": 0}]'),
        ("POST", "/faults", '[{"action": "delay", "seconds": "soon"}]'),
        ("POST", "/faults", '[{"action": "status", "status": 100}]'),
        ("POST", "/faults", "[1]"),
        ("POST", "/faults", '{"action": "status", "status": null}'),
        ("POST", "/faults", '{"action": "status", "seed": null}'),
        ("POST", "/faults", '{"action": "status", "method": 5}'),
        ("POST", "/faults", '{"action": "status", "processed": "no"}'),
        ("POST", "/faults", '{"action": "status", "times": true}'),
        ("POST", "/faults", '{"action": "status", "retry_after": "1\\r\\nx: y"}'),
        ("POST", "/faults", '{"action": "status", "content": "half"}'),
        ("POST", "/faults", '{"action": "garbage", "content": "json"}'),
        ("POST", "/faults", '{"action": "delay", "nth": []}'),
        ("POST", "/fates", '{"phone_number": "+14155550100"}'),
        ("POST", "/fates", '{"phone_number": "1", "fate": "smooth"}'),
        ("POST", "/fates", '{"phone_number": "+14155550100", "fate": "?"}'),
        (
            "POST",
            "/fates",
            '[{"phone_number": "+14155550100", "fate": "smooth"},'
            ' {"phone_number": "+14155550101", "fate": "?"}]',
        ),
        ("PUT", "/state", "{}"),
        ("PUT", "/state", '{"format": 1, "seed": 7}'),
        ("PUT", "/state", '{"format": 1, "seed": 7, "settings": 3}'),
    ],
)
def test_wrong_input_is_400_and_changes_nothing(shared: Served, method: str, path: str, body: str) -> None:
    """A message says what is wrong; the state is as it was."""
    before = shared.admin.get("/state").json()
    reply = shared.admin.request(method, path, content=body)
    assert reply.status_code == 400
    assert reply.json()["message"]
    assert shared.admin.get("/state").json() == before


def test_the_api_knows_nothing_of_administration(shared: Served) -> None:
    """Its paths are not found on the API's address."""
    assert shared.api.get("/clock").status_code == 404


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("orders", "created", "soon"),
        ("orders", "status", "flying"),
        ("orders", "fate", "glorious"),
        ("orders", "colour", 1),
        ("letters", "order_sids", ["HR0"]),
        ("calls", "order_sid", "HR0"),
        ("numbers", "sid", None),
        ("numbers", "order_sid", "HR0"),
        ("letters", "status", "flying"),
        ("orders", "email", 5),
        ("orders", "cc_emails", [5]),
        ("orders", "history", [{"status": "flying", "at": 5, "mover": "client"}]),
        ("orders", "history", [5]),
    ],
)
def test_a_state_that_does_not_hold_together_is_refused(
    shared: Served, part: str, name: str, value: object
) -> None:
    """A record of another shape, or one that names what is not there, is 400 and changes nothing."""
    before = shared.admin.get("/state").json()
    broken = json.loads(json.dumps(before))
    broken[part][0][name] = value
    assert shared.admin.put("/state", json=broken).status_code == 400
    assert shared.admin.get("/state").json() == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("latency", "soon"),
        ("check_hours", [1]),
        ("check_hours", 5),
        ("subaccounts", 1.5),
        ("preview_access", 1),
        ("concurrency_limit", True),
        ("callback_hosts", [1]),
        ("callback_method", None),
    ],
)
def test_a_state_with_a_setting_of_another_kind_is_refused(
    shared: Served, name: str, value: object
) -> None:
    """Each setting is held against what it should be."""
    state = shared.admin.get("/state").json()
    state["settings"][name] = value
    reply = shared.admin.put("/state", json=state)
    assert reply.status_code == 400
    assert name in reply.json()["message"]


def test_a_foreign_host_does_not_reach_administration(shared: Served) -> None:
    """421, token or not: a name that was bent to this machine is no way in."""
    assert shared.admin.get("/clock", headers={"Host": "evil.example"}).status_code == 421
