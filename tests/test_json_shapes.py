"""The published shapes of `--json` are what the verbs print."""

from __future__ import annotations

import json
import re
from pathlib import Path

from outside import Service

PAGE = Path(__file__).parent.parent / "docs" / "json.md"


def published() -> dict[str, set[str]]:
    """Each row of the page: its name and its keys."""
    rows = re.findall(r"^\| (.+?) \| .+? \| (.+?) \|$", PAGE.read_text(encoding="utf-8"), re.M)
    found = {name.replace("`", ""): set(re.findall(r"`(\w+)`", keys)) for name, keys in rows}
    return {name: keys for name, keys in found.items() if keys}


def test_every_verb_prints_its_published_shape(service: Service, sample: Path) -> None:
    """Key by key, on a small list driven through every verb."""
    few = service.home / "few.csv"
    few.write_bytes(b"".join(sample.read_bytes().splitlines(keepends=True)[:41]))
    shapes = published()
    seen = {"sandbox": set(service.document)}

    def take(name: str, document: dict[str, object]) -> dict[str, object]:
        seen[name] = set(document)
        return document

    checked = take("check", service.json("check", few, code=2))
    seen["check problems"] = set(checked["problems"][0])  # type: ignore[index]
    take("annotate", service.json("annotate", few))
    take("plan", service.json("plan", few, "--out", "a.plan", "--set-aside"))
    service.order(service.creates("a.plan")[0])
    rebased = take("plan --rebase", service.json("plan", "--rebase", "a.plan", "--out", "b.plan"))
    seen["plan --rebase moved"] = set(rebased["moved"][0])  # type: ignore[index]
    take("show", service.json("show", "a.plan"))
    drifted = take("show --drift", service.json("show", "a.plan", "--drift"))
    seen["show --drift drift"] = set(drifted["drift"][0])  # type: ignore[index]
    no = {"action": "status", "status": 400, "code": 22110, "method": "POST", "path": "Orders$", "nth": 2}
    service.admin("/faults", [no])
    take("apply without --approve", service.json("apply", "b.plan"))
    ran = take("apply", service.apply("b.plan", str(rebased["checksum"])))
    run_id = str(ran["run_id"])
    retry = take("retry", service.json("retry", run_id))
    (first, *_) = retry["classes"]  # type: ignore[misc]
    seen["retry classes"] = set(first)
    again = ("--class", first["class"], "--out", "again.plan")
    take("retry with --class", service.json("retry", run_id, *again))
    take("resume", service.json("resume", str(ran["run_id"]), code=(0, 3)))
    take("runs", json.loads(service.run("runs", "--json").stdout.splitlines()[0]))
    take("audit", service.json("audit"))
    gone = ("--out", "gone.plan", "--set-aside", "--allow-cancels", str(len(service.creates("b.plan")) - 1))
    take("cancel", service.json("cancel", few, *gone))
    take("orders", json.loads(service.run("orders", "--json").stdout.splitlines()[0]))
    take("verify", service.json("verify", "--out", "c.plan"))
    letters = ("--contact-title", "Owner", "--contact-phone", "+14155550100")
    take("authorize", service.json("authorize", "--out", "l.plan", *letters))
    funnel = take("funnel", service.json("funnel"))
    seen["funnel stages"] = set(funnel["stages"][0])  # type: ignore[index]
    take("report", service.json("report", "--out", "r.html"))
    service.admin("/clock", {"advance": 48 * 3600})
    ours = [order for order in service.truth() if str(order["unique_name"]).startswith("hn1-")]
    service.delete(next(order["sid"] for order in ours if order["status"] == "received"))
    seen["audit findings"] = set(service.json("audit", code=3)["findings"][0])
    (service.home / ".hnbulk" / "journal.db").write_bytes(b"")
    approve = ("--approve", str(rebased["checksum"])[:8])
    take("rebuild", service.json("rebuild", "b.plan", *approve))
    take("demo", service.json("demo", "--numbers", "12", "--out", "demo"))
    take("drill", service.json("drill", few, "--kills", "0", "--faults", "none"))
    assert seen == shapes
