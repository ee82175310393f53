"""Free text without people's data: phone numbers and e-mail addresses in it are masked.

However they are written; counts, dates and sids stay. A value whose kind is known is masked by
`models` instead.
"""

from __future__ import annotations

import re

from hnbulk.models import mask, mask_email, mask_phone

_EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\w+])\+?1?[\s.-]?\(?[2-9]\d{2}\)?[\s.-]?\d{3}[\s.-]?\d{4}(?!\w)")
_ABROAD = re.compile(r"(?<![\w+])\+\d{7,15}(?!\w)")


def mask_text(text: str) -> str:
    """`text` with every phone number and e-mail address in it masked."""
    text = _EMAIL.sub(lambda found: mask_email(found[0]), text)
    text = _PHONE.sub(lambda found: _mask_american(found[0]), text)
    return _ABROAD.sub(lambda found: mask(found[0]), text)


def _mask_american(number: str) -> str:
    lead = number[: len(number) - len(number.lstrip())]
    return lead + mask_phone("+1" + re.sub(r"\D", "", number)[-10:])
