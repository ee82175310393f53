"""Columns find their fields by any usual name, and nothing is chosen between two."""

from __future__ import annotations

import pytest

from hnbulk.errors import InputError
from hnbulk.frames import TARGET_COLUMNS
from hnbulk.headers import CHECKED_ONLY, FIELD_ALIASES, field_of, map_headers


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Phone", "phone_number"),
        ("  PHONE_number ", "phone_number"),
        ("Business Phone #", "phone_number"),
        ("Tel.", "phone_number"),
        ("Numéro", "phone_number"),
        ("NUME\u0301RO", "phone_number"),
        ("Main line", "phone_number"),
        ("Branch", "friendly_name"),
        ("Site name", "friendly_name"),
        ("Ext.", "extension"),
        ("x", "extension"),
        ("Manager e-mail", "email"),
        ("Cc emails", "cc_emails"),
        ("AddressSid", "address_sid"),
        ("SmsUrl", "sms_url"),
        ("StatusCallbackUrl", "status_callback_url"),
        ("TN", "phone_number"),
        ("BTN", "phone_number"),
        ("Line", "phone_number"),
        ("N° de téléphone", "phone_number"),
        ("Número de teléfono", "phone_number"),
        ("Línea principal", "phone_number"),
        ("Sucursal", "friendly_name"),
        ("Courriel", "email"),
        ("Type of line", "line_type"),
        ("Notes", None),
        ("Address", None),
        ("#", None),
        ("", None),
    ],
)
def test_a_header_is_known_whatever_its_case_and_signs(header: str, field: str | None) -> None:
    """Case, accents, blanks and punctuation do not count."""
    assert field_of(header) == field


def test_every_field_of_a_target_can_be_a_column() -> None:
    """Aliases and targets frame name the same fields, and no alias means two."""
    assert set(FIELD_ALIASES) - CHECKED_ONLY == set(TARGET_COLUMNS) - {"row"}
    assert all(field_of(name) == field for field, names in FIELD_ALIASES.items() for name in names)


def test_no_name_means_two_fields() -> None:
    """However it is written: no alias of one field folds to an alias of another."""
    names = [(name, field) for field, aliases in FIELD_ALIASES.items() for name in (field, *aliases)]
    for spelled in (str.lower, str.upper, lambda name: name.replace(" ", "_"), lambda name: f" {name}."):
        assert [(name, field) for name, field in names if field_of(spelled(name)) != field] == []


def test_two_columns_for_one_field_are_refused() -> None:
    """Both are named, and what to do."""
    with pytest.raises(InputError, match=r"row 1: the columns 'Phone' and 'Tel\.' both mean phone_number"):
        map_headers(["Phone", "Tel.", "Name"], name="a.csv")


def test_without_a_phone_column_the_headers_seen_and_wanted_are_named() -> None:
    """A list of e-mail addresses is not a list of numbers."""
    with pytest.raises(InputError, match=r"'Branch', 'Fax'; accepted names are Phone,"):
        map_headers(["Branch", "Fax"], name="a.csv")


def test_a_first_row_of_data_is_not_shown_in_clear() -> None:
    """A file without a header has people's numbers where the header should be."""
    with pytest.raises(InputError) as caught:
        map_headers(["Ana", "415-555-0100", "ana@example.com"], name="a.csv")
    assert "555" not in caught.value.message
    assert "ana@example.com" not in caught.value.message
