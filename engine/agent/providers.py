"""Who listens, thinks and speaks for the agent: the vendors that are built in, and their options.

An option that the chosen vendor does not have is refused, never ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from engine.agent.fields import Group, SecondsOrNever, Texts, dial, option, seconds, text
from engine.agent.problems import SHORTEST

AUTOMATIC = "auto"
"""The grammar that the agent's playbook makes of itself."""


class Transcriber(Group):
    """Who turns the caller's speech into words."""

    vendor: Literal["pocketsphinx", "none"] = option(
        "pocketsphinx",
        "'pocketsphinx' understands English on this machine, as far as a grammar describes what callers say;"
        " 'none' hears keys and typed text only.",
    )
    grammar: str = option(
        AUTOMATIC,
        "What callers may say: 'auto' takes it from the playbook; else the path of a JSGF file.",
    )
    reject_below: float | None = option(
        None,
        "Mean log score per frame, in thousandths, under which words are taken for noise; nearer to 0 is"
        " stricter. Not set: the vendor's own.",
        le=0.0,
    )
    pronunciations: dict[str, str] = option(
        {}, "Words that its dictionary lacks, in ARPAbet: voyager = 'V OY AH JH ER'."
    )


class Model(Group):
    """Who decides what the agent says."""

    vendor: Literal["playbook"] = option(
        "playbook", "'playbook' follows a written file: rules, slots and lines. It needs no network."
    )
    playbook: str = option(
        "", "Name of a playbook that comes with the engine, or the path of your own. Vendor 'playbook'."
    )
    temperature: float | None = option(
        None, "How freely the model varies, for a vendor that samples its words.", ge=0.0, le=2.0
    )
    max_tokens: int | None = option(None, "Most tokens of one reply, for a vendor that counts them.", ge=1)
    first_text_timeout: float = seconds(
        "replies.first_text",
        "From asking the model to its first speakable text; then the next attempt starts.",
        ge=SHORTEST,
    )
    gap_timeout: float = seconds("replies.text_gap", "Longest gap inside the model's text.", ge=SHORTEST)
    attempts: int = dial("replies.attempts", "Times a reply is tried, model and voice together.", ge=1)
    failures: int = dial(
        "replies.failures", "Replies in a row that failed for good before the call is given up.", ge=1
    )
    filler_after: SecondsOrNever = seconds(
        "replies.filler_after",
        "Say a filler when model or tool has kept the caller waiting this long; or 'never'.",
        ge=SHORTEST,
    )
    hedge_after: SecondsOrNever = seconds(
        "replies.hedge_after",
        "Ask the next model, too, when the first has been silent this long; or 'never'.",
        ge=SHORTEST,
    )
    fillers: Texts = text("replies.fillers", "The fillers, such as 'One moment.'; one of them each time.")


class Voice(Group):
    """Who speaks the agent's words."""

    vendor: Literal["espeak", "flite"] = option(
        "espeak",
        "'espeak' speaks every language of the agent at once and sounds like a machine; 'flite' is English"
        " only, easier on the ear, and a program that has to be installed.",
    )
    voice: str = option(
        "",
        "A voice of the vendor: an espeak variant such as 'f3', a flite voice such as 'slt'. Empty: its own.",
    )
    speed: float = option(1.0, "Factor on the vendor's normal speed: 2 is twice as fast.", ge=0.5, le=5.0)
    pitch: int | None = option(
        None, "Espeak's pitch, 0 to 99; higher is higher. Not set: the vendor's own.", ge=0, le=99
    )
    first_audio_timeout: float = seconds(
        "replies.first_audio",
        "From asking the voice to its first sound; then the next attempt starts.",
        ge=SHORTEST,
    )
    gap_timeout: float = seconds(
        "replies.audio_gap", "Longest gap in the voice's sound while more is due.", ge=SHORTEST
    )


_ONLY: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "transcriber": dict.fromkeys(("grammar", "reject_below", "pronunciations"), ("pocketsphinx",)),
    "model": {"playbook": ("playbook",), "temperature": (), "max_tokens": ()},
    "voice": {"pitch": ("espeak",)},
}
"""Options that not every vendor of the role has, and the vendors that have them."""


def unused_options(role: str, group: Transcriber | Model | Voice) -> list[str]:
    """A sentence for each option that was set and that the group's vendor does not have."""
    return [
        f"{role}.{name} is not an option of '{group.vendor}': leave it out"
        for name, vendors in _ONLY[role].items()
        if group.vendor not in vendors and getattr(group, name) != type(group).model_fields[name].default
    ]
