"""Pictures are drawn here, tell their denominator, keep their order, and can be told apart by all eyes."""

from __future__ import annotations

import itertools
import re
import struct
import warnings
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import pytest
from test_funnel import at, realistic_events, story

from hnbulk import lifecycle
from hnbulk.charts import flow_chart, funnel_chart, problems_chart, standing_chart, survival_chart
from hnbulk.durations import stage_curves
from hnbulk.errors import UsageError
from hnbulk.frames import events_frame
from hnbulk.funnel import Funnel, Kind, build_funnel
from hnbulk.intake import read_bytes, read_targets
from hnbulk.palette import COLORS, UNKNOWN_COLOR, color_of
from hnbulk.pictures import Picture

KINDS: tuple[Kind, ...] = ("funnel", "standing", "survival", "flow")

# Machado, Oliveira, Fernandes (2009), severity 1: how linear RGB looks to dichromats.
EYES = {
    "normal": np.eye(3),
    "deuteranope": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanope": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}
# Ottosson (2020): linear RGB to OKLab.
TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def seen_as(color: str, eye: str) -> np.ndarray:
    """A colour as OKLab coordinates for these eyes."""
    rgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return TO_LAB @ np.cbrt(TO_LMS @ np.clip(EYES[eye] @ linear, 0, 1))


@pytest.fixture(scope="module")
def big() -> Funnel:
    """Two thousand numbers after two weeks."""
    return build_funnel(events_frame(realistic_events()))


@pytest.fixture(scope="module")
def pictures(big: Funnel) -> dict[str, Picture]:
    """One picture of each kind."""
    return {kind: big.plot(kind) for kind in KINDS}


@pytest.mark.parametrize("eye", EYES)
def test_no_two_colors_fall_together(eye: str) -> None:
    """Every pair of the palette is far apart in OKLab, for normal and colour-blind eyes."""
    distances = [
        np.linalg.norm(seen_as(one, eye) - seen_as(other, eye))
        for one, other in itertools.combinations(COLORS.values(), 2)
    ]
    assert min(distances) > 0.1


def test_every_status_has_a_color_and_so_has_an_unknown_one() -> None:
    """The palette is complete, in funnel order."""
    assert tuple(COLORS) == lifecycle.ORDER
    assert color_of("on-holiday") == UNKNOWN_COLOR


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_one_svg_that_asks_nobody(pictures: dict[str, Picture], kind: str) -> None:
    """No script, link, image, style sheet or event handler; no address but the namespaces."""
    svg = pictures[kind].svg
    assert svg.startswith("<svg")
    assert not re.search(r"<(script|image|use|a|style|foreignObject)\b|\shref=|\son\w+=|url\(", svg)
    assert set(re.findall(r"https?://[^\"]+", svg)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_names_moment_and_denominator(pictures: dict[str, Picture], kind: str) -> None:
    """Of what the shares are and when they held stands in the picture itself."""
    svg = pictures[kind].svg
    assert "as of 19 Jan 2026, 15:00 UTC" in svg
    assert "2,000 numbers" in svg or "share of all stays in that stage" in svg


def test_the_funnel_keeps_its_order_and_labels(pictures: dict[str, Picture]) -> None:
    """Stages from top to bottom as in the lifecycle, each bar with count and both shares."""
    svg = pictures["funnel"].svg
    heights = [
        float(re.search(rf'translate\(-8,([\d.]+)\)"[^>]*>{stage}<', svg)[1])  # type: ignore[index]
        for stage in lifecycle.ORDER
    ]
    assert heights == sorted(heights)
    assert ">1,942 · 97 % of all · 97 % of previous · 2 now<" in svg
    assert ">58 · 3 % of all · 58 now<" in svg


def test_a_curve_ends_where_observation_ends(big: Funnel) -> None:
    """No point lies beyond the longest stay observed; each line starts at all, on day zero."""
    curves = stage_curves(big.spells)
    (values,) = survival_chart(curves, as_of=big.as_of).spec["datasets"].values()
    drawn = pd.DataFrame(values).groupby("stage")["days"].agg(["min", "max"])
    longest = curves.groupby(curves["stage"].astype(str))["time"].max() / 86400
    assert (drawn["min"] == 0).all()
    assert (drawn["max"] <= longest.loc[drawn.index] + 1e-4).all()
    assert drawn["max"].to_numpy() == pytest.approx(longest.loc[drawn.index].to_numpy(), abs=1e-4)


def test_a_long_curve_is_thinned_honestly() -> None:
    """Ten thousand steps become a few hundred, none off by more than half a percent."""
    steps = np.arange(1, 10_001, dtype=float)
    curve = pd.DataFrame({"stage": "received", "time": steps * 3600, "survival": 1 - steps / 10_000})
    (drawn,) = survival_chart(curve, as_of=at(0)).spec["datasets"].values()
    values = pd.DataFrame(drawn)
    assert len(values) <= 203
    before = np.searchsorted(values["days"].to_numpy() * 24, steps + 1e-3, side="right") - 1
    error = np.abs(values["share"].to_numpy()[before] - curve["survival"].to_numpy())
    assert error.max() <= 0.0052


def test_a_sliver_does_not_stretch_the_axis() -> None:
    """Where under a twentieth stays on for a month, the axis ends before, and the picture says so."""
    time = np.array([1.0, 2.0, 4.0, 30.0]) * 86400
    curve = pd.DataFrame({"stage": "received", "time": time, "survival": [0.5, 0.1, 0.02, 0.0]})
    picture = survival_chart(curve, as_of=at(0))
    (values,) = picture.spec["datasets"].values()
    assert pd.DataFrame(values)["days"].max() == pytest.approx(5)
    assert "the axis ends at 5 d, where under 5 % of any stage is left; longest: 30 d" in picture.svg


def test_statuses_nobody_stands_in_are_left_out() -> None:
    """The picture of where numbers stand has a bar for each status they stand in, no other."""
    svg = build_funnel(events_frame(story(1, "received", "failed"))).plot("standing").svg
    assert ">failed<" in svg
    assert ">received<" not in svg


def test_a_picture_without_its_title_draws_the_same(pictures: dict[str, Picture]) -> None:
    """A page says title and subtitle in its own words."""
    plain = pictures["funnel"].untitled()
    assert "How far 2,000" not in plain.svg
    assert ">58 · 3 % of all · 58 now<" in plain.svg
    assert len(pictures["funnel"].subtitle) == 2


def test_drawing_changes_no_setting_of_altair(big: Funnel) -> None:
    """Renderer, theme and data transformer of the person's notebook are as before."""
    before = (alt.renderers.active, alt.theme.active, alt.data_transformers.active)
    big.plot("standing")
    assert (alt.renderers.active, alt.theme.active, alt.data_transformers.active) == before


def test_drawing_warns_of_nothing(big: Funnel) -> None:
    """A notebook stays quiet."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _ = big.plot("flow").svg
    assert caught == []


@pytest.mark.parametrize(
    "empty",
    [
        funnel_chart(pd.DataFrame(), numbers=0, as_of=None),
        standing_chart(pd.DataFrame(), numbers=0, as_of=None),
        survival_chart(pd.DataFrame(), as_of=None),
        flow_chart(pd.DataFrame(), numbers=0, as_of=None),
    ],
    ids=KINDS,
)
def test_without_events_a_picture_says_so(empty: Picture) -> None:
    """A clear picture instead of an empty frame or an error."""
    assert "no events yet" in empty.svg
    assert "no events yet" in repr(empty)


def test_a_status_name_cannot_become_markup() -> None:
    """Whatever the service calls a status, it stays text in the picture."""
    hostile = "<script>alert(1)</script>"
    funnel = build_funnel(events_frame(story(1, "received", hostile)))
    for kind in KINDS:
        assert "<script" not in funnel.plot(kind).svg


def test_a_png_has_the_size_of_its_scale(pictures: dict[str, Picture]) -> None:
    """Twice the scale, twice the pixels."""
    width, _ = struct.unpack(">II", pictures["standing"].png(scale=1)[16:24])
    double, _ = struct.unpack(">II", pictures["standing"].png()[16:24])
    assert double == pytest.approx(2 * width, abs=2)


def test_a_picture_saves_itself_by_its_ending(pictures: dict[str, Picture], tmp_path: Path) -> None:
    """SVG and PNG, for the owner's eyes; anything else is refused before drawing."""
    assert pictures["standing"].save(tmp_path / "a.svg").read_text(encoding="utf-8").startswith("<svg")
    assert pictures["standing"].save(tmp_path / "a.PNG").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.svg").stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match=r"\.svg or \.png"):
        pictures["standing"].save(tmp_path / "a.html")


def test_a_notebook_gets_svg_and_words(pictures: dict[str, Picture]) -> None:
    """The rich form is SVG, the plain one what the picture says."""
    bundle = pictures["standing"]._repr_mimebundle_()
    assert bundle["image/svg+xml"] == pictures["standing"]._repr_svg_()
    assert "carrier-processing 571" in bundle["text/plain"]


def test_problems_are_counted_by_rows_and_lists(tmp_path: Path) -> None:
    """Errors before warnings, the most frequent first; what is said of a whole list is left out."""
    (tmp_path / "a.csv").write_bytes(b"Phone,Email,X\noops,a,1\n4155550100,b,2\n")
    (tmp_path / "b.csv").write_bytes(b"Phone,Email,Y\n4155550101,c,1\n\n4155550102,,2\n")
    picture = problems_chart(read_targets([tmp_path / "a.csv", tmp_path / "b.csv"]))
    assert picture.alt == (
        "3 of 5 rows cannot go on as they are: email-format 3 rows in 2 lists; "
        "phone-letters 1 row in 1 list; blank-row 1 row in 1 list"
    )
    assert "of 2 lists" in picture.svg
    assert picture.svg.index(">email-format<") < picture.svg.index(">blank-row<")


def test_a_list_without_problems_says_so() -> None:
    """A column that is not known is no problem of a row."""
    assert (
        problems_chart(read_bytes(b"Phone,X\n4155550100,1\n", name="a.csv")).alt
        == "Problems: no row has one"
    )
