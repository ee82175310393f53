"""Live orders are found by their number, whatever kind of number it is."""

from __future__ import annotations

import pandas as pd
from test_plan import order, phone

from hnbulk.frames import empty_orders, orders_from
from hnbulk.live import LiveOrders
from hnbulk.models import Order


def frame(*orders: Order) -> pd.DataFrame:
    return orders_from(orders)


def found(orders: pd.DataFrame, *numbers: str) -> list[int]:
    return LiveOrders.of(orders).find(pd.Series(numbers, dtype="string[pyarrow]")).tolist()


def test_a_number_has_the_place_of_its_one_live_order() -> None:
    """In the frame of all orders; -1 where there is none that lives."""
    orders = frame(order(1, "failed"), order(2), order(3))
    assert found(orders, phone(3), phone(1), phone(2), phone(9)) == [2, -1, 1, -1]
    live = LiveOrders.of(orders)
    assert (len(live), live.doubled, dict(live.failures)) == (2, [], {phone(1): 1})
    assert live.column("phone_number").tolist() == [phone(2), phone(3)]


def test_two_live_orders_on_a_number_are_told_and_not_found() -> None:
    """Neither is taken for the one."""
    twice = order(2).model_copy(update={"sid": "HR" + "f" * 32})
    orders = frame(order(1), order(2), twice)
    live = LiveOrders.of(orders)
    assert live.doubled == [phone(2)]
    assert found(orders, phone(1), phone(2)) == [0, -1]
    asked = pd.Series([phone(2), phone(1)], dtype="string[pyarrow]")
    assert live.among_doubled(asked).tolist() == [True, False]


def test_an_order_that_a_frame_has_twice_is_one() -> None:
    """As where two readings were put together."""
    orders = pd.concat([frame(order(1), order(2)), frame(order(2))], ignore_index=True)
    live = LiveOrders.of(orders)
    assert (len(live), live.doubled) == (2, [])
    assert found(orders, phone(2)) == [1]


def test_numbers_that_are_no_e164_are_found_by_their_text() -> None:
    """What the service has is not ours to judge; an order without a number is none of any number's."""
    odd = order(2).model_copy(update={"phone_number": "tel-12"})
    none = order(3).model_copy(update={"phone_number": None})
    orders = frame(order(1), odd, none)
    assert found(orders, "tel-12", phone(1), phone(3)) == [1, 0, -1]
    assert found(frame(order(1)), "tel-12", phone(1)) == [-1, 0]
    assert len(LiveOrders.of(orders)) == 2


def test_without_orders_nothing_is_found() -> None:
    """Nor without numbers."""
    assert found(empty_orders(), phone(1)) == [-1]
    assert found(frame(order(1))) == []
