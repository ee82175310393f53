"""Every row of the outcome table: what is final, what may go again, what is in doubt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnbulk.messages import Failure, FailureKind, Phase, Reply
from hnbulk.outcome import (
    Expected,
    Operation,
    Outcome,
    OutcomeKind,
    classify,
    may_send_again,
    maybe_processed,
    says_taken,
)
from hnbulk.pacing import delay_after

CREATED: dict[str, Any] = {
    **json.loads((Path(__file__).parent / "samples" / "create.json").read_bytes()),
    "unique_name": "hn1-abc",
}
HR, PX = CREATED["sid"], "PX" + "1" * 32
OURS = Expected("+15017122661", "hn1-abc", "AC" + "a" * 32)
THIS = Expected(account_sid="AC" + "a" * 32, sid=HR)
WRITES = [op for op in Operation if op is not Operation.READ]
BODIED = [Operation.CREATE, Operation.UPDATE, Operation.CALL, Operation.LETTER]
DATE = {"date": "Mon, 05 Jan 2026 15:00:00 GMT"}


def reply(status: int, body: Any = None, **headers: str) -> Reply:
    """A reply of this JSON value, or of these bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {"content-type": "application/json", **DATE, **headers}, content)


def error(code: int | None, message: str = "no") -> dict[str, Any]:
    """An error body of the API."""
    return {"code": code, "message": message}


def kind_of(operation: Operation, result: Reply | Failure, expected: Expected = OURS) -> tuple[str, str]:
    """Kind and reason, as words."""
    outcome = classify(operation, result, expected)
    return str(outcome.kind), outcome.reason


# failures


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize(
    "kind",
    [
        FailureKind.CONNECT,
        FailureKind.CONNECT_TIMEOUT,
        FailureKind.POOL_TIMEOUT,
        FailureKind.LOCAL,
        FailureKind.CANCELED,
        FailureKind.INTERRUPTED,
    ],
)
def test_what_never_left_was_not_sent(operation: Operation, kind: FailureKind) -> None:
    """Not one byte left, so the same request may go again."""
    outcome = classify(operation, Failure(kind, Phase.BEFORE_SEND), OURS)
    assert (outcome.kind, outcome.reason) == (OutcomeKind.NOT_SENT, kind)
    assert may_send_again(outcome, operation)
    assert not maybe_processed(outcome)


@pytest.mark.parametrize("kind", [FailureKind.CERTIFICATE, FailureKind.ORIGIN])
def test_a_wrong_other_side_stops_the_run(kind: FailureKind) -> None:
    """A bad certificate or a foreign address is nothing to try again."""
    outcome = classify(Operation.READ, Failure(kind, Phase.BEFORE_SEND), OURS)
    assert (outcome.kind, outcome.reason) == (OutcomeKind.STOP_RUN, kind)
    assert not may_send_again(outcome, Operation.READ)


@pytest.mark.parametrize("kind", FailureKind)
@pytest.mark.parametrize("operation", WRITES)
def test_whatever_may_have_left_is_in_doubt(operation: Operation, kind: FailureKind) -> None:
    """After the first byte no failure of any kind says that nothing was done."""
    outcome = classify(operation, Failure(kind, Phase.SENT), OURS)
    assert (outcome.kind, outcome.reason) == (OutcomeKind.AMBIGUOUS, kind)
    assert not may_send_again(outcome, operation)
    assert maybe_processed(outcome)


def test_a_read_in_doubt_may_go_again() -> None:
    """Reading changes nothing."""
    outcome = classify(Operation.READ, Failure(FailureKind.READ, Phase.SENT), Expected())
    assert outcome.kind is OutcomeKind.AMBIGUOUS
    assert may_send_again(outcome, Operation.READ)


# refusals


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("body", [error(20429), b"<html>busy</html>", b""], ids=str)
def test_busy_is_not_processed_whatever_the_body(operation: Operation, body: Any) -> None:
    """429 was never processed and is always safe to repeat: the service says so."""
    outcome = classify(operation, reply(429, body, **{"retry-after": "7"}), OURS)
    assert (outcome.kind, outcome.reason, outcome.retry_after) == (OutcomeKind.NOT_PROCESSED, "busy", 7.0)
    assert may_send_again(outcome, operation)


@pytest.mark.parametrize("status", [400, 404, 405, 409, 413, 415, 422])
@pytest.mark.parametrize("operation", [Operation.UPDATE, Operation.CALL, Operation.READ])
def test_a_refusal_with_a_code_is_final(operation: Operation, status: int) -> None:
    """The service's own no is not asked again."""
    outcome = classify(operation, reply(status, error(22112, "no")), THIS)
    assert (outcome.kind, outcome.reason) == (OutcomeKind.REJECTED, f"status-{status}")
    assert (outcome.code, outcome.message) == (22112, "no")
    assert not may_send_again(outcome, operation)
    assert not maybe_processed(outcome)


@pytest.mark.parametrize("status", [400, 404, 405, 409, 413, 415, 422])
@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("body", [b"<html>no</html>", b"", error(None), b"[]"], ids=str)
def test_a_refusal_without_a_code_proves_nothing(operation: Operation, status: int, body: Any) -> None:
    """A proxy or portal on the way may have said it, after or before the service acted."""
    assert kind_of(operation, reply(status, body), THIS) == ("ambiguous", f"status-{status}")


@pytest.mark.parametrize(
    ("status", "code"), [(400, 22110), (409, 20409), (400, 22102), (404, 20410), (422, 20422)]
)
def test_a_refused_create_is_final(status: int, code: int) -> None:
    """Name taken, number taken, number wrong: the engine decides whether to look for its own."""
    outcome = classify(Operation.CREATE, reply(status, error(code)), OURS)
    assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, code)


@pytest.mark.parametrize("operation", [Operation.CREATE, Operation.LETTER])
def test_a_collection_that_is_not_there_stops_the_run(operation: Operation) -> None:
    """404 with 20404 on a create is an account without access to this API."""
    outcome = classify(operation, reply(404, error(20404)), OURS)
    assert (outcome.kind, outcome.reason) == (OutcomeKind.STOP_RUN, "no-access")


@pytest.mark.parametrize("operation", [Operation.UPDATE, Operation.CALL, Operation.LETTER, Operation.READ])
def test_a_resource_that_is_not_there_is_a_refusal(operation: Operation) -> None:
    """404 with 20404 on one resource concerns that one alone."""
    assert kind_of(operation, reply(404, error(20404)), THIS) == ("rejected", "status-404")


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("operation", Operation)
def test_refused_credentials_stop_the_run(operation: Operation, status: int) -> None:
    """No row is to blame."""
    assert kind_of(operation, reply(status, error(20003))) == ("stop-run", f"status-{status}")


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b'{"message": "no"}'])
@pytest.mark.parametrize("operation", Operation)
def test_a_refusal_in_nobodys_words_stops_the_run_and_proves_nothing(
    operation: Operation, status: int, body: bytes
) -> None:
    """A filter may keep back the reply to what was carried out."""
    outcome = classify(operation, reply(status, body), OURS)
    assert (outcome.kind, outcome.reason) == (OutcomeKind.STOP_RUN, f"unsaid-{status}")
    assert maybe_processed(outcome)
    assert not may_send_again(outcome, operation)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
@pytest.mark.parametrize("operation", Operation)
def test_a_redirect_stops_the_run(operation: Operation, status: int) -> None:
    """No request follows it, and what was asked may have been done already."""
    outcome = classify(operation, reply(status, b"", location="https://evil.example"), OURS)
    assert (outcome.kind, outcome.reason) == (OutcomeKind.STOP_RUN, "redirect")
    assert maybe_processed(outcome)


@pytest.mark.parametrize(
    "status",
    [100, 199, 402, 406, 408, 410, 418, 421, 425, 431, 451, 500, 501, 502, 503, 504, 520, 599, 600],
)
@pytest.mark.parametrize("operation", WRITES)
def test_every_other_status_is_in_doubt(operation: Operation, status: int) -> None:
    """408, any 5xx and whatever nobody described: a body with a code does not change that."""
    for body in (error(20500), b"<html>", b""):
        assert kind_of(operation, reply(status, body)) == ("ambiguous", f"status-{status}")


def test_an_error_keeps_code_message_wait_and_date() -> None:
    """The message names nobody; the wait counts from the reply's own date."""
    headers = {"retry-after": "Mon, 05 Jan 2026 15:00:09 GMT"}
    outcome = classify(
        Operation.CREATE, reply(503, error(20503, "sorry +15017122661\x1b[0m"), **headers), OURS
    )
    assert (outcome.code, outcome.message) == (20503, "sorry +1501***2661 [0m")
    assert outcome.retry_after == 9.0
    assert str(outcome.server_date) == "2026-01-05 15:00:00+00:00"


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("-3", 0.0),
        ("1000000000", 1e9),
        ("99999999999", None),
        ("NaN", None),
        ("1e9", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("5, 30", 30.0),
        ("5, soon", None),
        ("Mon, 05 Jan 2026 15:00:09 GMT", 9.0),
        ("Mon, 05 Jan 2026 14:00:00 GMT", 0.0),
        ("Mon, 99 Jan 2026 15:00:00 GMT", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_is_taken_at_its_word_or_not_at_all(status: int, said: str, wait: float | None) -> None:
    """Seconds or a date, the larger of two; what is neither says nothing. No delay is below it."""
    outcome = classify(Operation.CREATE, reply(status, error(20429), **{"retry-after": said}), OURS)
    assert outcome.retry_after == wait
    for draw in (0.0, 0.5, 1.0):
        delay = delay_after(str(outcome.kind), 0, outcome.retry_after, lambda draw=draw: draw)  # type: ignore[misc]
        assert (wait or 0.0) <= delay <= max(1.0, (wait or 0.0) * 1.25, (wait or 0.0) + 1.0)


@pytest.mark.parametrize(
    ("said", "under_way"),
    [
        ("7", 7),
        (" 12 ", 12),
        ("0", 0),
        ("-1", None),
        ("7, 8", None),
        ("٣", None),
        ("many", None),
        ("", None),
    ],
)
def test_how_many_the_service_sees_at_once_is_kept(said: str, under_way: int | None) -> None:
    """On any reply that says it as a plain number."""
    header = {"twilio-concurrent-requests": said}
    for status, body in ((429, error(20429)), (201, CREATED), (400, error(22110)), (503, b"")):
        assert classify(Operation.CREATE, reply(status, body, **header), OURS).under_way == under_way
    assert classify(Operation.CREATE, reply(201, CREATED), OURS).under_way is None


# successes


@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_a_create_that_shows_our_order_is_done(status: int) -> None:
    """Sid, number, name and account are ours."""
    outcome = classify(Operation.CREATE, reply(status, CREATED), OURS)
    assert outcome.kind is OutcomeKind.DONE
    assert (outcome.reason, outcome.sid, outcome.status) == (f"status-{status}", HR, "received")
    assert str(outcome.server_date) == "2026-01-05 15:00:00+00:00"
    assert not may_send_again(outcome, Operation.CREATE)


@pytest.mark.parametrize(
    "change",
    [
        {"phone_number": "+15017122662"},
        {"phone_number": None},
        {"unique_name": "hn1-other"},
        {"unique_name": None},
        {"account_sid": "AC" + "b" * 32},
        {"sid": None},
        {"sid": "HR123"},
        {"sid": HR + "\n"},
        {"sid": "HR" + "١" * 32},
        {"sid": PX},
        {"sid": 7},
    ],
    ids=str,
)
def test_a_create_that_shows_another_order_is_in_doubt(change: dict[str, Any]) -> None:
    """A reply that belongs to another request, or does not keep our name, proves nothing."""
    assert kind_of(Operation.CREATE, reply(201, {**CREATED, **change})) == (
        "ambiguous",
        "identity-mismatch",
    )


@pytest.mark.parametrize("name", ["phone_number", "unique_name", "account_sid", "sid"])
def test_a_create_that_leaves_out_who_it_is_is_in_doubt(name: str) -> None:
    """What is not shown is not equal."""
    body = {key: value for key, value in CREATED.items() if key != name}
    assert kind_of(Operation.CREATE, reply(201, body)) == ("ambiguous", "identity-mismatch")


def test_what_is_not_expected_is_not_asked_for() -> None:
    """A dialect without unique names expects none."""
    assert kind_of(Operation.CREATE, reply(201, CREATED), Expected("+15017122661"))[0] == "done"


@pytest.mark.parametrize("operation", [Operation.UPDATE, Operation.CALL])
def test_a_change_must_show_the_order_it_was_meant_for(operation: Operation) -> None:
    """By its sid."""
    assert kind_of(operation, reply(200, CREATED), THIS) == ("done", "status-200")
    other = Expected(sid="HR" + "b" * 32)
    assert kind_of(operation, reply(200, CREATED), other) == ("ambiguous", "identity-mismatch")


def test_a_letter_is_known_by_its_own_sid() -> None:
    """It shows neither account nor number, so only what it shows can differ."""
    body = {"sid": PX, "status": "signing"}
    assert kind_of(Operation.LETTER, reply(201, body)) == ("done", "status-201")
    assert kind_of(Operation.LETTER, reply(200, body), Expected(sid=PX)) == ("done", "status-200")
    assert kind_of(Operation.LETTER, reply(201, {**body, "sid": HR}))[0] == "ambiguous"
    assert kind_of(Operation.LETTER, reply(201, {**body, "account_sid": "AC"}))[0] == "ambiguous"


@pytest.mark.parametrize(
    ("shown", "status"),
    [("action_required", "action-required"), ("new-one", "new-one"), (None, None), (5, None)],
)
def test_a_status_is_kept_as_the_table_spells_it(shown: Any, status: str | None) -> None:
    """Underscores become hyphens, an unknown one stays, none is None."""
    assert classify(Operation.CREATE, reply(201, {**CREATED, "status": shown}), OURS).status == status


UNREADABLE = {
    "empty": b"",
    "truncated": json.dumps(CREATED).encode()[:-1],
    "invalid utf-8": b'{"sid": "\xff"}',
    "nan": b'{"call_delay": NaN}',
    "repeated name": b'{"sid": "HR", ' + json.dumps(CREATED).encode()[1:],
    "deep": b"[" * 100_000,
    "endless number": b'{"call_delay": ' + b"9" * 5_000 + b"}",
    "list": b"[]",
    "null": b"null",
}


@pytest.mark.parametrize("operation", BODIED)
@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_a_success_that_cannot_be_read_is_in_doubt(operation: Operation, content: bytes) -> None:
    """Something happened; what, nobody knows."""
    assert kind_of(operation, reply(201, content)) == ("ambiguous", "unreadable")


@pytest.mark.parametrize("operation", BODIED)
def test_a_success_without_a_body_or_of_another_type_is_in_doubt(operation: Operation) -> None:
    """204 on a create, or a portal's HTML."""
    assert kind_of(operation, Reply(204)) == ("ambiguous", "unreadable")
    html = Reply(200, {"content-type": "text/html"}, json.dumps(CREATED).encode())
    assert kind_of(operation, html) == ("ambiguous", "unreadable")


def test_a_cancel_is_done_when_it_is_gone() -> None:
    """204, or the service's own 404; any other success says nothing for sure."""
    assert kind_of(Operation.DELETE, Reply(204), THIS) == ("done", "status-204")
    assert kind_of(Operation.DELETE, reply(404, error(20404)), THIS) == ("done", "gone")
    assert kind_of(Operation.DELETE, reply(200, CREATED), THIS) == ("ambiguous", "status-200")
    assert kind_of(Operation.DELETE, reply(202, b""), THIS) == ("ambiguous", "status-202")
    assert kind_of(Operation.DELETE, reply(409, error(20409)), THIS) == ("rejected", "status-409")


def test_a_read_only_has_to_look_whole() -> None:
    """Who asked parses it; a portal's page stops the run, half a page may be asked for again."""
    assert kind_of(Operation.READ, reply(200, b' {"items": []}\n'), Expected()) == ("done", "status-200")
    for content in (b"", b"{", b"[]", b'{"a"'):
        assert kind_of(Operation.READ, reply(200, content), Expected()) == ("ambiguous", "unreadable")
    portal = Reply(200, {"content-type": "text/html"}, b"<html>")
    assert kind_of(Operation.READ, portal, Expected()) == ("stop-run", "not-json")


def test_a_read_of_one_order_can_ask_who_it_is() -> None:
    """With something expected the reply is held against it."""
    assert kind_of(Operation.READ, reply(200, CREATED), THIS) == ("done", "status-200")
    assert kind_of(Operation.READ, reply(200, {**CREATED, "sid": "HR" + "b" * 32}), THIS)[0] == "ambiguous"


def test_no_expectation_shows_in_a_repr() -> None:
    """Numbers and names stay out of logs."""
    assert repr(OURS) == "Expected(sid=None)"
    assert "5017122661" not in repr(classify(Operation.CREATE, reply(201, CREATED), OURS))


@given(
    st.sampled_from(Operation),
    st.integers(100, 699),
    st.dictionaries(st.sampled_from(["content-type", "date", "retry-after"]), st.text(max_size=20)),
    st.binary(max_size=60),
)
def test_nothing_crashes_and_garbage_is_never_done(
    operation: Operation, status: int, headers: dict[str, str], body: bytes
) -> None:
    """Whatever comes, there is an outcome; a write is done only by proof."""
    outcome = classify(operation, Reply(status, headers, body), OURS)
    assert isinstance(outcome, Outcome)
    if operation in BODIED:
        assert outcome.kind is not OutcomeKind.DONE


@pytest.mark.parametrize(
    ("status", "code", "taken"),
    [(400, 22110, True), (422, 22110, True), (409, 20409, True), (400, 22102, False), (503, 22110, False)],
)
def test_a_refusal_says_when_something_is_there_already(status: int, code: int, taken: bool) -> None:
    """By the number's own code, or as a conflict; a reply that refuses nothing says nothing."""
    assert says_taken(classify(Operation.CREATE, reply(status, error(code)), OURS)) is taken


def test_the_words_that_journals_hold_stay_as_they_are() -> None:
    """A journal of an earlier version is read by this one."""
    kinds = "not-sent not-processed rejected stop-run ambiguous done"
    operations = "create update delete call letter read"
    assert " ".join(OutcomeKind) == kinds
    assert " ".join(Operation) == operations
