"""Our names in plain words, for people who read a call: one owner for the report and the live view."""

from __future__ import annotations

STAGE_WORDS = {
    "turn end": ("end of turn", "from the caller’s last sound until the turn was taken as over"),
    "model": ("thinking", "from asking the model to its first words, with the tools that it ran before them"),
    "sentence": ("sentence", "from the first words to the first piece worth speaking"),
    "voice": ("voice", "from that piece (or the first words of a model that speaks itself) to its audio"),
    "hand-over": ("hand-over", "from the first audio (or the end of the turn) to the carrier"),
    "carrier": ("carrier", "from the carrier to the caller’s ear, as the carrier’s marks say"),
    "answer": ("answer", "from the caller’s last sound to the agent’s first: what the caller waits"),
    "interruption": ("interruption", "from the caller’s first sound over the agent to the agent’s silence"),
    "other": ("other", "what none of the stages accounts for"),
}
"""Each stage of `engine.observe.latency`: its name in a report, and what it measures."""

_TURN_REASONS = {
    "silence": "the usual wait",
    "finished": "the sentence was complete",
    "unfinished": "the sentence seemed to go on",
    "no words": "without words",
    "listening": "the caller only listened along",
    "longest turn": "the turn was as long as turns may be",
    "digits complete": "the number was complete",
    "digits incomplete": "more digits could follow",
    "spelling complete": "the spelling was complete",
    "spelling incomplete": "more letters could follow",
    "address complete": "the address was complete",
    "address incomplete": "more of the address could follow",
    "name complete": "the name was complete",
    "name incomplete": "more of the name could follow",
    "voted over": "the transcriber heard an end",
}

_NOT_BY_SOUND = {
    "key": "A key interrupted the agent",
    "say now": "A message from outside interrupted the agent",
    "text": "A text interrupted the agent",
}


def words(name: str) -> str:
    """A name of ours as words: ``caller_hung_up`` as "Caller hung up"."""
    return name.replace("_", " ").capitalize()


def turn_reason(why: str) -> str:
    """Why a turn was taken as over after just that much silence; what is unknown stays as it is."""
    return ", ".join(_TURN_REASONS.get(part, part) for part in why.split(", "))


def interruption(action: str, why: str) -> str:
    """What came of a sound (or a key, or a text) over the agent's speech, as a sentence."""
    if action == "stop":
        return _NOT_BY_SOUND.get(why, "Caller interrupted the agent")
    return {
        "resume": "Sound over the agent, which then went on",
        "hold": "Sound over the agent, which waits",
        "duck": "Sound over the agent, which speaks softly",
    }.get(action, f"Sound over the agent: {action}")
