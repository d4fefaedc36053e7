"""How soon a caller silences the agent, and what else silences it: ``python -m benchmarks.bargein``

Recorded people, noises and listening sounds against an agent that speaks, in virtual time; the same files
give the same table. An onset is the start of the first voiced frame: the first of three frames in a row
within 30 dB of the person's loudest. Silence is at the ear of a phone without network delay.

==================  ====================================================================================
people interrupt    ms from the onset until the agent is silent; *missed*: not within two seconds; *again*: it
                    took a part of the sentence for a cough and was heard once more before words stopped it
noise               minutes of the noise under an agent that never stops speaking: replies that were cut,
                    how often the agent fell silent and for how long in all, how often it was ducked
listening sounds    one a call: how often the agent fell silent, the mean and the longest silence; with a
                    transcriber that says "mm-hm" when the sound is over, and with one that has no word for it
resume              after those silences: ms of speech that were never heard, most ms heard twice in one dip
==================  ====================================================================================
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.noise import LONG_REPLY, NOT_SILENCED, Detector, detectors
from benchmarks.recordings import clips, percentile, room, spoken
from benchmarks.report import Result, show
from engine.core.notes import Cut, Interrupted, ReplyEnded, TurnEnded
from engine.core.policy import Limits, OnSound, Opening, Policy
from engine.testing import World
from engine.testing.recorded import Recording, loud_part
from engine.testing.script import agent_speaking
from engine.testing.transcriber import ScriptedTranscriber

MINUTES = 10
SPEAKS_MS = 20_000
"""ms that the scripted voice needs for a `LONG_REPLY`, about."""
MARGIN = 100
"""ms before a marked start in which the speech may begin."""
KINDS = ("words", "endpoint", "orders")
MM_HM = "mm-hm"


@dataclass(frozen=True, slots=True)
class Dips:
    """What became of a speaking agent. Silences in ms; ``lost`` and ``repeated`` in ms of its speech."""

    cut: int
    turns: int
    silences: tuple[int, ...]
    ducked: int
    lost: int
    repeated: int


def settings() -> list[Detector]:
    """webrtc alone, with silero confirming, and that with an agent that ducks instead of falling silent."""
    found = [detector for detector in detectors() if detector.name != "level"]
    ducks = replace(found[-1].turns, on_sound=OnSound.DUCK)
    return [*found, replace(found[-1], name=f"{found[-1].name}, duck", turns=ducks)]


def onset(recording: Recording) -> int:
    """Where the first voiced frame begins, ms of the recording."""
    start = max(0, recording.start - MARGIN)
    return start + loud_part(recording.sound(start, recording.end).audio)[0]


def interrupting(detector: Detector, person: Recording) -> tuple[int, bool]:
    """Ms from somebody's onset under a reply to the silence of the agent; whether it spoke again after it."""
    caller = detector.caller(room(person)).plays(person, when=agent_speaking(2_000))
    policy = Policy(opening=Opening(message=LONG_REPLY), turns=detector.turns)
    world = World(policy, caller=caller, transcriber=ScriptedTranscriber())
    world.run(lambda world: bool(caller.played))
    start = caller.played[0][1] + onset(person)
    world.run(start + NOT_SILENCED)
    again = any(note.action == "resume" and note.since >= start - MARGIN for note in world.notes(Interrupted))
    return world.phone.ear.silence_after(start) - start, again


def under_noise(detector: Detector, noise: Recording, minutes: int) -> Dips:
    """An agent that speaks for ``minutes`` in a noisy place."""
    lasts = minutes * 60_000
    policy = Policy(
        opening=Opening(message=LONG_REPLY * (2 * lasts // SPEAKS_MS)),
        turns=detector.turns,
        limits=Limits(longest=None),
    )
    caller = detector.caller(noise).hangs_up(at=lasts)
    return dips(World(policy, caller=caller, transcriber=ScriptedTranscriber()).run())


def listening(detector: Detector, sound: Recording) -> Dips:
    """A listening sound under a reply."""
    caller = detector.caller().plays(sound, when=agent_speaking(2_000)).hangs_up(pause=25_000)
    policy = Policy(opening=Opening(message=LONG_REPLY), turns=detector.turns)
    return dips(World(policy, caller=caller, transcriber=ScriptedTranscriber()).run())


def dips(world: World) -> Dips:
    """What the greeting of a world went through."""
    (greeting, *_) = world.notes(ReplyEnded)
    notes = [note for note in world.notes(Interrupted) if note.at <= greeting.at]
    silences, since = [], None
    for note in notes:
        if note.action == "hold":
            since = note.at
        elif since is not None:
            silences.append(note.at - since)
            since = None
    lost, repeated = _heard(world)
    return Dips(
        cut=int(greeting.how is not Cut.DONE and any(note.action == "stop" for note in notes)),
        turns=len(world.notes(TurnEnded)),
        silences=tuple(silences),
        ducked=sum(note.action == "duck" for note in notes),
        lost=lost,
        repeated=repeated,
    )


def _heard(world: World) -> tuple[int, int]:
    """Ms of the agent's speech that were passed over at the ear, and the most that a resume said again."""
    reached = passed = again = 0
    for span in world.phone.ear.spans:
        if span.place is None:
            continue
        passed += max(0, span.place - reached)
        again = max(again, reached - span.place)
        reached = max(reached, span.place + len(span.payload))
    return passed // 8, again // 8


def people_rows(listeners: Sequence[Detector], few: int | None) -> Iterator[list[Any]]:
    """Onset to silence."""
    for kind in KINDS:
        people = [spoken(clip) for clip in clips(kind)[:few]]
        found = [[interrupting(listener, person) for person in people] for listener in listeners]
        silenced = [[ms for ms, _ in each if ms < NOT_SILENCED] for each in found]
        what = f"people interrupt: {kind} ({len(people)})"
        for share in (0.5, 0.9, 0.99):
            name = f"onset to silence, p{share * 100:.0f}, ms"
            yield [what, name, *(int(percentile(delays, share)) for delays in silenced)]
        yield [what, "missed", *(len(people) - len(delays) for delays in silenced)]
        yield [what, "again", *(sum(again for _, again in each) for each in found)]


def noise_rows(listeners: Sequence[Detector], minutes: int) -> Iterator[list[Any]]:
    """Minutes of each noise."""
    for clip in clips("noise"):
        found = [under_noise(listener, clip.recording(""), minutes) for listener in listeners]
        what = f"noise: {clip.path.stem} ({minutes} min)"
        yield [what, "replies cut or turns", *(each.cut + each.turns for each in found)]
        yield [what, "fell silent, times", *(len(each.silences) for each in found)]
        yield [what, "fell silent, ms in all", *(sum(each.silences) for each in found)]
        yield [what, "ducked, times", *(each.ducked for each in found)]


def listening_rows(listeners: Sequence[Detector]) -> Iterator[list[Any]]:
    """Listening sounds; nobody wrote down which, so each is an mm-hm, or something without words."""
    for said, text in ((f'"{MM_HM}"', MM_HM), ("no words", "")):
        sounds = [replace(clip.recording(), text=text) for clip in clips("backchannel")]
        found = [[listening(listener, sound) for sound in sounds] for listener in listeners]
        silences = [[ms for each in row for ms in each.silences] for row in found]
        what = f"listening sounds, {said} ({len(sounds)})"
        yield [what, "replies cut or turns", *(sum(each.cut + each.turns for each in row) for row in found)]
        yield [what, "fell silent, times", *map(len, silences)]
        yield [what, "mean silence of a sound, ms", *(round(sum(row) / len(sounds)) for row in silences)]
        yield [what, "longest silence, ms", *(max(row, default=0) for row in silences)]
        yield [what, "ducked, times", *(sum(each.ducked for each in row) for row in found)]
        yield ["resume", f"lost, ms ({said})", *(sum(each.lost for each in row) for row in found)]
        yield [
            "resume",
            f"repeated at most, ms ({said})",
            *(max(each.repeated for each in row) for row in found),
        ]


def run(*, minutes: int = MINUTES, few: int | None = None) -> Result:
    """Measure; ``minutes`` of each noise, a ``few`` people of each kind (None: all)."""
    listeners = settings()
    notes = [
        "Virtual time; the transcriber's interim words come every 200 ms, its final 100 ms after the flush."
    ]
    if not any(listener.votes for listener in listeners):
        notes.append("silero is not installed: its columns are left out.")
    return {
        "title": "Barge-in: onset to silence, and what should not silence the agent",
        "columns": ["what", "measure", *(listener.name for listener in listeners)],
        "rows": [
            *people_rows(listeners, few),
            *listening_rows(listeners),
            *noise_rows(listeners, minutes),
        ],
        "notes": notes,
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=int, default=MINUTES, help="of each noise")
    parser.add_argument("--few", type=int, help="people of each kind")
    chosen = parser.parse_args(argv)
    show(run(minutes=chosen.minutes, few=chosen.few))


if __name__ == "__main__":
    main(sys.argv[1:])
