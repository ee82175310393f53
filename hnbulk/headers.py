"""Which column of a list is which field: the names people give their columns.

A header counts without case, accents, blanks and punctuation. Two columns for one field are
refused, never chosen between. This module reads no cell below the header.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from hnbulk.errors import InputError
from hnbulk.models import mask

#: Field to the headers that mean it; the field's own name always does.
FIELD_ALIASES: Mapping[str, tuple[str, ...]] = {
    "phone_number": (
        "Phone",
        "Phone #",
        "Phone no.",
        "Telephone",
        "Telephone number",
        "Tel.",
        "Tel. no.",
        "Number",
        "Business phone",
        "Business Phone #",
        "Business phone number",
        "Branch phone",
        "Store phone",
        "Office phone",
        "Main line",
        "Main number",
        "Main phone",
        "Landline",
        "DID",
        "DID number",
        "TN",
        "BTN",
        "WTN",
        "ANI",
        "MSISDN",
        "Billing telephone number",
        "Line",
        "Line number",
        "Business line",
        "Phone line",
        "Published number",
        "Numéro",
        "N° de téléphone",
        "Numéro de téléphone",
        "No. de téléphone",
        "No. tél.",
        "Tél.",
        "Téléphone",
        "Ligne",
        "Ligne principale",
        "Numéro principal",
        "Teléfono",
        "Número",
        "Número de teléfono",
        "Nº de teléfono",
        "Línea",
        "Línea principal",
    ),
    "friendly_name": (
        "Name",
        "Branch",
        "Branch name",
        "Site",
        "Site name",
        "Location",
        "Location name",
        "Store",
        "Store name",
        "Office",
        "Label",
        "Display name",
        "Nom",
        "Succursale",
        "Nom de la succursale",
        "Magasin",
        "Emplacement",
        "Bureau",
        "Nombre",
        "Sucursal",
        "Nombre de la sucursal",
        "Tienda",
        "Oficina",
        "Ubicación",
    ),
    "unique_name": ("Unique id",),
    "cc_emails": ("CC", "Cc email", "Cc e-mails", "Copy to", "Email cc", "Copies", "Copie à", "Con copia"),
    "email": (
        "E-mail",
        "Email address",
        "Manager e-mail",
        "Manager email address",
        "Owner e-mail",
        "Contact e-mail",
        "Signer e-mail",
        "Mail",
        "Courriel",
        "Adresse courriel",
        "Correo",
        "Correo electrónico",
    ),
    "address_sid": ("Address id", "Owner address sid"),
    "sms_url": ("SMS webhook", "SMS webhook URL", "Webhook", "Webhook URL", "Inbound URL", "Message URL"),
    "sms_method": ("SMS webhook method", "Webhook method"),
    "sms_fallback_url": ("Fallback URL", "SMS fallback"),
    "sms_fallback_method": ("Fallback method",),
    "status_callback_url": ("Status callback", "Callback URL", "Callback", "Status URL"),
    "status_callback_method": ("Callback method",),
    "sms_application_sid": ("Application sid", "SMS application", "App sid"),
    "verification_type": ("Verification", "Verify by"),
    "verification_document_sid": ("Document sid", "Verification document", "Phone bill sid", "Bill sid"),
    "account_sid": ("Subaccount", "Subaccount sid"),
    "extension": (
        "Ext",
        "Ext.",
        "Extn",
        "x",
        "Extension number",
        "Phone extension",
        "Ext #",
        "Poste",
        "Extensión",
        "Interno",
    ),
    "call_delay": ("Delay", "Call delay seconds", "Call delay (s)", "Délai", "Retraso"),
    "line_type": (
        "Line type",
        "Type of line",
        "Phone type",
        "Number type",
        "Type de ligne",
        "Tipo de línea",
    ),
}
#: What is looked at and never sent.
CHECKED_ONLY = frozenset({"line_type"})


def _folded(header: str) -> str:
    plain = unicodedata.normalize("NFKD", header).casefold()
    return re.sub(r"[^0-9a-z]", "", plain)


_FIELD_OF = {_folded(name): field for field, aliases in FIELD_ALIASES.items() for name in (field, *aliases)}


def field_of(header: str) -> str | None:
    """The field a header means; None where no field has that name."""
    return _FIELD_OF.get(_folded(header))


def map_headers(
    columns: Sequence[str], *, name: str, stated: Mapping[str, str | None] | None = None
) -> dict[str, str]:
    """The columns that mean a field, in file order: column to field.

    What is `stated` of a column goes before its name, and a field that was stated has no other
    column beside it; a column stated as None means nothing. Raises `InputError` where two columns
    mean one field or none is the phone number; `name` is the file's, for the message.
    """
    stated = stated or {}
    taken = {stated[column] for column in columns if column in stated}
    mapping = {}
    for column in columns:
        field = stated[column] if column in stated else field_of(column)
        if field is not None and (column in stated or field not in taken):
            mapping[column] = field
    seen: dict[str, str] = {}
    for column, field in mapping.items():
        if field in seen:
            both = f"{shown_header(seen[field])} and {shown_header(column)}"
            raise InputError(
                f"{name}, row 1: the columns {both} both mean {field}. Keep one, or rename the other.",
                file=name,
                row=1,
            )
        seen[field] = column
    if "phone_number" not in seen:
        raise InputError(
            f"{name}, row 1: no column is the phone number. The headers are "
            f"{', '.join(map(shown_header, columns))}; accepted names are "
            f"{', '.join(FIELD_ALIASES['phone_number'][:6])} and the like. Name the column, in row 1, "
            "or say which it is with --map.",
            file=name,
            row=1,
        )
    return mapping


def shown_header(header: str) -> str:
    """A header for a message; one that looks like a cell of data is masked."""
    data = "@" in header or len(re.sub(r"[^0-9]", "", header)) > 4
    return repr(mask(header) if data else header[:40])
