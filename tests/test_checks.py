"""The rules for one cell: what passes comes out as the API takes it, what does not has a code."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnbulk.checks import PLAIN, RULES, masked, read_field, row_findings
from hnbulk.headers import FIELD_ALIASES
from hnbulk.table import NO_VALUE

HEX = "0123456789abcdef" * 2

GOOD: list[tuple[str, str, Any]] = [
    ("friendly_name", "Montréal – Côte 😀", "Montréal – Côte 😀"),
    ("friendly_name", "NA", "NA"),
    ("friendly_name", "=HYPERLINK(1)", "=HYPERLINK(1)"),
    ("email", "a.b+c@sub.example.com", "a.b+c@sub.example.com"),
    ("cc_emails", "a@example.com; b@example.com,a@example.com ;", ["a@example.com", "b@example.com"]),
    ("address_sid", f"AD{HEX}", f"AD{HEX}"),
    ("address_sid", f"AD{HEX.upper()}", f"AD{HEX.upper()}"),
    ("sms_url", "https://sms.example.com:8443/a?b=c", "https://sms.example.com:8443/a?b=c"),
    ("sms_method", "post", "POST"),
    ("verification_type", "Phone Bill", "phone-bill"),
    ("extension", "12W#*", "12w#*"),
    ("extension", "0012", "0012"),
    ("call_delay", "0", 0),
    ("call_delay", "30", 30),
]
BAD = [
    ("friendly_name", "x" * 129, "friendly-name-too-long"),
    ("friendly_name", "two\nlines", "text-signs"),
    ("friendly_name", "a\u202eb", "text-signs"),
    ("friendly_name", "a\x1b[31m", "text-signs"),
    ("unique_name", "x" * 129, "unique-name-too-long"),
    ("email", "no-at.example.com", "email-format"),
    ("email", "a@@example.com", "email-format"),
    ("email", "a@b@example.com", "email-format"),
    ("email", "a@example", "email-format"),
    ("email", "a@example.com.", "email-format"),
    ("email", "a@münchen.example", "email-format"),
    ("email", ".a@example.com", "email-format"),
    ("email", "a..b@example.com", "email-format"),
    ("email", "Ana <a@example.com>", "email-format"),
    ("email", "a@-x.example.com", "email-format"),
    ("email", "x" * 65 + "@example.com", "email-format"),
    ("email", "a@" + "x." * 130 + "com", "email-format"),
    ("email", "a@example.com; b@example.com", "email-several"),
    ("cc_emails", "a@example.com; nobody", "cc-format"),
    ("cc_emails", '["a@example.com"]', "cc-format"),
    ("cc_emails", ";", "cc-format"),
    ("address_sid", f"AD{HEX[1:]}", "sid-format"),
    ("address_sid", f"AD{HEX}0", "sid-format"),
    ("address_sid", f"RI{HEX}", "sid-format"),
    ("address_sid", f"ad{HEX}", "sid-format"),
    ("address_sid", "AD" + "g" * 32, "sid-format"),
    ("sms_application_sid", f"AD{HEX}", "sid-format"),
    ("verification_document_sid", f"AD{HEX}", "sid-format"),
    ("account_sid", f"SK{HEX}", "sid-format"),
    ("sms_url", "http://sms.example.com/", "url-scheme"),
    ("sms_url", "ftp://sms.example.com/", "url-scheme"),
    ("sms_url", "javascript:alert(1)", "url-scheme"),
    ("sms_url", "sms.example.com/x", "url-scheme"),
    ("sms_url", "https://", "url-format"),
    ("sms_url", "https://a b.example.com/", "url-format"),
    ("sms_url", "https://[::1", "url-format"),
    ("sms_url", "https://sms.example.com:99999/", "url-format"),
    ("sms_url", "https://sms.example.com/" + "x" * 2_100, "url-format"),
    ("sms_url", "https://me:pw@sms.example.com/", "url-host"),
    ("sms_url", "https://127.0.0.1/", "url-host"),
    ("sms_url", "https://2130706433/", "url-host"),
    ("sms_url", "https://0x7f.1/", "url-host"),
    ("sms_url", "https://0177.0.0.1/", "url-host"),
    ("sms_url", "https://[::ffff:127.0.0.1]/", "url-host"),
    ("sms_url", "https://169.254.169.254/", "url-host"),
    ("sms_url", "https://localhost/", "url-host"),
    ("sms_url", "https://localhost./", "url-host"),
    ("sms_url", "https://printer.local/", "url-host"),
    ("sms_url", "https://metadata.google.internal/", "url-host"),
    ("sms_url", "https://exämple.com/", "url-host"),
    ("status_callback_url", "https://intranet/", "url-host"),
    ("sms_method", "PUT", "method-unknown"),
    ("verification_type", "letter", "verification-type-unknown"),
    ("extension", "12a", "extension-format"),
    ("extension", "１２", "extension-format"),
    ("extension", "12.0", "extension-format"),
    ("call_delay", "-1", "call-delay-format"),
    ("call_delay", "61", "call-delay-format"),
    ("call_delay", "1.5", "call-delay-format"),
    ("call_delay", "ten", "call-delay-format"),
    ("call_delay", "３", "call-delay-format"),
]


@pytest.mark.parametrize(("field", "text", "value"), GOOD)
def test_a_good_cell_becomes_its_value(field: str, text: str, value: object) -> None:
    """The value is as the API takes it, without a finding."""
    assert read_field(field, text) == (value, ())


@pytest.mark.parametrize(("field", "text", "code"), BAD)
def test_a_bad_cell_has_no_value_and_its_code(field: str, text: str, code: str) -> None:
    """What breaks a rule is never sent."""
    value, findings = read_field(field, text)
    assert value is None
    assert {finding.code for finding in findings} == {code}
    assert RULES[code].severity == "error"


@pytest.mark.parametrize(
    ("field", "text", "value", "code"),
    [
        ("friendly_name", "x" * 65, "x" * 65, "friendly-name-long"),
        ("call_delay", "31", 31, "call-delay-long"),
    ],
)
def test_where_the_document_contradicts_itself_it_warns(
    field: str, text: str, value: object, code: str
) -> None:
    """Between the two limits the value passes with a warning."""
    read, findings = read_field(field, text)
    assert (read, [finding.code for finding in findings]) == (value, [code])
    assert RULES[code].severity == "warning"


def test_fields_of_one_row_are_held_against_each_other() -> None:
    """A phone bill needs its document; an application overrides the row's addresses."""
    bill = {"verification_type": "phone-bill"}
    both = {"sms_application_sid": "AP", "sms_url": "https://x"}
    assert [finding.code for _, finding in row_findings(bill)] == ["document-missing"]
    assert row_findings({**bill, "verification_document_sid": "RI"}) == []
    assert [finding.code for _, finding in row_findings(both)] == ["application-overrides-urls"]


@given(st.sampled_from(sorted(FIELD_ALIASES)), st.text(min_size=1))
def test_any_text_has_a_value_or_an_error(field: str, text: str) -> None:
    """No text breaks a reader; a value and an error exclude each other."""
    value, findings = read_field(field, text)
    failed = any(RULES[finding.code].severity == "error" for finding in findings)
    assert (value is None) == failed


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("phone_number", "+15017122661"),
        ("email", "ana.archer@example.com"),
        ("friendly_name", "Ana Archer"),
    ],
)
def test_a_problem_shows_no_more_of_a_value_than_finds_it(field: str, text: str) -> None:
    """Masked, and still something."""
    shown = masked(field, text)
    assert "***" in shown
    assert text not in shown


def test_every_rule_says_what_to_do() -> None:
    """Rule and remedy are one line each."""
    assert all(rule.rule and rule.remedy and "\n" not in rule.rule + rule.remedy for rule in RULES.values())


@pytest.mark.parametrize(
    "text", ["#N/A", "#DIV/0!", "#VALEUR!", "#¡VALOR!", "#¿NOMBRE?", "#NV", "Err:502", NO_VALUE]
)
def test_what_stands_for_a_missing_value_is_no_text_of_any_field(text: str) -> None:
    """Nor is it plain for whoever looks at many cells at once."""
    for field in ("friendly_name", "email", "sms_url", "unique_name"):
        assert [finding.code for finding in read_field(field, text)[1]] == ["cell-error"]
        assert not (field in PLAIN and re.fullmatch(PLAIN[field], text))


@pytest.mark.parametrize(
    "text", ["#5 Main St", "#TEAM!", "#12?", "Err", "Err:5", "Ernest", "E", "Er", "E 5", "N/A"]
)
def test_words_like_it_are_names(text: str) -> None:
    """A number sign or an E before them is nothing."""
    assert read_field("friendly_name", text) == (text, ())
