"""Pictures of the funnel: how far numbers came, where they stand, how long they stay, over time; and of
what is wrong with lists.

Every title names what the shares are shares of and the moment it holds for. This module draws the frames
of `durations`, `funnel` and `intake`, and changes no setting of altair.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from hnbulk import lifecycle
from hnbulk.palette import color_of
from hnbulk.pictures import INK, LOOK, SOFT, Picture
from hnbulk.plaintext import single_line
from hnbulk.wording import all_text, count_text, share_text, when_text

if TYPE_CHECKING:
    import altair as alt

    from hnbulk.intake import Intake

_DAY = 86400.0
_CURVE_POINTS = 200
_SLIVER = 0.05  # the share of a stage that may lie beyond the end of the axis of days
_Records = list[dict[str, Any]]
_FAULT = "#DA5A28"
_OF_A_LIST = (
    "unknown-column",
    "column-displaced",
    "rows-above",
    "other-sheets",
)  # told once a list, on no row of it


def funnel_chart(table: pd.DataFrame, *, numbers: int, as_of: datetime | None) -> Picture:
    """Bars in funnel order: light for numbers that reached the stage, strong for those there now.

    Needs the columns of `Funnel.table`; the side statuses stand below the path, apart.
    """
    import altair as alt

    if not numbers or as_of is None:
        return _nothing("Funnel")
    rows = [_funnel_row(row) for row in table.to_dict("records")]
    stages = _with_gap([row["stage"] for row in rows])
    y = alt.Y("stage:N", sort=None, title=None, scale=alt.Scale(domain=stages, paddingInner=0.28))
    color = _by_status([row["stage"] for row in rows], legend=False)
    room = alt.Scale(domain=[0, numbers * 2.08], nice=False)
    data = _data(rows)
    light = (
        alt.Chart(data)
        .mark_bar(opacity=0.3)
        .encode(x=alt.X("reached:Q", scale=room, axis=None), y=y, color=color)
    )
    strong = alt.Chart(data).mark_bar().encode(x=alt.X("current:Q", scale=room), y=y, color=color)
    label = (
        alt.Chart(data)
        .mark_text(align="left", dx=7, fontSize=12.5, color=INK)
        .encode(x=alt.X("reached:Q", scale=room), y=y, text="label:N")
    )
    title = _title(
        f"How far {count_text(numbers, 'number')} came",
        "light: reached this stage or a later one · strong: there now · "
        f"% of all = share of {all_text(numbers)}",
        f"% of previous = share of those that reached the stage above · as of {when_text(as_of)}",
    )
    height = 32 * len(stages)
    return _drawn(alt.layer(light, strong, label), title, height=height, alt=_say(rows, numbers, as_of))


def standing_chart(table: pd.DataFrame, *, numbers: int, as_of: datetime | None) -> Picture:
    """One bar per status numbers stand in now; the others are left out. Needs `stage` and `current`."""
    import altair as alt

    if not numbers or as_of is None:
        return _nothing("Where numbers stand now")
    there = table.loc[table["current"] > 0]
    rows = [_standing_row(row, numbers) for row in there.to_dict("records")]
    stages = _with_gap([row["stage"] for row in rows])
    widest = max(row["current"] for row in rows)
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("current:Q", axis=None, scale=alt.Scale(domain=[0, widest * 1.25], nice=False)),
        y=alt.Y("stage:N", sort=None, title=None, scale=alt.Scale(domain=stages, paddingInner=0.28)),
    )
    bars = base.mark_bar().encode(color=_by_status([r["stage"] for r in rows], legend=False))
    labels = base.mark_text(align="left", dx=7, fontSize=12.5, color=INK).encode(text="label:N")
    title = _title(
        f"Where {count_text(numbers, 'number')} stand now",
        f"share of {all_text(numbers)}, each counted once by its latest order · as of {when_text(as_of)}",
    )
    said = "; ".join(f"{row['stage']} {row['label']}" for row in rows)
    said = f"{count_text(numbers, 'number')} stand: {said}"
    return _drawn(alt.layer(bars, labels), title, height=30 * len(stages), alt=said)


def survival_chart(curves: pd.DataFrame, *, as_of: datetime | None) -> Picture:
    """Step lines: the share of stays in each stage not over yet, by days since the stage was entered.

    Needs the columns of `durations.stage_curves`. A line ends where observation ends; the axis may
    end before, where no more than a twentieth of any stage is left, and then says so.
    """
    import altair as alt

    if curves.empty or as_of is None:
        return _nothing("Time in each stage")
    axis = alt.Axis(format="%", tickCount=5, grid=True)
    end, longest = _axis_end(curves), float(curves["time"].max()) / _DAY
    rows, stages = _curve_rows(curves, end)
    beyond = [
        f"the axis ends at {end:.3g} d, where under 5 % of any stage is left; longest: {longest:.3g} d"
    ]
    chart = (
        alt.Chart(_data(rows))
        .mark_line(interpolate="step-after", strokeWidth=2.2)
        .encode(
            x=alt.X(
                "days:Q",
                title="days since the stage was entered",
                scale=alt.Scale(domain=[0, end], nice=False),
                axis=alt.Axis(grid=False),
            ),
            y=alt.Y("share:Q", title="still in the stage", scale=alt.Scale(domain=[0, 1]), axis=axis),
            color=_by_status(stages, legend=True),
            order="step:Q",
        )
    )
    title = _title(
        "How long numbers stay in each stage",
        "share of all stays in that stage that are not over yet "
        "(Kaplan-Meier; those still there count as open)",
        f"a line ends where observation ends: nothing is extrapolated · as of {when_text(as_of)}",
        *(beyond if end < longest else []),
    )
    said = f"share still in the stage over days, for {', '.join(map(single_line, stages))}"
    return _drawn(chart, title, height=330, alt=said)


def flow_chart(flow: pd.DataFrame, *, numbers: int, as_of: datetime | None) -> Picture:
    """Stacked areas: how many numbers were in each status over time. Needs `time`, `stage`, `numbers`."""
    import altair as alt

    if flow.empty or as_of is None:
        return _nothing("Numbers over time")
    used = flow.loc[flow["numbers"].groupby(flow["stage"], observed=True).transform("max") > 0]
    stages = _in_order({str(stage) for stage in used["stage"]})
    rank = {stage: place for place, stage in enumerate(reversed(stages))}
    rows = [
        {"time": time.isoformat(), "stage": single_line(stage), "numbers": int(count), "rank": rank[stage]}
        for time, stage, count in zip(
            used["time"], used["stage"].astype("str"), used["numbers"], strict=True
        )
    ]
    chart = (
        alt.Chart(_data(rows))
        .mark_area(interpolate="step-after", line=False)
        .encode(
            x=alt.X("time:T", title="UTC", scale=alt.Scale(type="utc", nice=False), axis=_days_axis(flow)),
            y=alt.Y("numbers:Q", title="numbers", stack="zero", axis=alt.Axis(format=",d", tickMinStep=1)),
            color=_by_status(stages, legend=True),
            order=alt.Order("rank:Q"),
        )
    )
    title = _title(
        f"Where {count_text(numbers, 'number')} stood over time",
        f"numbers in each status, by what had been seen of them by then · as of {when_text(as_of)}",
    )
    return _drawn(chart, title, height=330, alt=f"numbers in each status over time, {len(stages)} statuses")


def problems_chart(intake: Intake) -> Picture:
    """Bars: how many rows have each problem, and in how many lists; errors strong, warnings light.

    What is said of a whole list and of no row of it is left out.
    """
    import altair as alt

    counts, files = intake.counts, len({file for file, _ in intake.places.tables})
    of_rows = intake.problems[~intake.problems["code"].isin(_OF_A_LIST)]
    if of_rows.empty:
        return _nothing("Problems", "no row has one")
    rows = sorted(
        (_problem_row(code, own, intake, files) for code, own in of_rows.groupby("code")),
        key=lambda row: (row["severity"], -row["rows"], row["code"]),
    )
    base = alt.Chart(_data(rows)).encode(
        x=alt.X(
            "rows:Q",
            axis=None,
            scale=alt.Scale(domain=[0, max(row["rows"] for row in rows) * 1.35], nice=False),
        ),
        y=alt.Y("code:N", sort=None, title=None, scale=alt.Scale(paddingInner=0.28)),
    )
    strength = alt.Scale(domain=["error", "warning"], range=[1.0, 0.35])
    bars = base.mark_bar(color=_FAULT).encode(
        opacity=alt.Opacity("severity:N", scale=strength, legend=None)
    )
    labels = base.mark_text(align="left", dx=7, fontSize=12.5, color=INK).encode(text="label:N")
    told = f"{counts['bad']:,} of {count_text(counts['rows'], 'row')} cannot go on as they are"
    title = _title(
        told,
        f"rows with each problem, of {count_text(files, 'list')} · a row can have more than one",
        "strong: an error, the row is set aside · light: a warning",
    )
    said = "; ".join(f"{row['code']} {row['label']}" for row in rows)
    return _drawn(alt.layer(bars, labels), title, height=26 * len(rows), alt=f"{told}: {said}")


def _problem_row(code: Any, own: pd.DataFrame, intake: Intake, files: int) -> dict[str, Any]:
    numbers = set(own["row"].tolist())
    there = {intake.places.of(row)[0] for row in numbers}
    label = count_text(len(numbers), "row")
    if files > 1:
        label += f" in {count_text(len(there), 'list')}"
    return {
        "code": str(code),
        "rows": len(numbers),
        "severity": str(own["severity"].iloc[0]),
        "label": label,
    }


def _funnel_row(row: Mapping[Any, Any]) -> dict[str, Any]:
    parts = [f"{row['reached']:,}", f"{share_text(row['share_of_all'])} of all"]
    if not pd.isna(row["share_of_previous"]):
        parts.append(f"{share_text(row['share_of_previous'])} of previous")
    if row["current"]:
        parts.append(f"{row['current']:,} now")
    return {
        "stage": single_line(str(row["stage"])),
        "reached": int(row["reached"]),
        "current": int(row["current"]),
        "label": " · ".join(parts),
    }


def _standing_row(row: Mapping[Any, Any], numbers: int) -> dict[str, Any]:
    current = int(row["current"])
    label = f"{current:,} · {share_text(current / numbers)}"
    return {"stage": single_line(str(row["stage"])), "current": current, "label": label}


def _curve_rows(curves: pd.DataFrame, end: float) -> tuple[_Records, list[str]]:
    """At most `_CURVE_POINTS` steps a stage, from (0 days, all) to the last time observed or day `end`."""
    rows: _Records = []
    stages = _in_order({str(stage) for stage in curves["stage"]})
    for stage in stages:
        curve = curves.loc[curves["stage"] == stage]
        level = (curve["survival"] * _CURVE_POINTS).round()
        last_of_level = level.ne(level.shift(-1))
        kept = curve.loc[last_of_level]
        whole = [(0.0, 1.0), *zip(kept["time"] / _DAY, kept["survival"], strict=True)]
        points = [(x, y) for x, y in whole if x <= end]
        if len(points) < len(whole):
            points.append((end, points[-1][1]))
        rows += [
            {
                "stage": single_line(stage),
                "days": round(float(x), 5),
                "share": round(float(y), 5),
                "step": step,
            }
            for step, (x, y) in enumerate(points)
        ]
    return rows, stages


def _axis_end(curves: pd.DataFrame) -> float:
    """Days by which every stage is over but for a sliver, or was not observed longer.

    The longest day of all where stopping earlier would save less than a quarter of the axis.
    """
    longest = float(curves["time"].max()) / _DAY
    ends = []
    for _, curve in curves.groupby("stage", observed=True):
        over = curve.loc[curve["survival"] < _SLIVER, "time"]
        ends.append(float(over.min() if len(over) else curve["time"].max()) / _DAY)
    end = max(ends) * 1.05
    end = math.ceil(end) if end > 2 else end
    return end if 0 < end < 0.75 * longest else longest


def _say(rows: _Records, numbers: int, as_of: datetime) -> str:
    steps = "; ".join(f"{row['stage']} {row['label']}" for row in rows)
    return f"funnel of {count_text(numbers, 'number')} as of {when_text(as_of)}: {steps}"


def _in_order(names: set[str]) -> list[str]:
    return sorted(names, key=lambda name: (lifecycle.position(name), name))


def _with_gap(stages: Sequence[str]) -> list[str]:
    """The stages with one empty place between the path and the side statuses."""
    side = next((n for n, stage in enumerate(stages) if stage not in lifecycle.FUNNEL), len(stages))
    return [*stages[:side], *([" "] if 0 < side < len(stages) else []), *stages[side:]]


def _data(rows: _Records) -> alt.InlineData:
    import altair as alt

    return alt.InlineData(values=rows)


def _by_status(stages: Sequence[str], *, legend: bool) -> alt.Color:
    import altair as alt

    names = [single_line(stage) for stage in stages]
    scale = alt.Scale(domain=names, range=[color_of(stage) for stage in stages])
    shown = alt.Legend(title=None, orient="right") if legend else None
    return alt.Color("stage:N", scale=scale, legend=shown, sort=names)


def _days_axis(flow: pd.DataFrame) -> alt.Axis:
    import altair as alt

    hours = (flow["time"].max() - flow["time"].min()).total_seconds() / 3600
    form = "%d %b" if hours > 24 * 4 else "%d %b %H:%M"
    return alt.Axis(format=form, grid=False, tickCount=8, labelOverlap=True)


def _title(text: str, *lines: str) -> alt.TitleParams:
    import altair as alt

    return alt.TitleParams(text, subtitle=list(lines))


def _nothing(what: str, said: str = "no events yet") -> Picture:
    import altair as alt

    note = alt.Chart(_data([{"text": said}])).mark_text(fontSize=18, color=SOFT).encode(text="text:N")
    return _drawn(note, _title(what), height=120, alt=f"{what}: {said}")


def _drawn(
    chart: alt.Chart | alt.LayerChart | alt.FacetChart, title: alt.TitleParams, *, height: int, alt: str
) -> Picture:
    spec = chart.properties(title=title, width=640, height=height).to_dict()
    spec["config"] = LOOK
    return Picture(spec=spec, alt=alt)
