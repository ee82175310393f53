"""The funnel counts every number once, infers openly, and shows itself without lies or clipped text."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hnbulk import lifecycle
from hnbulk.charts import Picture
from hnbulk.durations import status_changes
from hnbulk.errors import UsageError
from hnbulk.frames import events_frame
from hnbulk.funnel import NEXT_STEPS, STANDING_COLUMNS, TABLE_COLUMNS, Funnel, build_funnel

START = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
POLL = timedelta(hours=6)

# Mean days in each stage and the chance to leave it forward; the rest is stuck, then fails or stays.
STORY: tuple[tuple[str, float, float], ...] = (
    ("twilio-processing", 0.8, 0.97),
    ("received", 1.5, 0.99),
    ("pending-verification", 1.0, 0.93),
    ("verified", 0.7, 1.0),
    ("pending-loa", 4.0, 0.92),
    ("carrier-processing", 6.0, 0.98),
    ("testing", 0.9, 0.99),
    ("completed", 0.0, 0.0),
)


def truth_of(chance: random.Random, begin: datetime) -> list[tuple[datetime, str]]:
    """The true moves of one order from its creation until it ends or gets stuck."""
    moves, moment = [], begin
    for stage, days, forward in STORY:
        moves.append((moment, stage))
        if chance.random() >= forward:
            side = "failed" if stage == "twilio-processing" else "action-required"
            moves += [(moment + timedelta(days=1), side)] if stage != "completed" else []
            break
        moment += timedelta(hours=2) + timedelta(days=chance.expovariate(1 / days) if days else 0)
    return moves


def seen_by_polling(moves: list[tuple[datetime, str]], end: datetime) -> list[dict[str, Any]]:
    """What a look every six hours sees of these moves: changes with the look before as lower bound."""
    seen = [{"status": moves[0][1], "seen_at": moves[0][0], "not_before": moves[0][0], "source": "own"}]
    place, look = 0, START
    while look < end:
        look += POLL
        now = max((n for n, move in enumerate(moves) if move[0] <= look), default=0)
        if now > place:
            place = now
            seen.append(
                {"status": moves[now][1], "seen_at": look, "not_before": look - POLL, "source": "poll"}
            )
    return seen


def realistic_events(numbers: int = 2000, days: float = 14, seed: int = 7) -> list[dict[str, Any]]:
    """Events of `numbers` numbers created over two days and looked at for `days` days."""
    chance, records = random.Random(seed), []
    for n in range(numbers):
        moves = truth_of(chance, START + timedelta(hours=chance.random() * 48))
        for event in seen_by_polling(moves, START + timedelta(days=days)):
            who = {"order_sid": f"HR{n:032x}", "phone_number": f"+1415{2000000 + n}", "attempt": 1}
            records.append({**who, **event, "run_id": None})
    return records


def at(hours: float) -> datetime:
    """A moment so many hours after the start."""
    return START + timedelta(hours=hours)


def story(number: int, *statuses: str, attempt: int = 1, begin: float = 0.0) -> list[dict[str, Any]]:
    """A number seen in these statuses, one every six hours."""
    return [
        {
            "order_sid": f"HR{attempt:016x}{number:016x}",
            "phone_number": f"+1415555{number:04}",
            "status": status,
            "seen_at": at(begin + 6 * k),
            "not_before": at(begin + 6 * max(k - 1, 0)),
            "source": "poll",
            "attempt": attempt,
            "run_id": None,
        }
        for k, status in enumerate(statuses)
    ]


def funnel_of(*stories: list[dict[str, Any]], now: float | None = None) -> Funnel:
    """The funnel of these stories."""
    moment = None if now is None else at(now)
    return build_funnel(events_frame([event for told in stories for event in told]), now=moment)


def column(funnel: Funnel, name: str) -> dict[str, Any]:
    """A column of the table by stage."""
    return dict(zip(funnel.table["stage"].astype(str), funnel.table[name], strict=True))


@pytest.fixture(scope="module")
def big() -> Funnel:
    """Two thousand numbers after two weeks."""
    return build_funnel(events_frame(realistic_events()))


def test_the_table_has_its_columns_in_funnel_order(big: Funnel) -> None:
    """One row per status of the lifecycle, in its order, whether seen or not."""
    assert tuple(big.table.columns) == TABLE_COLUMNS
    assert tuple(big.table["stage"].astype(str)) == lifecycle.ORDER
    assert tuple(big.standing.columns) == STANDING_COLUMNS


def test_current_sums_to_all_numbers(big: Funnel) -> None:
    """Every number stands in exactly one place."""
    assert big.table["current"].sum() == big.numbers == 2000
    assert big.standing["phone_number"].is_unique


def test_fewer_reach_each_further_stage(big: Funnel) -> None:
    """Along the path `reached` never grows, and the first stage holds everyone."""
    reached = [column(big, "reached")[stage] for stage in lifecycle.FUNNEL]
    assert reached[0] == 2000
    assert reached == sorted(reached, reverse=True)


def test_both_shares_have_their_own_denominator() -> None:
    """Of four numbers two were verified, one completed: 25 % of all, 50 % of the stage before."""
    path = lifecycle.FUNNEL
    funnel = funnel_of(story(1, *path), story(2, *path[:7]), story(3, "received"), story(4, path[0]))
    assert column(funnel, "share_of_all")["completed"] == 0.25
    assert column(funnel, "share_of_previous")["completed"] == 0.5
    assert np.isnan(column(funnel, "share_of_previous")[path[0]])


def test_a_stage_passed_unseen_is_reached_and_marked_inferred() -> None:
    """Seen received, then verified: pending-verification was reached, by inference."""
    funnel = funnel_of(story(1, "twilio-processing", "received", "verified"))
    assert column(funnel, "reached")["pending-verification"] == 1
    assert column(funnel, "inferred")["pending-verification"] == 1
    assert column(funnel, "inferred")["verified"] == 0
    assert column(funnel, "reached")["pending-loa"] == 0


def test_side_statuses_count_their_own_events_only() -> None:
    """A number beyond action-required was not there unless seen there; it has no stage before."""
    funnel = funnel_of(story(1, "received", "action-required", "verified"), story(2, "failed"))
    assert column(funnel, "reached")["action-required"] == 1
    assert column(funnel, "reached")["failed"] == 1
    assert column(funnel, "reached")["twilio-processing"] == 2
    assert np.isnan(column(funnel, "share_of_previous")["failed"])
    assert column(funnel, "inferred")["failed"] == 0


def test_the_latest_attempt_says_where_a_number_stands() -> None:
    """A failed first order keeps what it reached; the second one is where the number stands."""
    funnel = funnel_of(
        story(1, "received", "verified", "failed"), story(1, "twilio-processing", attempt=2, begin=30)
    )
    assert funnel.numbers == 1
    assert funnel.standing["attempt"].tolist() == [2]
    assert column(funnel, "current")["twilio-processing"] == 1
    assert column(funnel, "reached")["verified"] == 1
    assert column(funnel, "reached")["failed"] == 1


def test_a_late_word_of_an_old_attempt_moves_nothing() -> None:
    """The old order's failure, heard after the new order began, does not move the number back."""
    late = story(1, "failed", begin=40)
    funnel = funnel_of(story(1, "received"), story(1, "twilio-processing", attempt=2, begin=30), late)
    assert funnel.standing["status"].tolist() == ["twilio-processing"]
    assert funnel.flow.groupby("time")["numbers"].sum().max() == 1


def test_row_order_plays_no_part(big: Funnel) -> None:
    """Shuffled events give the same funnel, to the last row."""
    records = realistic_events(200)
    straight = build_funnel(events_frame(records))
    random.Random(1).shuffle(records)
    mixed = build_funnel(events_frame(records))
    pd.testing.assert_frame_equal(mixed.table, straight.table)
    pd.testing.assert_frame_equal(mixed.standing, straight.standing)
    assert str(mixed) == str(straight)


def test_now_is_the_last_sighting_unless_said() -> None:
    """The moment the funnel speaks of is in the events, or is given; the past can be asked."""
    told = story(1, "received", "verified")
    assert funnel_of(told).as_of == at(6)
    assert funnel_of(told, now=50).standing["age_seconds"].tolist() == [44 * 3600]
    assert funnel_of(told, now=3).standing["status"].tolist() == ["received"]


def test_stuck_are_those_not_at_an_end_oldest_first() -> None:
    """Completed and failed never count as stuck; the threshold is exclusive."""
    funnel = funnel_of(
        story(1, "verified", begin=10),
        story(2, "received"),
        story(3, "completed"),
        story(4, "failed"),
        story(5, "action-required", begin=90),
        now=100,
    )
    stuck = funnel.stuck(timedelta(hours=10))
    assert stuck["phone_number"].str[-1:].tolist() == ["2", "1"]
    assert funnel.stuck(older_than=timedelta(hours=100)).empty


def test_an_unknown_status_has_its_own_row_at_the_end() -> None:
    """A status the lifecycle does not have is counted beside the path and never taken for an end."""
    with pytest.warns(lifecycle.UnknownStatusWarning):
        lifecycle.note_unknown("on-holiday")
    funnel = funnel_of(story(1, "received", "on-holiday"), story(2, "received"), now=200)
    assert str(funnel.table["stage"].iloc[-1]) == "on-holiday"
    assert column(funnel, "current")["on-holiday"] == 1
    assert len(funnel.stuck()) == 2
    assert "Console" in funnel.next_steps["next_step"].iloc[-1]


def test_the_last_moment_of_the_flow_is_now(big: Funnel) -> None:
    """At most two hundred moments; everyone is somewhere; the last one agrees with `current`."""
    flow = big.flow
    assert flow["time"].nunique() <= 200
    assert flow["numbers"].min() >= 0
    final = flow.loc[flow["time"] == flow["time"].max()].set_index("stage")["numbers"]
    assert final.to_dict() == big.table.set_index("stage")["current"].to_dict()


def test_every_status_but_completed_has_advice() -> None:
    """No number is left without a next step."""
    assert set(NEXT_STEPS) == set(lifecycle.ORDER) - {"completed"}


def test_the_table_carries_the_times(big: Funnel) -> None:
    """Medians stand within their bounds; ends of the way have none; open stays are those there now."""
    rows = big.table.dropna(subset="median_seconds")
    assert rows["median_low"].le(rows["median_seconds"]).all()
    assert rows["median_high"].dropna().ge(rows["median_seconds"]).all()
    assert np.isnan(column(big, "median_seconds")["completed"])
    assert column(big, "open")["pending-loa"] == column(big, "current")["pending-loa"]
    assert big.durations()["stage"].astype(str).tolist() == [*lifecycle.FUNNEL[:7], "action-required"]


def test_the_text_fits_eighty_columns(big: Funnel) -> None:
    """Readable in any terminal, even for a hundred thousand numbers and long times."""
    table = big.table.assign(
        reached=123_456, current=123_456, share_of_all=0.9999, share_of_previous=0.9999
    )
    table = table.assign(median_seconds=9.4 * 86400, median_low=9 * 86400, median_high=9.8 * 86400)
    huge = Funnel(big.as_of, table, big.standing, big.changes, big.spells)
    assert max(map(len, str(big).splitlines())) <= 80
    assert max(map(len, str(huge).splitlines())) <= 80
    assert "123,456 >99.9 %" in str(huge)


def test_the_text_names_moment_and_denominators(big: Funnel) -> None:
    """The first line tells how many, how far and when; the footnotes tell of what the shares are."""
    text = str(big)
    assert text.startswith("2,000 numbers, 725 completed (36 %), as of 19 Jan 2026, 15:00 UTC")
    assert "share of all 2,000 numbers" in text
    assert "share of those that reached the stage above" in text
    assert "391 passages were inferred, not seen" in text


def test_a_small_funnel_as_text() -> None:
    """Exactly this is printed."""
    funnel = funnel_of(story(1, *lifecycle.FUNNEL), story(2, "twilio-processing", "failed"), now=60)
    assert str(funnel).splitlines()[:6] == [
        "2 numbers, 1 completed (50 %), as of 8 Jan 2026, 03:00 UTC",
        "",
        "                                 reached    % of    % of     now          median",
        "stage                                        all   prev.    here      time there",
        "twilio-processing    ███████████       2   100 %       –       0       3 h ± 3 h",
        "received             █████▌            1    50 %    50 %       0       6 h ± 6 h",
    ]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_the_html_is_escaped_and_has_no_script() -> None:
    """A hostile status name stays text."""
    hostile = '<img src=x onerror="alert(1)">'
    shown = funnel_of(story(1, "received", hostile))._repr_html_()
    seen = _Tags()
    seen.feed(shown)
    assert seen.tags == {"div", "style", "table", "caption", "thead", "tbody", "tr", "th", "td", "i", "p"}
    assert seen.attributes == {"class", "style"}
    assert "&lt;img" in shown


def test_a_status_steers_no_terminal() -> None:
    """Control and direction signs in a status of the service are in no face and no picture."""
    funnel = funnel_of(story(1, "received", "odd\x1b[2J\u202ename"))
    pictures = [funnel.plot(kind) for kind in ("funnel", "standing", "survival", "flow")]
    faces = [str(funnel), funnel._repr_html_(), *(f"{one!r}{one.svg}" for one in pictures)]
    assert not [sign for face in faces for sign in ("\x1b", "\u202e") if sign in face]


def test_no_face_shows_a_phone_number(big: Funnel) -> None:
    """Text, HTML and repr hold counts, not people's numbers."""
    assert "+1415" not in str(big) + repr(big) + big._repr_html_()
    assert repr(big) == "Funnel(2,000 numbers, 725 completed (36 %), as of 19 Jan 2026, 15:00 UTC)"


def test_no_events_make_a_funnel_that_says_so() -> None:
    """Nothing seen: empty frames, clear words, no crash."""
    empty = funnel_of()
    assert (empty.numbers, empty.completed, empty.as_of) == (0, 0, None)
    assert str(empty) == "Funnel: no events yet"
    assert "no events yet" in empty._repr_html_()
    assert empty.stuck().empty
    assert empty.durations().empty
    assert empty.flow.empty
    assert empty.next_steps.empty
    assert empty.table["reached"].sum() == 0
    assert tuple(empty.standing.columns) == STANDING_COLUMNS


def test_one_number_is_spoken_of_in_the_singular() -> None:
    """No "1 numbers"."""
    text = str(funnel_of(story(1, "completed")))
    assert text.startswith("1 number, 1 completed (100 %)")
    assert "1 numbers" not in text


def test_plot_gives_a_picture_of_each_kind_and_refuses_others(big: Funnel) -> None:
    """Four kinds; another name is a usage error that lists them."""
    assert isinstance(big.plot(), Picture)
    with pytest.raises(UsageError, match="funnel, standing, survival and flow"):
        big.plot("pie")  # type: ignore[arg-type]


def test_changes_are_those_of_the_durations(big: Funnel) -> None:
    """The funnel and its times stand on the same folded events."""
    records = events_frame(realistic_events(50))
    expected = status_changes(records, records["seen_at"].max())
    pd.testing.assert_frame_equal(build_funnel(records).changes, expected)
