"""When the caller has started, is pausing, has finished; and what interrupts the agent."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Strict

from engine.agent.fields import Group, TextsOrNone, dial, option, seconds
from engine.core.policy import OnSound


class Turns(Group):
    """The dials of listening. The defaults suit a telephone line; most agents set none of them."""

    voice_activity: Literal["level", "webrtc", "silero"] = option(
        "webrtc",
        "What tells a voice from other sound: 'level' needs no library, 'webrtc' and 'silero' one each (the"
        " extras of these names are 'local' and 'silero'). Silero is slower and better in noise: it confirms"
        " what webrtc has noticed.",
    )
    threshold: float = dial(
        "turns.threshold", "Probability from which a frame of sound counts as voice.", ge=0.0, le=1.0
    )
    confirmed_from: float = dial(
        "turns.confirmed_from",
        "Probability from which silero's word begins speech, where it confirms; 'threshold' keeps it going.",
        ge=0.0,
        le=1.0,
    )
    onset: float = seconds("turns.onset", "Voice needed before a sound is speech: a click starts nothing.")
    hangover: float = seconds(
        "turns.hangover", "Silence that still belongs to one stretch of speech, as inside 'stop it'."
    )
    background_margin: float = dial(
        "turns.background_margin",
        "Sound this far below the caller's recent loudest is somebody else in the room.",
        "dB",
        ge=0.0,
    )
    tail: float = seconds(
        "turns.tail",
        "Most of faint voice at the end of speech that counts by the words: behind a finished sentence it is"
        " silence already, elsewhere it is speech still.",
    )
    echo_return: float = dial(
        "turns.echo_return",
        "How loud the agent's own voice comes back on the line, relative to what is playing.",
        "dB",
        le=0.0,
    )

    endpoint_delay: float = seconds(
        "turns.endpoint_delay",
        "Silence after which a caller who pauses is answered, when nothing else is known. Shorter cuts off"
        " callers who hesitate; the words move it within floor and ceiling.",
    )
    endpoint_floor: float = seconds("turns.endpoint_floor", "No evidence shortens the wait below this.")
    endpoint_ceiling: float = seconds("turns.endpoint_ceiling", "No evidence stretches the wait beyond this.")
    finished: float = seconds(
        "turns.finished", "Added to the wait when the words can be a finished sentence.", ge=-10.0, le=10.0
    )
    finished_trusted: float = seconds(
        "turns.finished_trusted",
        "Added as well for a caller whose finished sentences have been whole turns so far.",
        ge=-10.0,
        le=10.0,
    )
    unfinished: float = seconds(
        "turns.unfinished",
        "Added when they cannot ('and', 'the', 'um') or ask for time ('just a second').",
        ge=-10.0,
        le=10.0,
    )
    dictation: float = seconds(
        "turns.dictation",
        "Added while a number, a spelling, an address or a name is incomplete.",
        ge=-10.0,
        le=10.0,
    )
    dictation_complete: float = seconds(
        "turns.dictation_complete", "Added when what was asked for is complete.", ge=-10.0, le=10.0
    )
    voted_over: float = seconds(
        "turns.voted_over", "Added when the transcriber itself says that the turn is over.", ge=-10.0, le=10.0
    )
    adapt_step: float = seconds(
        "turns.adapt_step",
        "Added to this caller's wait after each answer that came too early; a tenth is taken back by each"
        " good one. 0 turns the adaptation off.",
    )
    adapt_most: float = seconds("turns.adapt_most", "Most that the adaptation may add.")
    cutoff_window: float = seconds(
        "turns.cutoff_window",
        "A caller who goes on within this time of the end of a turn had not finished.",
    )
    take_back: float = seconds(
        "turns.take_back",
        "An answer of which no more than this was heard when the caller went on is forgotten, and what the"
        " caller said before and after it is one turn.",
    )
    flush_after: float | None = option(
        None,
        "Silence after which the transcriber is asked to finish, while the wait goes on. Not set: 0.16"
        " seconds, or 0.3 for one with a grammar, which understands whole sentences only.",
        unit="s",
        ge=0.0,
    )
    transcript_wait: float = seconds(
        "turns.transcript_wait", "How long a turn that is over waits for words that are still on their way."
    )
    shortest_turn: float = seconds(
        "turns.shortest_turn", "Voice needed in all for a turn; less is remembered and not answered."
    )
    longest_turn: float = seconds(
        "turns.longest_turn", "A caller who talks longer than this is answered.", ge=1.0
    )
    drafts: bool = dial("turns.drafts", "Think in the caller's pause, before the turn is certain to be over.")
    drafts_per_turn: int = dial(
        "turns.drafts_per_turn",
        "Most drafts for one turn: bounds the cost of a caller who pauses often.",
        ge=0,
    )
    drafts_per_minute: int = dial(
        "turns.drafts_per_minute", "Most drafts in a minute: bounds the model's requests and tokens.", ge=0
    )

    interruptible: bool = dial(
        "turns.interruptible", "Whether the caller can interrupt at all. Words said meanwhile are never lost."
    )
    on_sound: Annotated[OnSound, Strict(False)] = dial(
        "turns.on_sound",
        "What the agent does at a sound, before it is known to be speech: 'hold' falls silent and resumes"
        " exactly where it was, 'duck' speaks on more quietly, 'ignore' speaks on.",
    )
    duck_db: float = dial("turns.duck_db", "How much quieter 'duck' is.", "dB", ge=0.0)
    shortest_interruption: float = seconds(
        "turns.shortest_interruption", "Voice that makes the agent fall silent."
    )
    brief_sound: float = seconds(
        "turns.brief_sound",
        "A sound shorter than this, without words so far, lets the agent go on as soon as it is over.",
    )
    words_to_interrupt: int = dial(
        "turns.words_to_interrupt",
        "Words that end what the agent is saying, not counting those that never interrupt.",
        ge=1,
    )
    hold_limit: float = seconds(
        "turns.hold_limit", "Sound without words keeps the agent silent no longer than this."
    )
    resume_after: float = seconds(
        "turns.resume_after", "Quiet after a cough or a mere 'mm-hm' before the agent goes on."
    )
    never_interrupt: TextsOrNone = option(
        None,
        "Words and phrases that only say 'I am listening'. Not set: those of the agent's language; an empty"
        " list: none.",
    )
    always_interrupt: TextsOrNone = option(
        None,
        "Words and phrases that stop the agent whatever else is said. Not set: those of the agent's language;"
        " an empty list: none.",
    )
