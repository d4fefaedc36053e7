"""Random worlds: a random caller, network, vendors and faults around one call, with all laws and an ear.

Where `random_calls.fuzz` lets anything happen, here only such things happen as can: what the caller hears is
known, so that the laws about hearing are checked too.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from engine.core.call import Call
from engine.core.events import Drain, Event, HangUpNow, SayNow, TransferNow, Urgency, UserText
from engine.core.policy import Opening, Policy
from engine.testing.caller import Caller
from engine.testing.carrier import ScriptedCarrier, ScriptedTool
from engine.testing.faults import Fails, Fault, Refuses, Repeats, Silent, Stalls
from engine.testing.model import Reply, ScriptedModel, ToolUse
from engine.testing.phone import Phone
from engine.testing.random_policies import TOOLS, random_policy
from engine.testing.script import Cue, agent_silent, agent_speaking
from engine.testing.steps import CallLike
from engine.testing.transcriber import ScriptedTranscriber
from engine.testing.voice import ScriptedVoice
from engine.testing.world import World

_SAID = (
    "yes", "mm-hm", "wait stop", "I'd like a table for two", "my number is five five five two", "and um",
    "could you tell me when you are open on Sundays", "no thank you goodbye",
)  # fmt: skip
_REPLIES: tuple[Reply, ...] = (
    "Sure.", "", "For which day would that be? We have a table at seven and one at nine.",
    "Well, that is a long story: first one thing happened, then another, and in the end nobody knew why.",
    ("One moment, I look it up.", ToolUse("look", {"day": 1})), (ToolUse("book"),), ToolUse("nonsense"),
    ("Goodbye then.", ToolUse("hang_up")), ToolUse("transfer"), ToolUse("send_digits", {"digits": "12"}),
)  # fmt: skip


def random_world(seed: int, *, call: Callable[[Policy], CallLike] = Call) -> World:
    """A world that was drawn; most end within a minute or two of call time. Run it."""
    rng = random.Random(seed)
    policy = Policy(opening=Opening(message="Good evening, how can I help you?"), tools=TOOLS)
    if rng.random() < 0.5:
        policy = replace(random_policy(rng), medium="voice")
    voice = ScriptedVoice(
        first_audio_ms=rng.choice((0, 80, 900)), realtime_factor=rng.choice((0.8, 2, 5, 50)),
        chunk_ms=rng.choice((20, 100, 730)), word_times=rng.random() < 0.8,
        faults=_faults(rng), late=rng.random() < 0.2,
    )  # fmt: skip
    model = ScriptedModel(
        [*rng.choices(_REPLIES, k=6), "Anything else?"], first_token_ms=rng.choice((0, 150, 1_200)),
        faults=_faults(rng),
        tokens_per_second=rng.choice((10, 60, 1_000)), late=rng.random() < 0.2,
    )  # fmt: skip
    carrier = ScriptedCarrier(
        outcome=rng.choice(("ok", "ok", "failed", "")), transfer_outcome=rng.choice(("ok", "busy", "")),
    )  # fmt: skip
    tools = {
        tool.name: ScriptedTool(delay_ms=rng.choice((0, 300, 5_000)), faults=_faults(rng)) for tool in TOOLS
    }
    world = World(
        policy, caller=_caller(rng), phone=_phone(rng), transcriber=_transcriber(rng), model=model,
        voice=voice, tools=tools, carrier=carrier,
        loop_stalls=_intervals(rng, 300), max_ms=400_000,
        call=call,
    )  # fmt: skip
    if rng.random() < 0.3:
        world.at(rng.randrange(40_000), _from_outside(rng))
    return world


def _caller(rng: random.Random) -> Caller:
    caller = Caller(joins=rng.choice((0, 0, 0, 700)))
    for _ in range(rng.randrange(8)):
        silent, speaking = rng.choice((50, 300, 3_000)), rng.choice((0, 400, 1_500))
        cue: Cue = rng.choice((agent_silent(silent), agent_speaking(speaking)))
        drawn = rng.random()
        if drawn < 0.7:
            text = rng.choice(_SAID)
            caller.says(text, when=cue, pauses=[(rng.randrange(len(text) * 60), rng.choice((150, 400, 900)))])
        elif drawn < 0.85:
            caller.coughs(when=cue, lasts=rng.choice((60, 200, 3_000)))
        elif drawn < 0.95:
            caller.presses(rng.choice(("5", "12#")), pause=400)
        else:
            caller.drops(when=cue, back_after=rng.choice((0, 900, None)))
    if rng.random() < 0.3:
        caller.noise(rng.randrange(20_000), rng.choice((500, 5_000, 30_000)))
    return caller.hangs_up(pause=rng.choice((0, 4_000, 40_000)))


def _phone(rng: random.Random) -> Phone:
    return Phone(
        delay_ms=rng.choice((0, 0, 40, 150)), jitter=rng.choice(((), (0, 20, 5), (0, 0, 0, 120))),
        stalls=_intervals(rng, 700), losses=_intervals(rng, 200), echo_db=rng.choice((None, None, -30.0)),
    )  # fmt: skip


def _transcriber(rng: random.Random) -> ScriptedTranscriber:
    return ScriptedTranscriber(
        ready_ms=rng.choice((0, 200)),
        interim_every=rng.choice((None, 100, 400)),
        final_delay=rng.choice((0, 100, 1_500)), endpointing_ms=rng.choice((None, None, 300)),
        votes=rng.random() < 0.5,
        repeats=rng.random() < 0.1, after_close=rng.choice(("", "", "too late")),
        faults=rng.choice((None, None, None, [Fails(3_000)], [Refuses()], Stalls(5_000), Silent())),
    )  # fmt: skip


def _faults(rng: random.Random) -> list[Fault | None] | None:
    if rng.random() < 0.6:
        return None
    faults: list[Fault] = [
        Silent(),
        Refuses(),
        Stalls(4),
        Fails(5),
        Repeats(),
        Refuses(retryable=False),
        Refuses(retry_after=1_000),
        Fails(300),
    ]
    return [rng.choice(faults) if rng.random() < 0.4 else None for _ in range(8)]


def _intervals(rng: random.Random, lasts: int) -> list[tuple[int, int]]:
    return [(rng.randrange(30_000), lasts) for _ in range(rng.choice((0, 0, 0, 3)))]


def _from_outside(rng: random.Random) -> Event:
    return rng.choice((
        SayNow("The kitchen closes soon.", rng.choice(tuple(Urgency))), UserText("and a chair", Urgency.NOW),
        HangUpNow("We have to go."), TransferNow("+15550100"), Drain(2_000, "We restart."),
    ))  # fmt: skip
