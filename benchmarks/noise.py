"""What sounds under the agent's speech do to a call: ``python -m benchmarks.noise``

Two tables, in virtual time, the same at every run; the transcriber finds no words in noise.

1. The caller is in a noisy place and says nothing, for as long as the call lasts. There may be no turn and no
   answer, and the call must end by dead air: 30 s of quiet, and at most 10 s more for the noise.
2. The agent speaks for 20 s, and for ten of them there is noise: the reply must be heard to its end. A *dip*
   is the agent falling silent until it is clear that nobody spoke. Talkers are a meeting in the background of
   a caller who has spoken before, so and so many dB below the caller's level.

How soon people silence the agent, and ten minutes of each noise: `benchmarks.bargein`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.recordings import TURNS, clips, room, silero, spoken
from benchmarks.report import Cell, Result, show
from engine.audio.silero import SileroModel
from engine.core.notes import Cut, EndReason, Interrupted, ReplyEnded, TurnEnded
from engine.core.policy import Idle, Opening, Policy, Turns
from engine.testing import ScriptedModel, World
from engine.testing.recorded import RecordedCaller, Recording, loud_level
from engine.testing.script import agent_silent, agent_speaking

TEN_SECONDS = 10_000
GREETING = "Hello, you have reached the front desk."
LONG_REPLY = "I can tell you all about our opening hours and our prices on every day of the week. " * 4
"""About 20 s of the scripted voice."""
DEAD_AIR = 30_000
NOISE_CAP = 10_000
NOT_SILENCED = 2_000
BELOW_CALLER = (-15, -20, -25)


@dataclass(frozen=True, slots=True)
class Detector:
    """What listens to the caller."""

    name: str
    vad: str
    turns: Turns = TURNS
    votes: SileroModel | None = None

    def caller(self, background: Recording | None = None) -> RecordedCaller:
        """A caller who is listened to in this way."""
        return RecordedCaller(vad=self.vad, votes=self.votes, background=background)


@dataclass(frozen=True, slots=True)
class Dips:
    """What a reply went through: times it fell silent, for how long (ms), and whether it was heard whole."""

    times: int
    ms: int
    whole: bool

    def __str__(self) -> str:
        return f"{self.times}x {self.ms} ms" + ("" if self.whole else ", CUT")


def detectors() -> list[Detector]:
    """All that are installed."""
    model = silero()
    confirmed = replace(TURNS, confirmed=True)
    found = [Detector("level", "level"), Detector("webrtc", "webrtc")]
    return found + ([Detector("webrtc, silero confirms", "webrtc", confirmed, model)] if model else [])


def alone(detector: Detector, noise: Recording) -> World:
    """A caller in a noisy place who never says anything."""
    policy = Policy(
        opening=Opening(message=GREETING),
        turns=detector.turns,
        idle=Idle(dead_air=DEAD_AIR, noise_cap=NOISE_CAP),
    )
    return World(policy, caller=detector.caller(noise)).run()


def quiet_end(world: World) -> str:
    """How a silent caller's call ended: seconds from the greeting's end to dead air, or what was wrong."""
    greeting = world.notes(ReplyEnded)[0]
    if world.notes(TurnEnded):
        return f"{len(world.notes(TurnEnded))} turns"
    if len(world.notes(ReplyEnded)) != 1 or world.reason is not EndReason.SILENCE:
        return f"{world.reason}"
    assert world.ended_at is not None
    return f"{(world.ended_at - greeting.at) / 1000:.1f} s"


def under_a_reply(detector: Detector, noise: Recording, *, caller_first: Recording | None = None) -> World:
    """An agent that speaks for 20 s, as its greeting or in answer to a caller; the noise begins after 2 s."""
    greeting = GREETING if caller_first else LONG_REPLY
    caller = detector.caller(room(caller_first) if caller_first else None)
    if caller_first is not None:
        caller.plays(caller_first, when=agent_silent(300))
    caller.plays(noise, when=agent_speaking(2_000)).hangs_up(pause=25_000)
    policy = Policy(opening=Opening(message=greeting), turns=detector.turns)
    return World(policy, caller=caller, model=ScriptedModel([LONG_REPLY])).run()


def dips(world: World) -> Dips:
    """What the longest reply of a world went through."""
    long = max(world.notes(ReplyEnded), key=lambda note: note.heard_ms)
    since, ms, times = None, 0, 0
    for note in world.notes(Interrupted):
        if note.action in ("hold", "duck"):
            since, times = note.at, times + 1
        elif since is not None:
            ms, since = ms + note.at - since, None
    return Dips(times, ms, long.how is Cut.DONE)


def noises() -> dict[str, Recording]:
    """The noise files, ten seconds of each."""
    return {clip.path.stem: clip.recording("").sound(0, TEN_SECONDS) for clip in clips("noise")}


def talkers(caller: Recording) -> dict[str, Recording]:
    """Meetings in the background, ten seconds each, by how far below a caller's level they are."""
    found = {}
    for clip in clips("conversation"):
        meeting = clip.recording("")
        meeting = meeting.sound(meeting.length - TEN_SECONDS, meeting.length)
        for below in BELOW_CALLER:
            softer = meeting.louder(loud_level(caller.audio) + below - loud_level(meeting.audio))
            found[f"{clip.path.stem} at {below} dB"] = softer
    return found


def run() -> Result:
    """Measure both tables."""
    listeners = detectors()
    head = ["", *(listener.name for listener in listeners)]
    quiet: list[list[Cell]] = [
        [name, *(quiet_end(alone(each, noise)) for each in listeners)] for name, noise in noises().items()
    ]
    caller = spoken(clips("orders")[0])
    under: list[list[Cell]] = [
        [name, *(str(dips(under_a_reply(each, noise))) for each in listeners)]
        for name, noise in noises().items()
    ]
    under += [
        [name, *(str(dips(under_a_reply(each, noise, caller_first=caller))) for each in listeners)]
        for name, noise in talkers(caller).items()
    ]
    return {
        "title": "Noise, and a caller who says nothing: from the greeting to the end by dead air",
        "columns": head,
        "rows": quiet,
        "notes": ["Virtual time, the same at every run. There may be no turn and no answer."],
        "parts": [
            {
                "title": "Ten seconds of noise while the agent speaks for twenty: moments of silence",
                "columns": head,
                "rows": under,
                "notes": [],
            },
        ],
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    show(run())


if __name__ == "__main__":
    main()
