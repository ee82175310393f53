"""The object a notebook holds: reading is free, changing needs a plan that was approved."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import hnbulk as hn
from hnbulk import wire
from hnbulk.errors import InputError, LimitRefused, PlanRefused, UsageError
from hnbulk.frames import findings_frame
from hnbulk.intake import read_bytes

LIST = b"""Branch,Phone,Ext.,Email
Harbour,(415) 555-0100,,a@example.com
Mill,415-555-0101,12,b@example.com
Quay,415 555 0102,,c@example.com
"""


def posts(account: hn.Account) -> int:
    """How many requests that could change something the sandbox has received."""
    assert account.sandbox is not None
    return sum(entry["method"] != "GET" for entry in account.sandbox.ledger())


def apply(account: hn.Account, plan: hn.Plan, **options: object) -> None:
    account.apply(plan, approve=plan.checksum[:8], **options).wait(timeout=60)  # type: ignore[arg-type]


def test_planning_sends_nothing_but_reads(account: hn.Account) -> None:
    """A plan is made, shown and saved without one request that could change something."""
    plan = account.plan(read_bytes(LIST, name="list.csv"))
    assert plan.file.counts == {"create": 3, "update": 1}
    assert posts(account) == 0


def test_a_list_with_errors_is_refused_unless_set_aside(account: hn.Account) -> None:
    """Error rows stop a plan; set aside on purpose, the others go on."""
    intake = read_bytes(LIST + b"Bad,12,,\n", name="list.csv")
    with pytest.raises(InputError, match="set-aside"):
        account.plan(intake)
    assert account.plan(intake, set_aside=True).file.counts["set-aside"] == 1


def test_an_applied_plan_leaves_nothing_to_do(account: hn.Account) -> None:
    """plan(plan applied) = no change, dependent update included."""
    intake = read_bytes(LIST, name="list.csv")
    apply(account, account.plan(intake))
    assert account.plan(intake).file.counts == {"nothing": 3}
    assert account.orders(phone_number="+14155550101")["extension"].tolist() == ["12"]


def test_a_run_is_resumed_at_a_pace_of_its_own(account: hn.Account) -> None:
    """As it is applied at one; a pace that cannot be kept is a wrong call, and nothing goes on."""
    plan = account.plan(read_bytes(LIST, name="list.csv"))
    assert account.sandbox is not None
    account.sandbox.set_faults({"action": "status", "status": 401, "method": "POST", "times": 1})
    report = account.apply(plan, approve=plan.checksum[:8]).wait(timeout=60)
    assert report.exit_code == 7
    account.sandbox.set_faults()
    sent = posts(account)
    for wrong in ({"rate": 0.0}, {"connections": 11}, {"settle": -1.0}):
        with pytest.raises(UsageError):
            account.resume(report.run_id, **wrong)  # type: ignore[arg-type]
    assert posts(account) == sent
    run = account.resume(report.run_id, rate=50.0, connections=1, settle=5.0)
    assert run.progress.limit == 1
    assert run.wait(timeout=60).ok


def test_a_wrong_approval_is_refused(account: hn.Account) -> None:
    """Nothing is sent without the plan's own checksum."""
    plan = account.plan(read_bytes(LIST, name="list.csv"))
    with pytest.raises(PlanRefused):
        account.apply(plan, approve="0" * 8)
    assert posts(account) == 0


def test_results_are_tables_with_the_users_own_columns(account: hn.Account) -> None:
    """Each input row is in exactly one table."""
    plan = account.plan(read_bytes(LIST, name="list.csv"))
    run = account.apply(plan, approve=plan.checksum[:8])
    run.wait(timeout=60)
    assert run.results.success["Branch"].tolist() == ["Harbour", "Mill", "Quay"]
    assert len(run.results.error) == len(run.results.unprocessed) == 0


def test_few_targets_in_a_long_list_are_read_by_number(tmp_path: Path) -> None:
    """With thousands of orders and a short file, planning asks for the file's numbers only."""
    with hn.connect_sandbox(seed=7, orders=2100, home=tmp_path) as account:
        assert account.sandbox is not None
        before = len(account.sandbox.ledger())
        account.plan(read_bytes(LIST, name="list.csv"))
        asked = account.sandbox.ledger()[before:]
        assert len(asked) == 2 + 3


def test_calls_wait_for_their_exact_number(account: hn.Account) -> None:
    """No phone rings without the plan's count, and with it each due order is called once."""
    apply(account, account.plan(read_bytes(LIST, name="list.csv")))
    account.connection.clock.wait_until(account.now + pd.Timedelta(days=2).to_pytimedelta())
    plan = account.verify(max_calls=2)
    assert plan.file.counts["verify"] == 2
    with pytest.raises(LimitRefused):
        account.apply(plan, approve=plan.checksum[:8])
    apply(account, plan, place_calls=2)
    assert account.sandbox is not None
    assert len(account.sandbox.calls()) == 2


def test_a_plan_of_no_calls_can_be_asked_for(account: hn.Account) -> None:
    """Zero is zero, and no calls at once are refused; neither falls back to the default."""
    apply(account, account.plan(read_bytes(LIST, name="list.csv")))
    account.connection.clock.wait_until(account.now + pd.Timedelta(days=2).to_pytimedelta())
    assert account.verify(max_calls=0).file.steps == ()
    for wrong in ({"max_calls": -1}, {"at_once": 0}, {"toll_free_zone": "Mars/Olympus"}):
        with pytest.raises(UsageError):
            account.verify(**wrong)  # type: ignore[arg-type]


def test_runs_are_a_typed_table(account: hn.Account) -> None:
    """The same columns and dtypes with a run and without one."""
    empty = account.runs()
    apply(account, account.plan(read_bytes(LIST, name="list.csv")))
    pd.testing.assert_series_equal(account.runs().dtypes, empty.dtypes)
    assert account.runs()["steps"].tolist() == [4]


def test_polls_become_events_and_a_funnel(account: hn.Account) -> None:
    """What polls saw is the history, and the funnel counts each number once."""
    apply(account, account.plan(read_bytes(LIST, name="list.csv")))
    account.connection.clock.wait_until(account.now + pd.Timedelta(days=2).to_pytimedelta())
    account.poll()
    assert set(account.events()["source"].astype(str)) == {"own", "poll"}
    assert int(account.funnel().table["current"].sum()) == 3


def test_an_audit_is_a_table_that_shows_itself(account: hn.Account) -> None:
    """Clean after a run; with an order gone, a row with its kind, the number masked where it is shown."""
    apply(account, account.plan(read_bytes(LIST, name="list.csv")))
    assert account.audit().clean
    assert account.audit().table.empty
    account.connection.clock.wait_until(account.now + pd.Timedelta(days=2).to_pytimedelta())
    orders = account.orders()
    first = orders[orders["status"] == "received"].iloc[0]
    account.connection.client.send(wire.delete_order(wire.PREVIEW, first["sid"]))
    found = account.audit()
    assert found.table[["kind", "sid"]].to_numpy().tolist() == [["vanished", first["sid"]]]
    assert first["phone_number"] in found.table["phone_number"].tolist()
    assert first["phone_number"] not in repr(found) + found._repr_html_()
    pd.testing.assert_series_equal(found.table.dtypes, findings_frame([]).dtypes)


def test_rows_are_planned_again_by_their_class(account: hn.Account) -> None:
    """With their own numbers and cells, and only those of the class; the others are not in the plan."""
    assert account.sandbox is not None
    no = {"action": "status", "status": 400, "code": 22104, "method": "POST", "path": "Orders$"}
    account.sandbox.set_faults(no | {"nth": 1})
    plan = account.plan(read_bytes(LIST, name="list.csv"))
    run = account.apply(plan, approve=plan.checksum[:8])
    run.wait(timeout=60)
    assert account.error_classes(run.run_id)[["class", "rows"]].to_numpy().tolist() == [
        ["refused-field", 1]
    ]
    with pytest.raises(UsageError, match="no rows of stale"):
        account.retry(run.run_id, ["stale"])
    again = account.retry(run.run_id, ["refused-field"])
    (row,) = again.file.rows
    (failed,) = run.results.error["hn_row"].tolist()
    assert (str(row.row), dict(row.cells)) == (failed, dict(plan.file.rows[row.row - 2].cells))
    apply(account, again)
    assert len(account.orders()) == 3


def test_calls_and_letters_are_planned_again_for_their_orders(account: hn.Account) -> None:
    """A refused call is planned anew with its order as it is now; a letter with its own contact."""
    assert account.sandbox is not None
    for number in ("+14155550100", "+14155550101", "+14155550102"):
        account.sandbox.set_fate(number, "smooth")
    apply(account, account.plan(read_bytes(LIST, name="list.csv")))
    account.connection.clock.wait_until(account.now + pd.Timedelta(days=2).to_pytimedelta())
    account.sandbox.set_faults(
        {"action": "status", "status": 400, "code": 22123, "method": "POST", "nth": 1}
    )
    calls = account.verify()
    run = account.apply(calls, approve=calls.checksum[:8], place_calls=3)
    run.wait(timeout=60)
    again = account.retry(run.run_id, ["refused-field"])
    assert [step.action for step in again.file.steps] == ["verify"]
    apply(account, again, place_calls=1)
    letters = account.authorize(
        contact_title="Owner", contact_phone_number="+14155550100", address_sid="AD" + "0" * 32
    )
    account.sandbox.set_faults(
        {"action": "status", "status": 400, "code": 22109, "method": "POST", "nth": 1}
    )
    run = account.apply(letters, approve=letters.checksum[:8])
    run.wait(timeout=60)
    (step, *_) = account.retry(run.run_id, ["refused-field"]).file.steps
    assert (step.after["contact_title"], step.after["address_sid"]) == ("Owner", "AD" + "0" * 32)


def test_a_plan_that_moved_is_rebased(account: hn.Account) -> None:
    """The row that moved is blocked and told; the others stay in the plan."""
    plan = account.plan(read_bytes(LIST, name="list.csv"))
    fields = {"phone_number": "+14155550101", "unique_name": "theirs"}
    account.connection.client.send(wire.create_order(wire.PREVIEW, fields))
    made = account.rebase(plan)
    assert made.file.counts == {"create": 2, "blocked": 1}
    assert "Blocked: moved (row 3)" in str(made)
    assert made.checksum != plan.checksum


def test_drift_names_the_rows_whose_orders_moved(account: hn.Account) -> None:
    """A rival's order makes a create impossible; an order that merely went on leaves its row standing."""
    assert account.sandbox is not None
    targets = read_bytes(LIST, name="list.csv")
    first = account.plan(targets)
    assert account.drift(first).empty
    fields = {"phone_number": "+14155550101", "unique_name": "theirs"}
    account.connection.client.send(wire.create_order(wire.PREVIEW, fields))
    assert account.drift(first)[["row", "code", "stands"]].values.tolist() == [[3, "not-ours", False]]
    second = account.plan(targets)
    account.sandbox.clock.advance(36 * 3600)
    moved = account.drift(second)
    assert moved[["row", "code", "stands"]].values.tolist() == [[3, "status", True]]
    assert moved["message"].tolist() == ["the order was twilio-processing and is received now"]
    assert moved["sid"].str.startswith("HR").all()


def test_an_account_shows_neither_token_nor_person(account: hn.Account) -> None:
    """repr and HTML name the account and the place, no secret."""
    assert account.sandbox is not None
    shown = repr(account) + account._repr_html_() + repr(account.connection) + repr(vars(account))
    assert account.sandbox.auth_token not in shown


def test_two_sandboxes_of_one_seed_are_one_world(tmp_path: Path) -> None:
    """The same seed and the same acts give the same orders, sids included."""
    frames = []
    for name in ("a", "b"):
        with hn.connect_sandbox(seed=3, home=tmp_path / name) as account:
            apply(account, account.plan(read_bytes(LIST, name="list.csv")))
            frames.append(account.orders().sort_values("phone_number", ignore_index=True))
    pd.testing.assert_frame_equal(frames[0], frames[1])


def test_a_sandbox_of_a_notebook_has_the_settings_it_was_given() -> None:
    """By name; a bad one is told with where they stand."""
    with hn.connect_sandbox(seed=7, answer_rate=1.0, check_hours=[12, 24]) as account:
        assert account.sandbox is not None
        settings = account.sandbox.desk.service.world.settings
        assert (settings.answer_rate, settings.check_hours) == (1.0, (12, 24))
    for odd in ({"seed": "a"}, {"orders": -1}, {"seed": True}):
        with pytest.raises(UsageError, match="whole number"):
            hn.connect_sandbox(**odd)
    for bad in ({"answer_rate": 2}, {"answer_rat": 1}, {"callback_hosts": ["http://a.example/"]}):
        with pytest.raises(UsageError, match=r"docs/sandbox\.md"):
            hn.connect_sandbox(seed=7, **bad)


def test_an_account_of_a_sandbox_tells_how_other_programs_reach_it(account: hn.Account) -> None:
    """Printed it has the three variables and the code of both libraries; its repr has no token."""
    told = str(account.reach)
    assert [line.split("=")[0] for line in told.splitlines()[:3]] == [
        "export HNBULK_BASE_URL",
        "export TWILIO_ACCOUNT_SID",
        "export TWILIO_AUTH_TOKEN",
    ]
    assert "TwilioHttpClient" in told
    assert "RequestClient" in told
    assert account.reach.environ["HNBULK_BASE_URL"] == account.connection.base_url
    assert account.reach.auth_token not in repr(account.reach)
    with pytest.raises(UsageError, match="no sandbox"):
        hn.Account(account.connection).reach  # noqa: B018


@pytest.mark.parametrize("targets", ["list.csv", Path("list.csv"), ["+14155550100"], None])
def test_what_is_no_list_is_a_wrong_call(account: hn.Account, targets: object) -> None:
    """The message names what reads a file."""
    for ask in (account.plan, account.cancel):
        with pytest.raises(UsageError, match=r"hn\.read_targets"):
            ask(targets)  # type: ignore[arg-type]


def test_only_a_plan_is_applied_and_only_by_its_checksum(account: hn.Account) -> None:
    """A path or a missing approval is a wrong call."""
    plan = account.plan(read_bytes(LIST, name="list.csv"))
    with pytest.raises(UsageError, match=r"hn\.Plan\.load"):
        account.apply("b.plan", approve="x")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="approve="):
        account.apply(plan, approve=None)  # type: ignore[arg-type]
    assert posts(account) == 0


def test_a_run_that_is_over_is_resumed_by_the_account(account: hn.Account) -> None:
    """Its handle has nothing to let go on."""
    plan = account.plan(read_bytes(LIST, name="list.csv"))
    run = account.apply(plan, approve=plan.checksum[:8])
    run.wait(timeout=60)
    with pytest.raises(UsageError, match=r"account\.resume"):
        run.resume()


def test_an_audit_looks_at_the_newest_run_that_created_orders(account: hn.Account) -> None:
    """A run of cancels after it is none; without any the message says so."""
    with pytest.raises(UsageError, match="no finished run of orders"):
        account.audit()
    intake = read_bytes(LIST, name="list.csv")
    for number in intake.targets["phone_number"]:
        account.sandbox.set_fate(number, "smooth")  # type: ignore[union-attr]
    plan = account.plan(intake)
    first = account.apply(plan, approve=plan.checksum[:8])
    first.wait(timeout=60)
    account.sandbox.clock.advance(48 * 3600)  # type: ignore[union-attr]
    gone = account.cancel(intake)
    account.apply(gone, approve=gone.checksum[:8]).wait(timeout=60)
    assert first.run_id in str(account.audit())
