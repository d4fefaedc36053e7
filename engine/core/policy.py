"""Every number and choice of a call, with its unit, its default and the reason for the default.

All durations are whole milliseconds; ``None`` means that the clock or limit does not exist. A policy is
frozen: a running call keeps the one it was made with.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from engine.core.conversation import Message


class Speaker(StrEnum):
    """Who opens the call."""

    AGENT = "agent"
    CALLER = "caller"


class OnSound(StrEnum):
    """What a caller's sound does to a speaking agent before anyone knows whether it is speech."""

    IGNORE = "ignore"
    DUCK = "duck"
    HOLD = "hold"


class StepEnding(StrEnum):
    """What follows an inactivity message."""

    NONE = "none"
    SOFT = "soft"
    """The call ends unless the caller speaks while the message is being said."""
    STRICT = "strict"
    """The call ends after the message, whatever the caller does."""


class ToolKind(StrEnum):
    """What a tool may do to the world."""

    READ = "read"
    """Looks something up: may run for a draft, is never cancelled by an interruption."""
    ACT = "act"
    """Changes something: only for a reply that was chosen."""
    END = "end"
    """Ends the agent's part in the call: only through the line."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The first words of the call."""

    first: Speaker = Speaker.AGENT
    message: str = ""
    """Spoken verbatim, without a model. Empty with `prompt` empty: nobody opens, the caller speaks first."""
    prompt: str = ""
    """Where there is no message: an instruction with which the model makes one."""
    delay: int = 0
    """From joining to the greeting. Some carriers cut the first half second; 0 because Twilio does not."""
    uninterruptible: bool = False
    fallback_after: int | None = None
    """When the caller should open but stays silent: after this the agent opens."""
    fallback_message: str = ""
    fallback_prompt: str = ""


@dataclass(frozen=True, slots=True)
class Turns:
    """When the caller has started, is pausing, has finished; and what interrupts the agent."""

    threshold: float = 0.5
    """Speech probability from which a frame is voice. 0.5 is the usual point of silero and webrtcvad. At 0.45
    and below, what webrtc takes for no voice counts as well if it is 10 dB louder than the line."""
    confirmed: bool = False
    """A slower, better detector votes (`VoiceVote`), and without its yes a sound is not speech."""
    confirmed_from: float = 0.7
    """Probability from which its vote begins speech; `threshold` is enough to keep it going. At 0.5 silero
    takes a clatter in a kitchen for a word now and then, at 0.85 soft words are noticed 100 ms later."""
    onset: int = 60
    """Voice needed before a sound is speech: three frames, so a click of 40 ms starts nothing."""
    hangover: int = 160
    """Silence inside one stretch of speech: stop consonants last up to 150 ms."""
    background_margin: float = 15.0
    """Sound this many dB below the caller's recent peak is somebody else in the room."""
    tail: int = 200
    """Most of faint voice at the end of speech that may be no more than its last sounds: behind a finished
    sentence it is silence, elsewhere it is speech. 0: the silence begins where the detector hears it."""
    echo_return: float = -24.0
    """Level of the agent's own voice coming back, dB relative to what is playing: lines lose 20 to 40 dB.
    Higher is deafer to soft callers while the agent speaks."""

    endpoint_delay: int = 600
    """Silence that ends a turn when nothing else is known: 500 ms cuts off 47 % of hesitant callers, 700 ms
    27 %, and fluent ones answer to either; text evidence moves it from here."""
    endpoint_floor: int = 200
    """No evidence shortens the wait below this: ordinary gaps between words reach 200 ms."""
    endpoint_ceiling: int = 2_500
    """No evidence stretches the wait beyond this: longer feels like a dead line."""
    finished: int = -120
    """Moves the wait when the words can be a finished sentence. What is left is longer than the pauses of 300
    to 460 ms that people make inside and between sentences; transcribers put full stops there, too."""
    finished_trusted: int = -60
    """Moves it further for a caller whose finished sentences are whole turns: the last one was, or, where the
    caller once went on after one, the last three."""
    unfinished: int = 900
    """Moves it when they cannot ("and", "the", "um"), or ask for time ("just a second"): people search for a
    word for a second and more."""
    dictation: int = 900
    """Moves it while a number, a spelling, an address or a name is incomplete: digit groups are spoken with
    pauses of 0.5 to 1.2 s."""
    dictation_complete: int = -100
    """Moves it when what was asked for is complete."""
    voted_over: int = -250
    """Moves it when the transcriber's own end-of-turn model says over."""
    adapt_step: int = 150
    """Added to the wait after each answer that came too early; each good one takes a tenth of it back."""
    adapt_most: int = 600
    cutoff_window: int = 1_000
    """Speech that goes on within this time of the end of a turn says that the end came too early."""
    take_back: int = 500
    """An answer of which the caller had heard no more than this before going on was none: it is forgotten,
    and both halves are one turn. To hear a word or two and to object to it takes longer."""
    flush_after: int = 160
    """Silence after which the transcriber is asked to finish: its work overlaps the wait. A recogniser that
    understands whole sentences only, such as one with a grammar, is better asked after 300."""
    interims: bool = True
    """The transcriber says words as they are spoken; one that waits until it is asked to finish, as those of
    speech-to-speech models do, is asked now and then while the caller speaks."""
    transcript_wait: int = 1_000
    """How long a turn that is over by silence waits for words that are still on their way."""
    shortest_turn: int = 0
    """Voice needed in all for a turn; less is kept as a remark and not answered."""
    longest_turn: int = 90_000
    """A caller who talks longer is answered: a stuck detector must not hold the call."""
    drafts: bool = True
    """Think in the pause, before the turn is certain."""
    drafts_per_turn: int = 3
    """Bounds the waste: a caller with many pauses costs at most this many unheard generations."""
    drafts_per_minute: int = 20
    """Bounds the model's requests and tokens: twice as many as a quick talk has turns."""

    interruptible: bool = True
    on_sound: OnSound = OnSound.HOLD
    """Falling silent at once is cheap because resuming is exact."""
    duck_db: float = 12.0
    shortest_interruption: int = 60
    """Voice that makes the agent fall silent. Coughs are 200 ms and are taken back; speech must not wait.
    Up to 40 ms of the soft start of a word count."""
    brief_sound: int = 220
    """A sound shorter than this, without words so far, is taken back 200 ms after it: people who interrupt
    say more, and if there were words after all they stop the agent when they come."""
    words_to_interrupt: int = 1
    """Words, not counting those that never interrupt, that turn a hold into a stop."""
    hold_limit: int = 1_200
    """Sound without words holds the agent no longer than this; then it is noise, and the agent goes on.
    Three times as long where a second detector calls the sound speech (`confirmed`)."""
    resume_after: int = 400
    """Quiet after a sound without words (or a mere "mm-hm") before the agent goes on."""
    never_interrupt: tuple[str, ...] = ()
    """Words and phrases that only say "I am listening"; an agent's default is its language's list."""
    always_interrupt: tuple[str, ...] = ()
    """Words and phrases that stop the agent whatever else is said."""


@dataclass(frozen=True, slots=True)
class LadderStep:
    """One step of the inactivity ladder: ``after`` ms of silence since the step before."""

    after: int
    message: str = ""
    ending: StepEnding = StepEnding.NONE


@dataclass(frozen=True, slots=True)
class Idle:
    """The clocks of a silent line. Two designs of the field stand side by side and are not merged."""

    awaiting_messages: tuple[str, ...] = ()
    awaiting_after: int = 7_500
    awaiting_most: int = 3
    """Most awaiting-response messages in the whole call; 0 is never."""
    ladder: tuple[LadderStep, ...] = ()
    dead_air: int | None = 30_000
    """Neither side has spoken for this long: the call ends."""
    noise_cap: int = 10_000
    """Sound without words suspends the idle clocks for at most this long in one silence."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a call may take at most."""

    join: int = 30_000
    longest: int | None = 1_800_000
    """From joining. 30 minutes: the usual default of the field, between 10 minutes and an hour."""
    longest_message: str = ""
    overrun: int = 15_000
    """How far the last words may carry the call beyond a limit."""
    seam: int = 10_000
    """How long a call waits for its next stream after one went away."""
    no_frames: int = 60_000
    """No caller audio at all for this long: the line is dead, whatever the socket says."""
    write_stall: int = 5_000
    """The peer takes none of our bytes for this long: the line is dead."""
    carrier: int = 5_000
    """How long the carrier may take to confirm a hang-up or a transfer."""
    transfer: int = 45_000
    """How long a transfer may ring before it has failed."""
    wire_faults: int = 100
    """Malformed messages that a stream survives."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How the call is left."""

    message: str = ""
    """Heard in full whenever the agent ends the call; empty: it hangs up without a word."""
    phrases: tuple[str, ...] = ()
    """The line drops when the agent has said one of these."""
    strict: bool = False
    """A strict farewell cannot be interrupted; a soft one is taken back when the caller speaks."""
    failure_message: str = ""
    """Said when the model fails for good."""
    failure_target: str = field(default="", repr=False)
    """Whom the caller is transferred to when the agent has failed for good, instead of being hung up on."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """How long the transcriber may take, and how often it is opened again when it breaks."""

    open_within: int = 5_000
    """For a stream to take audio. For as long a turn waits for words that a lost stream took with it: half
    of what was said is worse answered than late."""
    open_within_beside: int = 1_500
    """The same where there is another vendor to ask."""
    attempts: int = 6
    """Streams in a row that failed, before the call is given up."""
    backoff: int = 250
    """Until the first new try; each further one waits twice as long."""
    lasting: int = 10_000
    """After so long a life a stream's failure is no continuation of the ones before."""
    mute_most: int = 15_000
    """A model that speaks itself is mute as long as its line is lost. After so long there is no further try:
    whoever hears nothing at all would hang up, or could long be talking to somebody else."""
    deaf_turns: int = 2
    """Stretches of speech in a row without a word or an answer to the flush: the stream is deaf."""
    optional: bool = False
    """A call without a transcriber goes on, with keys and typed text; else it is given up."""
    try_again: int = 30_000
    """Then a stream is tried once more after each such time."""


@dataclass(frozen=True, slots=True)
class Replies:
    """Deadlines of a reply on its way to the ear."""

    first_text: int = 6_000
    """From asking the model to its first *speakable* text: a stream that is open and silent is a failure."""
    text_gap: int = 6_000
    first_audio: int = 4_000
    audio_gap: int = 4_000
    attempts: int = 2
    """Requests to a role before a reply has failed; every alternative is asked at least once."""
    hedge_after: int | None = None
    """Ask the next model, too, when the first has been silent this long; whoever speaks first is heard."""
    failures: int = 2
    """Replies in a row that failed for good before the call is given up."""
    tool_rounds: int = 8
    """How often one reply may call tools and think again: a model in a loop keeps the caller waiting."""
    filler_after: int | None = None
    """Say a filler when the model or a tool has left the caller waiting this long."""
    fillers: tuple[str, ...] = ()
    speech_to_speech: bool = False
    """The model hears and speaks itself; the voice only says texts that are fixed."""
    first_piece: int = 24
    """Characters from which the first piece of a reply may be cut at a comma."""
    longest_piece: int = 220
    """Characters after which a piece is cut at a word: no voice likes more."""


@dataclass(frozen=True, slots=True)
class Alternatives:
    """How many vendors of each role there are, the one of choice included; they are asked in their order."""

    transcribers: int = 1
    models: int = 1
    voices: int = 1


@dataclass(frozen=True, slots=True)
class Playout:
    """How agent audio is handed to the carrier."""

    lead: int = 1_000
    """Audio kept at the carrier: a stall of the event loop up to this less a message is inaudible."""
    first_chunk: int = 40
    chunk: int = 200
    """Message size after the first: a tenth of the messages of 20 ms framing."""
    mark_every: int = 200
    voice_ahead: int = 12_000
    """Unheard audio held in memory before the voice is asked for more: 96 kB."""
    piece_ahead: int = 1_500
    """Audio in hand, and expected of the piece that comes, below which the next piece is asked for already.

    More than a voice takes to begin; what is asked for so early is paid for even if the caller interrupts."""
    heard_grace: int = 2_000
    """How long after its estimated end the carrier's last acknowledgement may come."""
    word_tolerance: int = 40
    """A word counts as heard when less than this of it is missing."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as the call needs to know it."""

    name: str
    kind: ToolKind = ToolKind.READ
    timeout: int = 2_500


@dataclass(frozen=True, slots=True)
class Keypad:
    """How keypad digits are collected."""

    gap: int = 1_500
    """Silence after a digit that completes the entry."""
    terminator: str = "#"
    most: int = 32
    interrupts: bool = True
    """A pressed key silences the agent, as on every phone menu."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """What the carrier can do; decided by the shell, not by the agent."""

    hangs_up: bool = True
    """There is a request that completes the caller's leg; else closing the stream does."""
    transfers: bool = False
    digits_in_band: bool = True
    """Tones are played into the stream; else the carrier presses the keys and the stream has a seam."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All knobs of one call."""

    prompt: str = ""
    initial_messages: tuple[Message, ...] = ()
    language: str = "en"
    medium: str = "voice"
    opening: Opening = Opening()
    turns: Turns = Turns()
    idle: Idle = Idle()
    limits: Limits = Limits()
    ending: Ending = Ending()
    hearing: Hearing = Hearing()
    replies: Replies = Replies()
    alternatives: Alternatives = Alternatives()
    playout: Playout = Playout()
    keypad: Keypad = Keypad()
    carrier: Carrier = Carrier()
    tools: tuple[Tool, ...] = ()
    transfer_target: str = field(default="", repr=False)
    """Whom the agent may transfer to; empty: it cannot, and says so."""


def speech_to_speech(policy: Policy) -> Policy:
    """The policy of a call whose model hears and speaks itself."""
    return replace(
        policy,
        replies=replace(policy.replies, speech_to_speech=True),
        turns=replace(policy.turns, interims=False),
    )
