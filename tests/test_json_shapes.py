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
    plan = take("plan", service.json("plan", few, "--out", "a.plan", "--set-aside"))
    take("show", service.json("show", "a.plan"))
    take("apply without --approve", service.json("apply", "a.plan"))
    ran = take("apply", service.apply("a.plan", str(plan["checksum"])))
    take("resume", service.json("resume", str(ran["run_id"]), code=(0, 3)))
    take("runs", json.loads(service.run("runs", "--json").stdout.splitlines()[0]))
    (service.home / ".hnbulk" / "journal.db").write_bytes(b"")
    take("rebuild", service.json("rebuild", "a.plan", "--approve", str(plan["checksum"])[:8]))
    service.json("resume", "--settle", "0.5", code=(0, 3))
    take("orders", json.loads(service.run("orders", "--json").stdout.splitlines()[0]))
    take("verify", service.json("verify", "--out", "c.plan"))
    letters = ("--contact-title", "Owner", "--contact-phone", "+14155550100")
    take("authorize", service.json("authorize", "--out", "l.plan", *letters))
    funnel = take("funnel", service.json("funnel"))
    seen["funnel stages"] = set(funnel["stages"][0])  # type: ignore[index]
    take("report", service.json("report", "--out", "r.html"))
    take("demo", service.json("demo", "--numbers", "12", "--out", "demo"))
    assert seen == shapes
