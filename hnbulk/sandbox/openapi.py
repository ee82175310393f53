"""The API the sandbox serves, described as an OpenAPI 3.1 document.

It is written from the tables by which requests are found, forms are read and records are shown;
what the tables do not say stands here. Scripted faults, which can answer anything, are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from hnbulk.lifecycle import LETTER_ORDER, ORDER
from hnbulk.sandbox.fates import WorldSettings
from hnbulk.sandbox.numbers import SHOWN_SETTINGS
from hnbulk.sandbox.parameters import PARAMETERS, Parameter, sid_pattern
from hnbulk.sandbox.records import ORDER_KEYS, Letter, Order
from hnbulk.sandbox.refusals import ERRORS, status_of
from hnbulk.sandbox.routes import DESK, ROUTES, Route

Schema = dict[str, Any]

_STAMP = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
_RFC_2822 = r"^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} \+0000$"
_TEXT: Schema = {"type": "string"}
_OF_TYPE: dict[str, Schema] = {
    "str": _TEXT,
    "str | None": {"type": ["string", "null"]},
    "int": {"type": "integer", "minimum": 0},
    "list[str]": {"type": "array", "items": _TEXT},
    "list[str] | None": {"type": ["array", "null"], "items": _TEXT},
}
_PREFIXES = {
    "account_sid": "AC",
    "address_sid": "AD",
    "incoming_phone_number_sid": "PN",
    "signing_document_sid": "PX",
    "verification_document_sid": "RI",
}
#: What a success leads to: the operation, and which of its parameters is which key of the answer.
_LEADS: dict[str, dict[str, dict[str, str]]] = {
    "order": {
        "fetch_order": {"Sid": "sid"},
        "update_order": {"Sid": "sid"},
        "delete_order": {"Sid": "sid"},
        "fetch_number": {"AccountSid": "account_sid", "Sid": "incoming_phone_number_sid"},
        "update_number": {"AccountSid": "account_sid", "Sid": "incoming_phone_number_sid"},
        "delete_number": {"AccountSid": "account_sid", "Sid": "incoming_phone_number_sid"},
    },
    "letter": {
        "fetch_letter": {"Sid": "sid"},
        "update_letter": {"Sid": "sid"},
        "list_dependents": {"Sid": "sid"},
    },
    "number": {},
}


def describe(settings: WorldSettings) -> dict[str, Any]:
    """The document of a sandbox with these settings. It names no server: its own address is its."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, settings)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hosted Numbers, as the sandbox serves it",
            "version": "preview",
            "description": "Names that no operation knows are ignored, in a form and in a query.",
        },
        "security": [{"account": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"account": {"type": "http", "scheme": "basic"}},
            "schemas": _answers(),
        },
    }


def _operation(route: Route, settings: WorldSettings) -> dict[str, Any]:
    told: dict[str, Any] = {"operationId": route.operation, "summary": route.about}
    parameters = [_segment(name) for name in re.findall(r"\{(\w+)\}", route.path)]
    parameters += [_query(name, route) for name in route.query]
    if parameters:
        told["parameters"] = parameters
    if route.form:
        required = _required(route, settings)
        content = {"application/x-www-form-urlencoded": {"schema": _form(route, required, settings)}}
        told["requestBody"] = {"required": bool(required), "content": content}
    told["responses"] = _responses(route, settings.rule_status)
    return told


# What goes in.


def _segment(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _query(name: str, route: Route) -> dict[str, Any]:
    """A filter or a paging parameter; a page size is cut to 1..1000, other filters are compared."""
    statuses = LETTER_ORDER if route.answers == "letter_page" else ORDER
    schemas: dict[str, Schema] = {
        "Status": {"enum": list(statuses)},
        "PageSize": {"type": "integer", "minimum": -999_999_999, "maximum": 999_999_999},
        "Page": {"type": "integer", "minimum": 0, "maximum": 999_999_999},
    }
    return {"name": name, "in": "query", "schema": schemas.get(name, _TEXT)}


def _required(route: Route, settings: WorldSettings) -> list[str]:
    relaxed = () if settings.contact_required else ("ContactTitle", "ContactPhoneNumber")
    return [name for name in route.required if name not in relaxed]


def _form(route: Route, required: list[str], settings: WorldSettings) -> Schema:
    properties = {row.name: _value(row, row.name in required, settings) for row in route.form}
    return {"type": "object", "properties": properties, "required": required}


def _value(row: Parameter, required: bool, settings: WorldSettings) -> Schema:
    """The values of a parameter. In a form everything is text; numbers are written in digits."""
    schema: Schema = {"description": row.about}
    if row.whole is not None:
        low, high = row.whole
        top = settings.max_call_delay if row.name == "CallDelay" else high
        return {**schema, "type": "integer", "minimum": low, "maximum": top}
    one: Schema = {"type": "string"}
    if row.choices:
        one["enum"] = list(row.choices)
    if row.pattern:
        one["pattern"] = f"^({row.pattern}){'?' if row.empty and not required else ''}$"
    if row.longest is not None:
        one["maxLength"] = row.longest
    if not row.many:
        return {**schema, **one, **({"minLength": 1} if required else {})}
    return {**schema, "type": "array", "items": one, **({"minItems": 1} if required else {})}


# What comes out.


def _responses(route: Route, rule_status: int) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "done"}
    if route.answers is not None:
        success |= _json({"$ref": f"#/components/schemas/{route.answers}"})
        leads = _LEADS.get(route.answers, {})
        success["links"] = {
            f"{route.operation}_{operation}": {
                "operationId": operation,
                "parameters": {name: f"$response.body#/{key}" for name, key in names.items()},
            }
            for operation, names in leads.items()
            if operation != route.operation
        }
    by_status: dict[int, list[int]] = {status: [status] for status in DESK}
    for code in route.errors:
        by_status.setdefault(status_of(code, rule_status), []).append(code)
    told = {str(route.success): success}
    return told | {str(status): _error(status, codes) for status, codes in sorted(by_status.items())}


def _error(status: int, codes: list[int]) -> dict[str, Any]:
    """An error's response: exactly these keys, and one of these codes."""
    properties: dict[str, Schema] = {
        "code": {"enum": codes},
        "message": {"type": "string", "minLength": 1},
        "more_info": {"type": "string", "pattern": r"^https://www\.twilio\.com/docs/errors/[0-9]+$"},
        "status": {"const": status},
    }
    if status == 401:
        properties["detail"] = _TEXT
    meaning = "; ".join(f"{code} {ERRORS[code][1]}" for code in codes if code in ERRORS)
    return {"description": meaning or "refused before it was read", **_json(_exactly(properties))}


def _answers() -> dict[str, Schema]:
    order = _exactly({key: _order_value(key) for key in ORDER_KEYS})
    dependent = _exactly({key: _order_value(key) for key in ORDER_KEYS if key != "url"})
    letter = _exactly(_letter_values())
    return {
        "order": order,
        "dependent": dependent,
        "letter": letter,
        "number": _exactly(_number_values()),
        "order_page": _page("order"),
        "dependent_page": _page("dependent"),
        "letter_page": _page("letter"),
    }


def _order_value(key: str) -> Schema:
    """What a key of an order holds: by its field's annotation, closer where more is known."""
    known: dict[str, Schema] = {
        "sid": _matching(sid_pattern("HR")),
        "url": {"type": "string", "format": "uri"},
        "status": {"enum": list(ORDER)},
        "verification_type": {"enum": list(PARAMETERS["VerificationType"].choices)},
        "phone_number": _matching(PARAMETERS["PhoneNumber"].pattern),
        "capabilities": _exactly({"sms": {"const": True}, "voice": {"const": False}}),
        "date_created": {"type": "string", "pattern": _STAMP},
        "date_updated": {"type": "string", "pattern": _STAMP},
        "verification_attempts": {"type": "integer", "minimum": 0, "maximum": 3},
    }
    return known.get(key) or _field(_types(Order), key)


def _letter_values() -> dict[str, Schema]:
    types = _types(Letter)
    plain = {key: _field(types, key) for key in ("address_sid", "cc_emails", "email")}
    url: Schema = {"type": "string", "format": "uri"}
    return {
        **plain,
        "sid": _matching(sid_pattern("PX")),
        "status": {"enum": list(LETTER_ORDER)},
        "date_created": {"type": "string", "pattern": _STAMP},
        "date_updated": {"type": "string", "pattern": _STAMP},
        "links": _exactly({"dependent_hosted_number_orders": url}),
        "url": url,
    }


def _number_values() -> dict[str, Schema]:
    capabilities: dict[str, Schema] = {
        name: {"const": name == "sms"} for name in ("fax", "mms", "sms", "voice")
    }
    return {
        "account_sid": _matching(sid_pattern("AC")),
        "address_requirements": {"const": "none"},
        "address_sid": _matching(sid_pattern("AD"), null=True),
        "beta": {"const": False},
        "capabilities": _exactly(capabilities),
        "date_created": {"type": "string", "pattern": _RFC_2822},
        "date_updated": {"type": "string", "pattern": _RFC_2822},
        "friendly_name": {"type": "string", "minLength": 1},
        "origin": {"const": "hosted"},
        "phone_number": _matching(PARAMETERS["PhoneNumber"].pattern),
        "sid": _matching(sid_pattern("PN")),
        **{key: {"enum": ["GET", "POST"]} if "method" in key else _TEXT for key in SHOWN_SETTINGS.values()},
        "status": {"enum": ["pending", "in-use", "released"]},
        "uri": _TEXT,
    }


def _page(item: str) -> Schema:
    address: Schema = {"type": "string", "format": "uri"}
    maybe: Schema = {"type": ["string", "null"], "format": "uri"}
    meta = {
        "first_page_url": address,
        "key": {"const": "items"},
        "next_page_url": maybe,
        "page": {"type": "integer", "minimum": 0},
        "page_size": {"type": "integer", "minimum": 1, "maximum": 1000},
        "previous_page_url": maybe,
        "url": address,
    }
    items: Schema = {"type": "array", "items": {"$ref": f"#/components/schemas/{item}"}}
    return _exactly({"meta": _exactly(meta), "items": items})


def _field(types: Mapping[str, str], key: str) -> Schema:
    declared = types[key]
    if key in _PREFIXES:
        return _matching(sid_pattern(_PREFIXES[key]), null="None" in declared)
    return _OF_TYPE[declared]


def _types(record: type[Order] | type[Letter]) -> dict[str, str]:
    return {one.name: str(one.type) for one in fields(record)}


def _matching(pattern: str, *, null: bool = False) -> Schema:
    return {"type": ["string", "null"] if null else "string", "pattern": f"^({pattern})$"}


def _exactly(properties: Mapping[str, Schema]) -> Schema:
    """An object with these keys and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": sorted(properties),
        "additionalProperties": False,
    }


def _json(schema: Schema) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}
