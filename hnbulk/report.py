"""The report: one HTML page that tells a reader without the tool how the numbers are doing.

Headline first, then pictures and tables, then what to do. The page is one file: no script, no
outside request, charts and tables inside. It holds counts and masked numbers, never a phone
number, e-mail address or code; every text from outside is escaped. This module reads no clock.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from great_tables import GT

from hnbulk.drawings import clean_svg
from hnbulk.funnel import NEXT_STEPS, Funnel
from hnbulk.funnelcard import unseen
from hnbulk.masking import mask_text
from hnbulk.models import mask, mask_phone
from hnbulk.page import page
from hnbulk.palette import color_of
from hnbulk.pictures import Picture
from hnbulk.plaintext import single_line
from hnbulk.wording import duration_text, parts_text, share_text, time_text, when_text

STUCK_SHOWN = 20
STUCK_AFTER = timedelta(days=3)
REASONS_SHOWN = 20
REASON_COLUMNS = ("status", "failure_reason", "count", "what_to_do")

# What to do about a failed number, by words of its reason; the first that fits counts.
_REMEDIES = (
    ("sms enabled", "have SMS switched off where the number is now, then plan again"),
    ("letter", "plan again, and have the new letter signed in time"),
    ("attempts", "plan again, and make sure somebody answers the call"),
    ("idle in verification", "plan again, and verify within seven days: hnbulk verify"),
    ("idle", "plan again, and take each next step before the order falls idle"),
)
_REMEDY = "mend what the reason names and plan again: a new order is possible"


def build_report(
    *,
    funnel: Funnel,
    title: str,
    made_at: datetime,
    account_label: str,
    plan_summary: pd.DataFrame | None = None,
    problems: pd.DataFrame | None = None,
    results_counts: Mapping[str, int] | None = None,
    reasons: pd.DataFrame | None = None,
    calls: pd.DataFrame | None = None,
    seed: int | None = None,
    notes: Sequence[str] = (),
) -> str:
    """The page as one self-contained HTML document; sections without data are left out.

    `problems` has the problem columns; `plan_summary` and `calls` are small tables shown as they
    are, `results_counts` the rows of a run by where they ended, `reasons` the frame of
    `reasons_of`. `seed` marks a rehearsal in the
    sandbox. Phone numbers and e-mail addresses in any text are masked.
    """
    sections = (
        _story(funnel),
        _why(reasons),
        _progress(funnel),
        _times(funnel),
        _standing(funnel),
        _flow(funnel),
        _stuck(funnel),
        _problems(problems),
        _plain("plan", "What was planned", plan_summary, "Rows of the input file by what the plan does."),
        _outcomes(results_counts),
        _plain("calls", "Verification calls", calls, "No call is placed without approval."),
        _notes(notes),
    )
    origin = "" if seed is None else f" · rehearsal in the sandbox, seed {int(seed)}"
    byline = f"{_text(account_label)} · made {when_text(made_at)}{origin}"
    return page(_shown(title), byline, sections)


def reasons_of(orders: pd.DataFrame) -> pd.DataFrame:
    """Why numbers failed or need action: status, failure_reason, count and what_to_do, most first.

    Needs sid, phone_number, date_created, status and failure_reason of the orders. A number counts
    once, by its latest order. An order without a reason says "no reason given".
    """
    number = orders["phone_number"].fillna(orders["sid"])
    latest = orders.assign(number=number).sort_values(["date_created", "sid"], na_position="first")
    latest = latest.drop_duplicates("number", keep="last")
    stopped = latest.loc[latest["status"].isin(["failed", "action-required"])]
    reason = stopped["failure_reason"].astype("object").fillna("").astype("str").str.strip()
    groups = pd.DataFrame(
        {"status": stopped["status"].astype("str"), "failure_reason": reason.replace("", "no reason given")}
    )
    counts = groups.value_counts().rename("count").reset_index()
    counts["what_to_do"] = [
        _remedy(status, why) for status, why in zip(counts["status"], counts["failure_reason"], strict=True)
    ]
    by = ["count", "status", "failure_reason"]
    ordered = counts.sort_values(by, ascending=[False, True, True], ignore_index=True)
    return ordered[list(REASON_COLUMNS)]


def _remedy(status: str, reason: str) -> str:
    if status != "failed":
        return NEXT_STEPS[status]
    return next((remedy for words, remedy in _REMEDIES if words in reason.lower()), _REMEDY)


def _text(value: object) -> str:
    return html.escape(_shown(str(value)))


def _shown(text: str) -> str:
    return mask_text(single_line(text))


def _story(funnel: Funnel) -> str:
    if funnel.as_of is None:
        words = "No events yet: nothing was seen of any number."
        return f'<section class="story"><p class="headline">{words}</p></section>'
    share = share_text(funnel.completed / funnel.numbers)
    noun = "number is" if funnel.numbers == 1 else "numbers are"
    parts = [
        f'<p class="headline"><strong>{funnel.completed:,}</strong> of {funnel.numbers:,} {noun} completed '
        f"({html.escape(share)}).</p>",
        _stripe(funnel),
        f"<p>As of {when_text(funnel.as_of)}. {_rest(funnel)}</p>",
    ]
    return f'<section class="story">{"".join(parts)}{_todo(funnel)}</section>'


def _stripe(funnel: Funnel) -> str:
    """All numbers as one bar, completed first, one part per status."""
    now = [(str(stage), int(count)) for stage, count in _now(funnel)]
    now.sort(key=lambda part: part[0] != "completed")
    parts = (
        f'<i style="width:{100 * count / funnel.numbers:.3f}%;background:{color_of(stage)}"></i>'
        for stage, count in now
    )
    keys = (
        f'<li><b style="background:{color_of(stage)}"></b>{_text(stage)} {count:,}</li>'
        for stage, count in now
    )
    return f'<div class="stripe">{"".join(parts)}</div><ul class="keys">{"".join(keys)}</ul>'


def _now(funnel: Funnel) -> Iterable[tuple[str, int]]:
    rows = funnel.table.loc[funnel.table["current"] > 0]
    return zip(rows["stage"], rows["current"], strict=True)


def _rest(funnel: Funnel) -> str:
    failed = int(funnel.standing["status"].eq("failed").sum())
    under_way = funnel.numbers - funnel.completed - failed
    stuck = len(funnel.stuck(STUCK_AFTER))
    if not under_way:
        return f"None is under way; {failed:,} failed."
    return (
        f"{under_way:,} are under way, {stuck:,} of them longer than "
        f"{duration_text(STUCK_AFTER.total_seconds())} in one place; {failed:,} failed."
    )


def _todo(funnel: Funnel) -> str:
    steps = funnel.next_steps
    if steps.empty:
        return "<p>Nothing is left to do.</p>"
    waits = steps["next_step"].str.startswith("wait:")
    acts = "".join(
        f"<li><b>{count:,}</b> {_text(stage)}: {_text(step)}</li>"
        for stage, count, step in steps.loc[~waits].itertuples(index=False)
    )
    waiting = ", ".join(f"{row.current:,} {_text(row.stage)}" for row in steps.loc[waits].itertuples())
    last = f"<li>Nothing to do but wait: {waiting}</li>" if waiting else ""
    return f'<h2>What to do next</h2><ul class="todo">{acts}{last}</ul>'


def _why(reasons: pd.DataFrame | None) -> str:
    if reasons is None or reasons.empty:
        return ""
    shown = reasons.head(REASONS_SHOWN)
    left = int(reasons["count"].iloc[REASONS_SHOWN:].sum())
    more = f" {left:,} more have other reasons." if left else ""
    caption = f"The reason is the service's own text; each number counts once, by its latest order.{more}"
    return _plain("why", "Why numbers failed or need action", shown, caption)


def _progress(funnel: Funnel) -> str:
    if funnel.as_of is None:
        return ""
    everyone = f"% of all {funnel.numbers:,}"
    rows = [
        {
            "stage": str(row["stage"]),
            "reached": f"{row['reached']:,}",
            "of these inferred": f"{row['inferred']:,}",
            everyone: share_text(row["share_of_all"]),
            "% of the stage before": share_text(row["share_of_previous"]),
            "there now": f"{row['current']:,}",
        }
        for row in funnel.table.to_dict("records")
    ]
    caption = (
        "Reached: seen in the stage or in a later one; inferred: passed through between two looks, unseen. "
        "action-required and failed stand beside the path, so they have no stage before."
    )
    body = _chart(funnel.plot("funnel")) + _grid(pd.DataFrame(rows), "funnel", caption)
    return _section("How far they came", body)


def _times(funnel: Funnel) -> str:
    times = funnel.durations()
    if times.empty:
        return ""
    seen = {str(row["stage"]): row for row in times.to_dict("records")}
    rows = [
        _times_row(seen.get(str(row["stage"])), str(row["stage"]))
        for row in funnel.table.to_dict("records")
        if str(row["stage"]) in seen or (unseen(row) and row["stage"] != "completed")
    ]
    caption = (
        "Kaplan-Meier: those still there count as open. ± is half the distance between the shortest and "
        "the longest median the looks allow. “Not yet”: too few have left to say. “Not seen”: all passed "
        "between two looks."
    )
    body = _chart(funnel.plot("survival")) + _grid(pd.DataFrame(rows), "times", caption)
    return _section("How long each stage takes", body)


def _times_row(row: Mapping[Any, Any] | None, stage: str) -> dict[str, str]:
    """The times of one stage, or that nobody was seen in it."""
    if row is None:
        nothing = dict.fromkeys(("a quarter left within", "three quarters within"), "–")
        return {
            "stage": stage,
            "median": "not seen",
            **nothing,
            **dict.fromkeys(("stays", "over", "still there"), "0"),
        }
    return {
        "stage": stage,
        "median": time_text(row["median"], row["median_low"], row["median_high"]),
        "a quarter left within": duration_text(row["p25"]),
        "three quarters within": duration_text(row["p75"]),
        "stays": f"{row['n']:,}",
        "over": f"{row['left']:,}",
        "still there": f"{row['open']:,}",
    }


def _standing(funnel: Funnel) -> str:
    if funnel.as_of is None:
        return ""
    return _section("Where they stand", _chart(funnel.plot("standing")))


def _flow(funnel: Funnel) -> str:
    if funnel.as_of is None:
        return ""
    return _section("Where they stood over time", _chart(funnel.plot("flow")))


def _stuck(funnel: Funnel) -> str:
    if funnel.as_of is None:
        return ""
    stuck = funnel.stuck(STUCK_AFTER)
    heading = f"In one place for more than {duration_text(STUCK_AFTER.total_seconds())}"
    if stuck.empty:
        return _section(heading, "<p>None.</p>")
    rows = [
        {
            "number": mask_phone(str(row["phone_number"])),
            "order": mask(str(row["order_sid"])),
            "status": str(row["status"]),
            "seen there since": when_text(row["since"]),
            "at least": duration_text(row["age_seconds"]),
        }
        for row in stuck.head(STUCK_SHOWN).to_dict("records")
    ]
    more = len(stuck) - len(rows)
    caption = f"The {len(rows)} oldest, and {more:,} more." if more else f"All {len(rows)}."
    return _section(heading, _grid(pd.DataFrame(rows), "stuck", caption))


def _problems(problems: pd.DataFrame | None) -> str:
    if problems is None:
        return ""
    if problems.empty:
        return _section("Problems in the file", "<p>None.</p>")
    rows = [
        {
            "code": str(code),
            "severity": str(severity),
            "rows": f"{group['row'].nunique():,}",
            "columns": ", ".join(sorted({str(name) for name in group["column"].dropna()})) or "–",
            "remedy": _most_common(group["suggestion"]) or _most_common(group["message"]) or "–",
        }
        for (severity, code), group in problems.astype({"severity": "str", "code": "str"}).groupby(
            ["severity", "code"], sort=True
        )
    ]
    return _section(
        "Problems in the file", _grid(pd.DataFrame(rows), "problems", "Rows of the file by problem.")
    )


def _most_common(texts: pd.Series) -> str:
    counts = texts.dropna().astype("str").value_counts()
    return min(counts.index[counts == counts.max()]) if len(counts) else ""


def _outcomes(counts: Mapping[str, int] | None) -> str:
    if counts is None:
        return ""
    total = sum(counts.values())
    rows = [
        {"rows ended as": str(name), "rows": f"{count:,}", "share": share}
        for (name, count), share in zip(counts.items(), parts_text(list(counts.values())), strict=True)
    ]
    frame = pd.DataFrame([*rows, {"rows ended as": "all", "rows": f"{total:,}", "share": share_text(1.0)}])
    return _section(
        "How the run ended", _grid(frame, "outcomes", "Every row of the input is in one of these.")
    )


def _plain(name: str, heading: str, frame: pd.DataFrame | None, caption: str) -> str:
    if frame is None or frame.empty:
        return ""
    shown = pd.DataFrame(
        {
            str(column).replace("_", " "): [_cell(value) for value in frame[column]]
            for column in frame.columns
        }
    )
    return _section(heading, _grid(shown, name, caption))


def _notes(notes: Sequence[str]) -> str:
    return _section("Notes", "".join(f"<p>{_text(note)}</p>" for note in notes)) if notes else ""


def _cell(value: Any) -> str:
    if not pd.api.types.is_scalar(value):
        return str(value)
    if pd.isna(value):
        return "–"
    return f"{value:,}" if pd.api.types.is_integer(value) else str(value)


def _section(heading: str, body: str) -> str:
    return f"<section><h2>{html.escape(heading)}</h2>{body}</section>"


def _grid(frame: pd.DataFrame, name: str, caption: str) -> str:
    """A frame of texts as a table; numbers to the right. Styled by the page, not by the library."""
    safe = frame.map(_shown).rename(columns=_shown)
    numeric = [column for column in safe.columns if safe[column].str.match(r"^[<>\d–]").all()]
    table = GT(safe, id=f"table-{name}").cols_align("left")
    if numeric:
        table = table.cols_align("right", columns=numeric)
    body = re.search(r"<table.*</table>", table.as_raw_html(), flags=re.DOTALL)
    shown = body[0] if body else ""
    return f'<div class="scroll {name}">{shown}</div><p class="caption">{html.escape(caption)}</p>'


def _chart(picture: Picture) -> str:
    drawing = clean_svg(picture.untitled().svg)
    lead = "".join(f'<p class="caption">{_text(line)}</p>' for line in picture.subtitle)
    return f'{lead}<figure class="chart" role="img" aria-label="{_text(picture.alt)}">{drawing}</figure>'
