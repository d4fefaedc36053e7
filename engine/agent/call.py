"""How a call opens, what a silent line does, what a call may take, how it ends."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, Strict, field_validator

from engine.agent.fields import Group, SecondsOrNever, Texts, dial, option, seconds, text
from engine.agent.problems import SHORTEST
from engine.core.policy import LadderStep, Speaker, StepEnding

_E164 = re.compile(r"\+[1-9]\d{1,14}")
_SIP = re.compile(r"sips?:[^\s@:]+(@[^\s@]+)?")
_KEYS = "0123456789*#ABCD"


class Opening(Group):
    """The first words of the call. Neither message nor prompt: the agent waits for the caller."""

    first: Annotated[Speaker, Strict(False)] = dial(
        "opening.first", "Who opens the call: 'agent' or 'caller'."
    )
    message: str = text("opening.message", "The agent's first words, spoken as they stand, without a model.")
    prompt: str = text(
        "opening.prompt", "Instead of a message: how the model is to open.", template="written"
    )
    delay: float = seconds("opening.delay", "From the caller's joining to the first word.")
    uninterruptible: bool = dial("opening.uninterruptible", "Speech over the opening does not stop it.")
    fallback_after: SecondsOrNever = seconds(
        "opening.fallback_after",
        "Where the caller should open but stays silent: the agent opens after this; 'never' is the default.",
    )
    fallback_message: str = text("opening.fallback_message", "What the agent then says.")
    fallback_prompt: str = text(
        "opening.fallback_prompt", "Instead of a message: how the model then opens.", template="written"
    )


class AwaitingResponse(Group):
    """Short reminders when the agent has finished speaking and the caller does not answer."""

    messages: Texts = text("idle.awaiting_messages", "The reminders; one of them each time. None: no clock.")
    timeout: float = seconds(
        "idle.awaiting_after",
        "Silence from the last word heard of the agent, until the caller speaks. Where dead_air is shorter,"
        " no reminder is ever heard.",
        ge=SHORTEST,
    )
    max_per_call: int = dial(
        "idle.awaiting_most",
        "Most reminders in the whole call, also after the caller has spoken; 0 is never.",
        ge=0,
    )


class Inactivity(Group):
    """One step of the inactivity ladder."""

    after: float = Field(
        ge=SHORTEST,
        description="Silence since the step before, or since the last word for the first step. Seconds.",
        json_schema_extra={"unit": "s"},
    )
    message: str = option(LadderStep(0).message, "What is said at this step.", template="spoken")
    ending: Annotated[StepEnding, Strict(False)] = option(
        LadderStep(0).ending,
        "'none' goes on to the next step; 'soft' ends the call unless the caller speaks during the message;"
        " 'strict' ends it after the message, whatever the caller does.",
    )


class Idle(Group):
    """The clocks of a silent line: reminders and ladder may be used side by side, dead air ends the call."""

    awaiting_response: AwaitingResponse = option(
        AwaitingResponse(), "Short reminders after the agent's own words."
    )
    inactivity: Annotated[tuple[Inactivity, ...], Strict(False)] = option(
        (), "A ladder of messages, each after its own silence. Any word of the caller goes back to its start."
    )
    dead_air: SecondsOrNever = seconds(
        "idle.dead_air",
        "Neither side has spoken for this long: the call ends, after the end message; 'never' for no limit.",
        ge=SHORTEST,
    )
    noise_cap: float = seconds(
        "idle.noise_cap", "Sound without words stops these clocks for at most this long in one silence."
    )


class Limits(Group):
    """What a call may take at most."""

    join: float = seconds("limits.join", "From the call's creation until somebody joins.", ge=SHORTEST)
    longest: SecondsOrNever = seconds(
        "limits.longest", "The longest call, from joining; 'never' for no limit.", ge=SHORTEST
    )
    longest_message: str = text(
        "limits.longest_message", "Said in full right before the line drops at the longest call."
    )
    overrun: float = seconds("limits.overrun", "How far last words may carry the call beyond a limit.")
    no_frames: float = seconds(
        "limits.no_frames", "No sound data at all from the carrier for this long: the line is dead.", ge=1.0
    )
    seam: float = seconds(
        "limits.seam", "How long the call waits for its next media stream after one went away."
    )


class Ending(Group):
    """How the call is left."""

    message: str = text(
        "ending.message", "Heard in full whenever the agent ends the call. Empty: it hangs up without a word."
    )
    phrases: Texts = text("ending.phrases", "The line drops when the agent has said one of these.")
    strict: bool = dial(
        "ending.strict",
        "A strict farewell ends the call whatever the caller does; else a caller who speaks keeps the call.",
    )
    failure_message: str = text(
        "ending.failure_message", "Said when the model fails for good, before the line drops."
    )


class Handoff(Group):
    """Whom the agent may transfer the caller to."""

    target: str = dial(
        "transfer_target",
        "A number in E.164 form (+14155550123) or a SIP address (sip:desk@example.com). Empty: the agent"
        " cannot transfer, and says so.",
    )
    timeout: float = seconds("limits.transfer", "How long a transfer may ring before it has failed.", ge=1.0)
    failover: str = dial(
        "ending.failure_target",
        "Whom the caller is put through to when the agent has failed for good, like the target. Empty:"
        " the call ends.",
    )

    @field_validator("target", "failover")
    @classmethod
    def _reachable(cls, target: str) -> str:
        if target and not (_E164.fullmatch(target) or _SIP.fullmatch(target)):
            raise ValueError(
                "must be a number in E.164 form such as +14155550123, or a SIP address such as"
                f" sip:desk@example.com, not {target!r}"
            )
        return target


class Keypad(Group):
    """How keypad digits of the caller are collected into one entry."""

    gap: float = seconds("keypad.gap", "Silence after a digit that completes the entry.", ge=SHORTEST)
    terminator: str = dial("keypad.terminator", "The key that completes the entry at once. Empty: none.")
    most: int = dial("keypad.most", "Most digits of one entry.", ge=1)
    interrupts: bool = dial("keypad.interrupts", "A pressed key silences the agent.")

    @field_validator("terminator")
    @classmethod
    def _one_key(cls, key: str) -> str:
        if len(key) > 1 or key not in _KEYS:
            raise ValueError(f"must be one key of {_KEYS}, or empty for none, not {key!r}")
        return key


class Record(Group):
    """What is kept of the call beside its transcript."""

    audio: bool = option(False, "Record both sides, the caller on the left and the agent on the right.")
