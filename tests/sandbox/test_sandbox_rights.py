"""Who may see what: the parent its subaccounts', never the reverse, whatever the settings say later."""

from __future__ import annotations

import pytest
from sandbox_driver import LETTERS, ORDERS, Driver

from hnbulk.sandbox import load_sandbox
from hnbulk.sandbox.refusals import Person


@pytest.fixture(name="box")
def _box() -> Driver:
    """An order of the parent and one of its first subaccount."""
    box = Driver()
    box.parents = box.create("+14155550123")["sid"]
    box.sub = box.sandbox.subaccounts[0].sid
    box.subs = box.create("+14155550124", AccountSid=box.sub)["sid"]
    box.child = Person(box.sub, frozenset({box.sub}))
    return box


def listed(box: Driver, person: Person | None = None, **query: str) -> list[str]:
    status, page = box.send("GET", ORDERS, query=query, person=person)
    assert status == 200, page
    return [order["sid"] for order in page["items"]]


def test_a_parent_lists_both_and_a_subaccount_its_own(box: Driver) -> None:
    """With a filter and without."""
    assert sorted(listed(box)) == sorted([box.parents, box.subs])
    assert listed(box, box.child) == [box.subs]
    assert listed(box, box.child, PhoneNumber="+14155550123") == []
    assert box.send("GET", f"{ORDERS}/{box.parents}", person=box.child)[0] == 404


@pytest.mark.parametrize("way", ["PA", "PB"])
def test_a_page_token_tells_nothing_of_somebody_elses_order(box: Driver, way: str) -> None:
    """The parent's sid in a token is as bad to the subaccount as any sid nobody has."""
    for sid in (box.parents, "HR" + "0" * 32):
        query = {"Page": "1", "PageToken": f"{way}{sid}"}
        status, page = box.send("GET", ORDERS, query=query, person=box.child)
        assert (status, page["code"]) == (400, 21481)
    box.wait(3 * 86_400)
    query = {"Page": "1", "PageToken": f"{way}PX{'0' * 32}"}
    assert box.send("GET", LETTERS, query=query, person=box.child)[1]["code"] == 21481


def test_a_restored_state_gives_no_new_rights(box: Driver, tmp_path) -> None:
    """A state that speaks of another number of subaccounts is refused by a running sandbox."""
    file = tmp_path / "state.json"
    box.sandbox.save(file)
    other = load_sandbox(file, changes={"subaccounts": 1})
    with pytest.raises(ValueError, match="2 subaccounts"):
        other.load(file)
    assert [order["sid"] for order in other.orders()] == [box.parents, box.subs]


def test_an_owner_whose_subaccounts_are_gone_lists_what_it_may_fetch(box: Driver, tmp_path) -> None:
    """List and fetch agree."""
    file = tmp_path / "state.json"
    box.sandbox.save(file)
    alone = Driver()
    alone.sandbox = load_sandbox(file, changes={"subaccounts": 0})
    alone.service = alone.sandbox.desk.service
    alone.person = Person(alone.sandbox.account_sid, frozenset({alone.sandbox.account_sid}))
    assert listed(alone) == [box.parents]
    assert alone.send("GET", f"{ORDERS}/{box.subs}")[0] == 404
