"""Does the agent let people finish, and how soon does it answer? ``python -m benchmarks.endpointing``

Recorded callers speak one sentence each to the call core in virtual time; the end of each sentence was marked
by people (of the orders: by its loudness). The transcriber is a good one that gives every word as it ends;
the model needs 150 ms to its first token and the voice 80 ms to its first audio. The same files give the same
table. ``--halves`` prints the rows for two halves of the files as well.

====================  ==================================================================================
early                 a turn was taken as over before its end: share of the files
early heard           ... and the agent was heard before the caller had finished
taken back            ... of these: silent again within 200 ms after the caller went on
decided p50, p95      ms from the marked end to the decision, of the files that were not early
heard p50, p95        ms from the marked end to the agent's first sound
missed                no answer within 5 s
wrong holds           times the agent fell silent for what was not the caller's speech
====================  ==================================================================================

On 300 such phone sentences, silero with 700 ms of silence cut 27 % off and needed 795 ms (p50).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.recordings import TURNS, clips, columns, percentile, room, silero, spoken
from engine.audio.silero import SileroModel
from engine.core.notes import Interrupted, TurnEnded
from engine.core.policy import Opening, Policy, Turns
from engine.testing import ScriptedModel, World
from engine.testing.corpus import Clip
from engine.testing.recorded import RecordedCaller, Recording
from engine.testing.script import agent_silent
from engine.testing.transcriber import ScriptedTranscriber

ANSWER_WITHIN = 5_000
BACK_WITHIN = 200
NEAR_SPEECH = 150
"""ms around the speech in which a sound is still taken for it."""
SILENCE_ONLY: dict[str, Any] = {
    "finished": 0, "unfinished": 0, "dictation": 0, "dictation_complete": 0, "voted_over": 0, "adapt_most": 0,
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
    wrong_holds: int


def punctuated(text: str) -> str:
    """A transcriber that takes whatever it has for a sentence."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def settings() -> list[Setting]:
    """The default, its detectors and a transcriber that punctuates, and silence alone."""
    model = silero()
    rows = [
        Setting("default, webrtc"),
        Setting("default, level", vad="level"),
        *(
            [Setting("default, silero confirms", replace(TURNS, confirmed=True), votes=model)]
            if model
            else []
        ),
        Setting("default, every final a sentence", hears=punctuated),
    ]
    for delay in (300, 500, 700, 1000):
        rows.append(Setting(f"{delay} ms of silence", replace(TURNS, endpoint_delay=delay, **SILENCE_ONLY)))
    return rows


def listen(recording: Recording, setting: Setting) -> Outcome:
    """Let one recorded person speak to an agent that has just greeted them."""
    caller = RecordedCaller(vad=setting.vad, votes=setting.votes, background=room(recording))
    caller.plays(recording, when=agent_silent(300))
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
        resumes = [begins + start for start, _ in recording.speech if begins + start >= too_soon]
        goes_on = min(resumes, default=too_soon)
        taken_back = ear.silence_after(goes_on) - goes_on <= BACK_WITHIN
    heard = ear.sound_after(end)
    speech = range(begins + recording.start - NEAR_SPEECH, end + NEAR_SPEECH)
    holds = [n for n in world.notes(Interrupted) if n.action in ("hold", "stop") and n.since not in speech]
    return Outcome(
        early=any(at < end for at in turns),
        early_heard=early_heard,
        taken_back=taken_back,
        decided=next((at - end for at in turns if at >= end), None),
        heard=None if heard is None else heard - end,
        wrong_holds=len(holds),
    )


def row(name: str, outcomes: Sequence[Outcome]) -> list[str]:
    """One line of the table."""
    early = [o for o in outcomes if o.early]
    heard_early = [o for o in outcomes if o.early_heard]
    decided = [o.decided for o in outcomes if not o.early and o.decided is not None]
    heard = [o.heard for o in outcomes if not o.early and o.heard is not None]
    return [
        name,
        f"{len(early)}/{len(outcomes)}",
        f"{len(early) / len(outcomes):.0%}",
        str(len(heard_early)),
        str(sum(o.taken_back for o in heard_early)),
        percentile(decided, 0.5),
        percentile(decided, 0.95),
        percentile(heard, 0.5),
        percentile(heard, 0.95),
        str(sum(o.heard is None for o in outcomes)),
        str(sum(o.wrong_holds for o in outcomes)),
    ]


HEAD = [
    "", "early", "share", "early heard", "taken back", "decided p50", "p95", "heard p50", "p95", "missed",
    "wrong holds",
]  # fmt: skip


def table(what: Sequence[Clip], rows: Sequence[Setting], *, halves: bool = False) -> list[list[str]]:
    """All settings on all clips."""
    people = [(clip.half, spoken(clip)) for clip in what]
    found = []
    for setting in rows:
        outcomes = [(half, listen(person, setting)) for half, person in people]
        found.append(row(setting.name, [outcome for _, outcome in outcomes]))
        for number in (0, 1) if halves else ():
            found.append(row(f"  half {number + 1}", [o for half, o in outcomes if half == number]))
    return found


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    arguments.add_argument("--halves", action="store_true", help="print two halves of the files as well")
    chosen = arguments.parse_args()
    rows = settings()
    if not any(setting.votes for setting in rows):
        print("silero is not installed: its row is left out\n")
    for folder, what in (("endpoint", "hesitant sentences on the telephone"), ("orders", "fluent orders")):
        print(what)
        columns(HEAD, table(clips(folder), rows, halves=chosen.halves))


if __name__ == "__main__":
    main()
