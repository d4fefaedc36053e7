"""How soon the agent answers against how often too soon: ``python -m benchmarks.endpointing``

Recorded callers speak one sentence each to the call core in virtual time; the end of each sentence was marked
by people (of the orders: by its loudness). The transcriber is a good one that gives every word as it ends;
the model needs 150 ms to its first token and the voice 80 ms to its first audio. The same files give the same
table. The policy's dial, ``turns.endpoint_delay``, is turned from end to end, and beside it silence alone.
Nothing was tuned on the *held-out* half of the files.

====================  ==================================================================================
early                 a turn was taken as over before its end: share of the files
early heard           ... and the agent was heard before the caller had finished
taken back            ... of these: silent again within 200 ms after the caller went on
one turn              ... and both halves are one turn of the conversation
decided p50, p95      ms from the marked end to the decision, of the files that were not early
heard p50, p95        ms from the marked end to the agent's first sound
missed                no answer within 5 s
drafts, dropped       drafts that were made in all, and those nobody heard
less than silence     how much sooner it decides (p50) than silence alone with the same share of early turns
====================  ==================================================================================

Below them, callers whose words and pauses are exactly known (`benchmarks.sentences`). On 300 phone sentences
of the same corpus, silero with 700 ms of silence cut 27 % off and needed 795 ms, with 1000 ms 11 % and 1117.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from benchmarks.recordings import TURNS, clips, percentile, room, silero, spoken
from benchmarks.report import Result, show
from benchmarks.sentences import BETWEEN, FINISHED, INSIDE, all_stops, as_written, no_stops, talks
from engine.audio.silero import SileroModel
from engine.core.notes import Cut, ReplyEnded, ReplyStarted, TurnEnded
from engine.core.policy import Opening, Policy, Turns
from engine.testing import ScriptedModel, World
from engine.testing.recorded import RecordedCaller, Recording
from engine.testing.script import agent_silent
from engine.testing.transcriber import ScriptedTranscriber

ANSWER_WITHIN = 5_000
BACK_WITHIN = 200
GREETED = 1_000
"""ms of silence after which the greeting is over for the caller: a moment of silence inside it is shorter."""
POLICY, SILENCE = "endpoint_delay", "silence alone,"
DEFAULT = f"default ({TURNS.endpoint_delay})"
DIAL = (300, 400, 500, 600, 700, 800, 900, 1000, 1200)
"""ms of `Turns.endpoint_delay`."""
SILENCES = (300, 400, 500, 600, 700, 800, 900, 1000, 1100, 1200, 1300, 1400, 1600)
"""ms of silence alone."""
Curve = Sequence[tuple[float, float]]
SILENCE_ONLY: dict[str, Any] = {
    "finished": 0, "finished_trusted": 0, "unfinished": 0, "dictation": 0, "dictation_complete": 0,
    "voted_over": 0, "adapt_most": 0, "tail": 0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: how the call is set, and what listens."""

    name: str
    turns: Turns = TURNS
    vad: str = "webrtc"
    votes: SileroModel | None = None
    hears: Callable[[str], str] = str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one sentence. Times are ms after its marked end."""

    early: bool
    early_heard: bool
    taken_back: bool
    decided: int | None
    heard: int | None
    one_turn: bool
    drafts: int
    dropped: int


def settings(few: bool) -> list[Setting]:
    """The dial with webrtc; the default with other detectors and transcribers; and silence alone."""
    model = silero()
    confirmed = replace(TURNS, confirmed=True)
    rows = [
        Setting(f"{DEFAULT}, a stop after every final", hears=all_stops),
        Setting(f"{DEFAULT}, level", vad="level"),
        *([Setting(f"{DEFAULT}, silero confirms", confirmed, votes=model)] if model else []),
    ]
    dial = [replace(TURNS, endpoint_delay=delay) for delay in DIAL[:: 3 if few else 1]]
    rows += [Setting(f"{POLICY} {turns.endpoint_delay}", turns) for turns in dial]
    alone = [replace(TURNS, endpoint_delay=delay, **SILENCE_ONLY) for delay in SILENCES[:: 3 if few else 1]]
    return rows + [Setting(f"{SILENCE} {turns.endpoint_delay}", turns) for turns in alone]


def listen(recording: Recording, setting: Setting) -> Outcome:
    """Let one recorded person speak to an agent that has just greeted them."""
    caller = RecordedCaller(vad=setting.vad, votes=setting.votes, background=room(recording))
    caller.plays(recording, when=agent_silent(GREETED))
    world = World(
        Policy(opening=Opening(message="Hello, you have reached the front desk."), turns=setting.turns),
        caller=caller,
        transcriber=ScriptedTranscriber(hears=setting.hears),
        model=ScriptedModel(["Of course. Let me have a look at that for you, one moment please."]),
    )
    world.run(lambda world: bool(caller.played))
    ((_, begins),) = caller.played
    end = begins + recording.end
    world.run(end + ANSWER_WITHIN)
    return outcome(world, recording, begins, end)


def outcome(world: World, recording: Recording, begins: int, end: int) -> Outcome:
    """Read from a world that has run how a sentence from ``begins`` to its ``end`` went."""
    ear = world.phone.ear
    turns = world.times(TurnEnded)
    too_soon = ear.sound_after(begins)
    early_heard = too_soon is not None and too_soon < end
    taken_back = False
    if early_heard and too_soon is not None:
        starts = [start for start, _ in recording.speech] + [recording.last_word_start or 0]
        resumes = [begins + start for start in starts if begins + start >= too_soon]
        goes_on = min(resumes, default=too_soon)
        taken_back = ear.silence_after(goes_on) - goes_on <= BACK_WITHIN
    heard = ear.sound_after(end)
    users = [text for role, text in world.transcript if role == "user"]
    made = {note.reply for note in world.notes(ReplyStarted) if note.draft}
    return Outcome(
        early=any(at < end for at in turns),
        early_heard=early_heard,
        taken_back=taken_back,
        decided=next((at - end for at in turns if at >= end), None),
        heard=None if heard is None else heard - end,
        one_turn=len(users) == 1,
        drafts=len(made),
        dropped=sum(note.reply in made and note.how is Cut.DROPPED for note in world.notes(ReplyEnded)),
    )


def row(name: str, outcomes: Sequence[Outcome], silence: Curve = ()) -> list[Any]:
    """One line of the table; ``silence`` is the curve to compare with."""
    heard_early = [o for o in outcomes if o.early_heard]
    decided = [o.decided for o in outcomes if not o.early and o.decided is not None]
    heard = [o.heard for o in outcomes if not o.early and o.heard is not None]
    share, sooner = point(outcomes)
    alone = at_share(silence, share)
    return [
        name,
        len(outcomes),
        round(share, 3),
        len(heard_early),
        sum(o.taken_back for o in heard_early),
        sum(o.one_turn for o in heard_early),
        *(middle(decided, part) for part in (0.5, 0.95)),
        *(middle(heard, part) for part in (0.5, 0.95)),
        sum(o.heard is None for o in outcomes),
        sum(o.drafts for o in outcomes),
        sum(o.dropped for o in outcomes),
        None if alone is None or sooner is None else round(1 - sooner / alone, 3),
    ]


def middle(values: Sequence[int], share: float) -> int | None:
    """A percentile, or None of nothing."""
    return int(percentile(values, share)) if values else None


def point(outcomes: Sequence[Outcome]) -> tuple[float, int | None]:
    """Share of early turns, and the median ms to the decision of the others."""
    decided = [o.decided for o in outcomes if not o.early and o.decided is not None]
    return sum(o.early for o in outcomes) / len(outcomes), middle(decided, 0.5)


def at_share(curve: Curve, share: float) -> float | None:
    """What the curve needs for this share of early turns, between its points; None beyond its ends."""
    ordered = sorted(curve)
    for (low, slow), (high, quick) in pairwise(ordered):
        if low <= share <= high:
            return slow if high == low else slow + (quick - slow) * (share - low) / (high - low)
    return None


def curve_of(found: Mapping[str, Sequence[Outcome]], kind: str) -> Curve:
    """The points of one kind of setting, by latency."""
    points = [point(outcomes) for name, outcomes in found.items() if name.startswith(kind)]
    return sorted(((share, ms) for share, ms in points if ms is not None), key=lambda at: at[1])


COLUMNS = [
    "", "files", "early", "early heard", "taken back", "one turn", "decided p50", "p95", "heard p50", "p95",
    "missed", "drafts", "dropped", "less than silence",
]  # fmt: skip


def recorded(folder: str, half: int | None, few: bool) -> dict[str, list[Outcome]]:
    """What became of each setting on the files of a folder, or of half of it."""
    people = [spoken(clip) for clip in clips(folder) if half in (None, clip.half)]
    return {setting.name: [listen(one, setting) for one in people] for setting in settings(few)}


def known_rows() -> Iterator[list[Any]]:
    """Callers whose words and pauses are exactly known."""
    for name, texts in (
        ("finished sentences", FINISHED),
        ("pauses of 300-460 ms inside", INSIDE),
        ("pauses of 300-460 ms between two", BETWEEN),
    ):
        for hears, how in (
            (as_written, "as written"),
            (no_stops, "no stops"),
            (all_stops, "stops everywhere"),
        ):
            talk = talks(texts, TURNS, hears)
            times = [middle(talk.delays, share) for share in (0.5, 0.95)]
            blank: list[Any] = [None] * 5
            share = round(talk.early / talk.turns, 3)
            yield [f"{name}, {how}", talk.turns, share, talk.early, *blank[:4], *times, *blank[:4]]


def run(*, few: bool = False) -> Result:
    """Measure; ``few``: every third point of the dial."""
    rows: list[list[Any]] = []
    curves: dict[str, list[list[float]]] = {}
    halves = {"tuning": recorded("endpoint", 0, few), "held-out": recorded("endpoint", 1, few)}
    both = {name: outcomes + halves["held-out"][name] for name, outcomes in halves["tuning"].items()}
    for part, found in (*halves.items(), ("all", both)):
        silence = curve_of(found, SILENCE)
        rows += [row(f"hesitant, {part}: {name}", outcomes, silence) for name, outcomes in found.items()]
        curves[f"{SILENCE} {part}"] = [list(at) for at in silence]
        curves[f"{POLICY}, {part}"] = [list(at) for at in curve_of(found, POLICY)]
    fluent = recorded("orders", None, few=True)
    rows += [row(f"fluent orders: {name}", outcomes) for name, outcomes in fluent.items()]
    rows += known_rows()
    notes = ["Virtual time. Sentences with a keyword after a pause: harsh on purpose."]
    if silero() is None:
        notes.append("silero is not installed: its rows are left out.")
    return {
        "title": "Endpointing: latency against early answers",
        "columns": COLUMNS,
        "rows": rows,
        "notes": notes,
        "curves": curves,
        "x": "share of turns that were taken as over too early",
        "y": "ms from the marked end to the decision, p50",
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--few", action="store_true", help="every third point of the dial")
    show(run(few=parser.parse_args(argv).few))


if __name__ == "__main__":
    main(sys.argv[1:])
