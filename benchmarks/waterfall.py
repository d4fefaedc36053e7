"""One turn of a live benchmark, put together from what the phone heard and what the engine told of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.scene import Heard
from benchmarks.vendors import Profile, serial_of
from engine.agent import Agent, to_policy
from engine.core.endpointing import Evidence, judge
from engine.core.policy import Turns
from engine.runtime.carrier import StreamOnlyLeg

_REPLY_STAGES = {
    "model_asked": "model asked",
    "first_text": "first text",
    "voice_asked": "voice asked",
    "first_audio": "first audio",
    "first_sent": "sent",
}
STAGES = ("words final", "turn decided", *_REPLY_STAGES.values(), "at the ear")
"""The moments of an answer, in about their order."""

Note = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """A caller's turn. All times are ms after the last voiced frame was sent."""

    number: int
    """Among the turns of its call."""
    line: str
    early: bool
    """The agent was heard before the caller had finished."""
    answer: float | None
    """The agent's first sample at the ear; None: there was none."""
    engine: float | None = None
    """What the engine added; None where it is not known what the vendors were set to take."""
    stages: Mapping[str, float] = field(default_factory=dict)


def read_turns(heard: Heard, profile: Profile | None, agent: Mapping[str, Any]) -> list[Turn]:
    """The turns of a run; ``agent`` are the settings of the agent that answered."""
    turns = to_policy(Agent.model_validate(agent), StreamOnlyLeg.traits).turns
    return list(_turns(heard, profile, turns))


def _turns(heard: Heard, profile: Profile | None, policy: Turns) -> Iterable[Turn]:
    ids = {n["carrier_call_id"]: n["call"] for n in heard.notes if n["note"] == "Joined"}
    for call in heard.calls:
        notes = [note for note in heard.notes if note["call"] == ids.get(call.get("call"))]
        for number, turn in enumerate(call.get("turns", ())):
            inside = [note for note in notes if turn["start"] <= note["t"] < turn["next"]]
            yield _turn(number, turn, inside, profile, policy)


def _turn(
    number: int, turn: Mapping[str, Any], notes: Sequence[Note], profile: Profile | None, policy: Turns
) -> Turn:
    """One turn, by what was told between its begin and the next one's."""
    end, answer = turn["end"], turn["answer_ms"]
    reply = next(
        (n["reply"] for n in notes if n["note"] == "ReplyStage" and n["stage"] == "first_sent"), None
    )
    stages = {
        _REPLY_STAGES[note["stage"]]: (note["t"] - end) * 1000
        for note in notes
        if note["note"] == "ReplyStage" and note["reply"] == reply and note["stage"] in _REPLY_STAGES
    }
    ended = [note for note in notes if note["note"] == "TurnEnded"]
    finals = [note for note in notes if note["note"] == "WordsRecognised" and note["final"]]
    if ended:
        stages["turn decided"] = (ended[-1]["t"] - end) * 1000
    if finals:
        stages["words final"] = (finals[-1]["t"] - end) * 1000
    if answer is not None:
        stages["at the ear"] = answer
    text = " ".join(note["text"] for note in notes if note["note"] == "ReplyText" and note["reply"] == reply)
    serial = serial_of(text)
    engine = None
    if profile is not None and answer is not None and serial is not None and ended:
        engine = answer - max(profile.chain(serial), _demanded(ended[-1], policy))
    return Turn(number, turn["line"], turn["early"], answer, engine, stages)


def _demanded(ended: Note, policy: Turns) -> float:
    """The silence that the policy demands for these words, ms; less where the caller's habits allow it."""
    evidence = Evidence(ended["text"], voted_over="voted over" in ended["why"])
    return min(float(ended["waited"]), judge(evidence, policy).wait)
