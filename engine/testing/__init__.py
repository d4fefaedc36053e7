"""Test an agent without a phone, a vendor or a clock: whole calls in milliseconds, exact to the millisecond.

    from engine.core.policy import Opening, Policy
    from engine.testing import Caller, ScriptedModel, run_call

    def test_a_caller_books_a_table() -> None:
        policy = Policy(opening=Opening(message="Good evening, how can I help?"))
        caller = Caller().after_agent("A table, please.").after_agent("Today.").hangs_up(pause=4_000)
        model = ScriptedModel(["For which day?", "See you then."])
        world = run_call(policy, caller, model=model)
        assert world.heard_text.endswith("For which day? See you then.")
        assert max(world.answer_delays) < 1_200
        assert not world.phone.ear.gaps()

A `World` holds the call and its surroundings: a `Phone` with an ear (buffer, marks, clear, jitter, stalls),
a `Caller` who follows a script, vendors that can be slow, silent, broken or late. It checks the laws of a
call (`laws`) after every step. `random_world` draws such a world; `fuzz` lets anything happen in any order.
"""

from engine.testing.caller import Caller
from engine.testing.carrier import ScriptedCarrier, ScriptedTool
from engine.testing.faults import Fails, Refuses, Repeats, Silent, Stalls
from engine.testing.laws import Laws
from engine.testing.model import ScriptedModel, ToolUse
from engine.testing.phone import Phone
from engine.testing.random_calls import fuzz
from engine.testing.random_policies import random_policy
from engine.testing.random_worlds import random_world
from engine.testing.recorded import RecordedCaller, Recording
from engine.testing.script import agent_silent, agent_speaking
from engine.testing.steps import LawBroken, replay
from engine.testing.transcriber import ScriptedTranscriber
from engine.testing.voice import ScriptedVoice
from engine.testing.world import World, run_call

__all__ = [
    "Caller",
    "Fails",
    "LawBroken",
    "Laws",
    "Phone",
    "RecordedCaller",
    "Recording",
    "Refuses",
    "Repeats",
    "ScriptedCarrier",
    "ScriptedModel",
    "ScriptedTool",
    "ScriptedTranscriber",
    "ScriptedVoice",
    "Silent",
    "Stalls",
    "ToolUse",
    "World",
    "agent_silent",
    "agent_speaking",
    "fuzz",
    "random_policy",
    "random_world",
    "replay",
    "run_call",
]
