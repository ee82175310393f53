"""The sandbox against its own description: generated requests over a real listener meet no surprise.

The generator is a program of its own. It gets the document that administration serves, with the
sids, numbers and codes of this very sandbox put in, so that it reaches beyond 404; and with every
request the clock goes a little further, so that the world moves under it.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_driver import LETTERS, ORDERS

from hnbulk.sandbox import FIXED_NUMBERS, Sandbox, WorldSettings, build_sandbox
from hnbulk.sandbox.past import number_of
from hnbulk.sandbox.refusals import ERRORS
from hnbulk.sandbox.routes import ROUTES
from hnbulk.sandbox.service import CARRIERS
from hnbulk.serving import serve

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "unsupported_method,allow_header_conformance,use_after_free,ensure_resource_availability,ignored_auth"
)
#: Seconds of the sandbox's time between one request and the next.
STEPS = (0, 0, 25, 0, 0, 60, 0, 0)


class Moving:
    """The API with a clock that goes a little further with every request."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._steps = itertools.cycle(STEPS)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._sandbox.clock.advance(next(self._steps))
        await self._sandbox.api(scope, receive, send)


def described(sandbox: Sandbox) -> dict[str, Any]:
    """The document as administration serves it."""
    with serve(sandbox.admin) as admin:
        token = {"Authorization": f"Bearer {sandbox.admin_token}"}
        reply = httpx.get(admin.url + "/openapi.json", headers=token, trust_env=False)
        assert reply.status_code == 200
        document: dict[str, Any] = reply.json()
        return document


def known_values(sandbox: Sandbox) -> dict[str, list[str]]:
    """What of this sandbox a generator could not guess, by parameter name; sids by path."""
    orders = sandbox.orders()
    by_status: dict[str, list[dict[str, Any]]] = {}
    for order in orders:
        by_status.setdefault(order["status"], []).append(order)
    some = [order for alike in by_status.values() for order in alike[:6]]
    sids = [order["sid"] for order in some]
    letters = sorted({one["signing_document_sid"] for one in orders if one["signing_document_sid"]})[:20]
    return {
        "PhoneNumber": [*FIXED_NUMBERS, *(number_of(place) for place in range(5000, 5200))],
        "ContactPhoneNumber": ["+14155550100"],
        "HostedNumberOrderSids": [order["sid"] for order in by_status["verified"][:40]],
        "VerificationCode": sorted({one["verification_code"] or "000000" for one in some}),
        "Status": ["pending-verification", "completed", "opened", "signing"],
        "PageToken": [f"{way}{sid}" for way in ("PA", "PB") for sid in (*sids[:5], *letters[:5])],
        "AccountSid": [sandbox.account_sid, sandbox.subaccounts[0].sid],
        ORDERS: sids,
        LETTERS: letters,
        "/2010-04-01": [order["incoming_phone_number_sid"] for order in some],
    }


def informed(document: dict[str, Any], values: dict[str, list[str]]) -> dict[str, Any]:
    """The document with these values, and a wrong one, in place of the shapes they have.

    A choice between them and the shape would be drawn as the shape alone, which includes them.
    """

    def among(names: list[str]) -> dict[str, Any]:
        return {"enum": [*names, "HR" + "0" * 32]}

    for path, operations in document["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                start = next((key for key in values if key.startswith("/") and path.startswith(key)), "")
                names = values.get(start if parameter["name"] == "Sid" else parameter["name"])
                if names and parameter["name"] != "Status":
                    parameter["schema"] = among(names)
            for content in operation.get("requestBody", {}).get("content", {}).values():
                properties = content["schema"]["properties"]
                for name in values.keys() & properties.keys():
                    schema = properties[name]
                    if "items" in schema:
                        schema["items"] = among(values[name])
                    else:
                        properties[name] = among(values[name])
    return document


def fuzzed(home: Path, *limits: str, **settings: Any) -> Sandbox:
    """A sandbox after generated requests, every reply of which was as described."""
    sandbox = build_sandbox(seed=7, orders=800, settings=WorldSettings(**settings))
    file = home / "openapi.json"
    file.write_text(json.dumps(informed(described(sandbox), known_values(sandbox))))
    with serve(Moving(sandbox)) as api:
        generator = ["-m", "schemathesis.cli", "run", str(file), "--url", api.url, "--checks", CHECKS]
        steady = ["--seed=7", "--generation-deterministic", "--workers=1"]
        login = ["--auth", f"{sandbox.account_sid}:{sandbox.auth_token}"]
        done = subprocess.run(
            [sys.executable, *generator, *steady, *login, *limits, "--no-color", "--warnings=off"],
            check=False,
            capture_output=True,
            text=True,
            cwd=home,
            timeout=1800,
        )
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2_000:]
    return sandbox


def test_every_operation_has_a_carrier_and_every_code_a_meaning() -> None:
    """The table of routes, the service and the table of errors speak of the same."""
    assert {route.operation for route in ROUTES} == set(CARRIERS)
    assert {code for route in ROUTES for code in route.errors} <= set(ERRORS)


def test_generated_requests_meet_nothing_that_is_not_described(tmp_path: Path) -> None:
    """No 5xx, no undocumented status, no body of another shape; and all operations have succeeded.

    About a minute where nothing else runs; by count, so that a slow machine tries as much.
    """
    sandbox = fuzzed(tmp_path, "--max-examples=100")
    did = Counter(str(line["did"]).split()[0] for line in sandbox.ledger())
    assert set(did) >= {"created", "read", "updated", "canceled", "released", "wrote", "refused"}


def test_the_description_is_true_of_other_settings_too(tmp_path: Path) -> None:
    """Other statuses of the 22xxx errors, sizes refused, limits of the other reading."""
    fuzzed(
        tmp_path,
        "--max-examples=30",
        rule_status=409,
        delete_conflict_code=22112,
        page_size_clamped=False,
        address_by_unique_name=True,
        list_newest_first=False,
        enforce_numbers=False,
        contact_required=False,
        max_call_delay=30,
    )


@pytest.mark.nightly
def test_generated_requests_meet_nothing_for_ten_minutes(tmp_path: Path) -> None:
    """The same for as long as a night allows."""
    fuzzed(tmp_path, "--max-examples=100000", "--max-time=600")
