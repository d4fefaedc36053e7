"""Leaving: the end message (F50), the agent's hang-up (F53, F55), a farewell revoked (F73), end phrases."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core import effects
from engine.core.events import StreamStopped
from engine.core.notes import Closed, Leaving, Stayed
from engine.core.policy import Ending, Idle, LadderStep, Limits, Policy, StepEnding, Tool, Turns
from engine.testing import Caller, Phone, ScriptedModel, ScriptedTool, ToolUse, World
from tests.core.clock_scenes import FIRST_AUDIO, GREETING, LONG, NO_CLOCKS, ending, model, roles, spoken, when

THANKS = "That is all, thanks."
BYE: list[str | ToolUse] = ["Goodbye to you then.", ToolUse("hang_up")]
MESSAGE = "Thank you very much for calling us today and have a nice evening at home."


def policy(message: str = "", strict: bool = False, **parts: Any) -> Policy:
    return Policy(**{"idle": NO_CLOCKS, "ending": Ending(message=message, strict=strict), **parts})


def leaving(message: str = "", strict: bool = False, caller: Caller | None = None, **parts: Any) -> World:
    """A caller has said thanks at 200 ms, and the agent says goodbye and hangs up."""
    script = caller or Caller().says(THANKS, at=200)
    return World(policy(message, strict), caller=script, **{"model": model(BYE, "Yes?"), **parts})


def farewell() -> tuple[int, int]:
    """When the agent's goodbye is heard, if nobody disturbs it: the first and the last sample."""
    (_, start, end), *_ = spoken(leaving().run())
    return start, end


START, END = farewell()


# --- the agent hangs up ---------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [BYE, [ToolUse("hang_up"), "Goodbye to you then."]])
def test_the_words_are_heard_whole_and_then_the_leg_is_completed(reply: Any) -> None:
    world = leaving(model=model(reply)).run()
    (text, _, heard) = spoken(world)[0]
    assert text == "Goodbye to you then."
    assert ending(world) == ("agent_hung_up", heard)
    assert when(world, effects.HangUp) == [heard]
    assert max(when(world, effects.SendAudio)) <= heard


def test_without_words_it_hangs_up_in_silence() -> None:
    world = leaving(model=model(ToolUse("hang_up"))).run()
    assert ending(world)[0] == "agent_hung_up"
    assert when(world, effects.SendAudio) == []


def test_without_words_of_its_own_the_end_message_is_said() -> None:
    world = leaving(MESSAGE, model=model(ToolUse("hang_up"))).run()
    ((text, _, heard),) = spoken(world)
    assert (text, ending(world)) == (MESSAGE, ("agent_hung_up", heard))


def test_the_end_message_comes_after_the_goodbye() -> None:
    world = leaving(MESSAGE).run()
    (_, _, said), (text, start, heard) = spoken(world)
    assert (text, start) == (MESSAGE, said + FIRST_AUDIO)
    assert ending(world) == ("agent_hung_up", heard)


def test_a_draft_hangs_up_only_when_it_is_the_answer() -> None:
    """The model is fast and the pause long enough for it to want to hang up before the caller is done."""
    caller = Caller().says(
        "That is all now thank you so very much", at=200, lasts=2_400, pauses=[(1_200, 450)]
    )
    world = leaving(caller=caller, model=ScriptedModel([BYE], first_token_ms=10)).run()
    assert len(world.model.requests) == 2
    assert world.notes(Leaving)[0].at > caller.spoken[0][2]
    assert roles(world)[0][1] == "That is all now thank you so very much"


def test_a_phone_far_away_hears_the_last_word_before_the_line_drops() -> None:
    world = leaving(phone=Phone(delay_ms=300)).run()
    (text, _, heard) = spoken(world)[0]
    assert text == "Goodbye to you then."
    assert when(world, effects.HangUp) == [heard + 300]


# --- who gets the end message ---------------------------------------------------------------------------

LADDER = (LadderStep(4_000, "", StepEnding.STRICT),)
AGENT_ENDS: dict[str, dict[str, Any]] = {
    "silence": {"idle": Idle(dead_air=4_000)},
    "max_duration": {"limits": Limits(longest=4_000)},
    "inactivity": {"idle": Idle(ladder=LADDER, dead_air=None)},
}


@pytest.mark.parametrize(
    "reason",
    [
        "silence",
        "max_duration",
        pytest.param("inactivity"),
    ],
)
def test_it_is_heard_whole_whenever_the_agent_ends_the_call(reason: str) -> None:
    world = World(policy(MESSAGE, **AGENT_ENDS[reason]), caller=Caller()).run()
    ((text, _, heard),) = spoken(world)
    assert (text, ending(world)) == (MESSAGE, (reason, heard))


@pytest.mark.parametrize("at", [500, 2_000, START + 200, END + 1_000])
def test_never_when_the_caller_hung_up(at: int) -> None:
    caller = Caller().says(THANKS, at=200).hangs_up(at=max(at, 1_600))
    world = leaving(MESSAGE, caller=caller).run()
    assert ending(world)[0] == "caller_hung_up"
    assert MESSAGE not in world.heard_text
    assert when(world, effects.HangUp) == []


# --- the caller hangs up --------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [700, 1_560, 1_700, 2_500, 6_000, 12_000])
def test_everything_stops_at_once_when_the_caller_is_gone(at: int) -> None:
    """While the caller speaks, the model thinks, the voice speaks, a tool runs, the line is silent."""
    idle = Idle(("Hello?",), 2_000, 9, (LadderStep(3_000, "Are you there?"),), dead_air=60_000)
    caller = Caller().says("Tell me a story.", at=200)
    parts = policy(MESSAGE, idle=idle, tools=(Tool("look"),), opening=GREETING)
    tools = {"look": ScriptedTool(delay_ms=2_000)}
    world = World(parts, caller=caller, model=model(["Well. ", ToolUse("look")], LONG), tools=tools)
    world.at(at, lambda: world.stop_stream(StreamStopped()))
    world.run()
    assert ending(world) == ("caller_hung_up", at)
    assert world.times(Closed) == [at]
    asked = [entry for entry in world.log if entry[0] > at and entry[2]]
    assert asked == []
    assert world.call.wake_at is None


# --- a farewell taken back ------------------------------------------------------------------------------


@pytest.mark.parametrize("message", ["", MESSAGE])
def test_a_soft_farewell_is_taken_back_when_the_caller_speaks(message: str) -> None:
    at = START + 500 if not message else END + 1_500
    caller = Caller().says(THANKS, at=200).says("Wait, one more thing.", at=at)
    world = leaving(message, caller=caller).run(20_000)
    assert world.reason is None
    assert len(world.notes(Stayed)) == 1
    assert spoken(world)[-1][0] == "Yes?"


@pytest.mark.parametrize("message", ["", MESSAGE])
@pytest.mark.parametrize(
    "said",
    [
        "bye",
        "Bye bye.",
        pytest.param("Thank you, goodbye."),
    ],
)
def test_a_courtesy_does_not(message: str, said: str) -> None:
    at = START + 200 if not message else END + 500
    caller = Caller().says(THANKS, at=200).says(said, at=at)
    world = leaving(message, caller=caller).run()
    assert ending(world)[0] == "agent_hung_up"
    assert world.notes(Stayed) == []
    assert spoken(world)[-1][0] == (message or "Goodbye to you then.")


@pytest.mark.parametrize("message", ["", MESSAGE])
def test_a_courtesy_that_overlaps_the_end_does_not_either(message: str) -> None:
    end = spoken(leaving(message).run())[-1][2]
    caller = Caller().says(THANKS, at=200).says("Bye bye.", at=end - 80, lasts=500)
    world = leaving(message, caller=caller).run(20_000)
    assert ending(world)[0] == "agent_hung_up"
    assert world.notes(Stayed) == []


@pytest.mark.parametrize("at", [START + 300, END + 1_500])
def test_a_strict_farewell_is_not_taken_back(at: int) -> None:
    caller = Caller().says(THANKS, at=200).says("Wait, one more thing.", at=at)
    world = leaving(MESSAGE, strict=True, caller=caller).run()
    (text, _, heard) = spoken(world)[-1]
    assert (text, ending(world)) == (MESSAGE, ("agent_hung_up", heard))
    assert world.notes(Stayed) == []
    assert "Wait, one more thing." in " ".join(text for role, text in roles(world) if role == "user")


def test_nobody_is_hung_up_on_while_still_speaking() -> None:
    _, end = farewell()
    caller = Caller().says(THANKS, at=200).says("Oh and could you tell me one more thing", at=end - 80)
    world = leaving(caller=caller).run(20_000)
    assert world.reason is None
    assert spoken(world)[-1][0] == "Yes?"


def test_not_even_one_who_speaks_for_long() -> None:
    _, end = farewell()
    text = "Oh and could you tell me one more thing " * 6
    caller = Caller().says(THANKS, at=200).says(text, at=end - 80, lasts=20_000)
    world = leaving(caller=caller).run(40_000)
    assert world.reason is None
    assert spoken(world)[-1][0] == "Yes?"


@pytest.mark.parametrize("how", [
    {"interruptible": False},
    {"words_to_interrupt": 5},
])  # fmt: skip
def test_a_question_that_does_not_cut_the_farewell_still_keeps_the_call(how: dict[str, Any]) -> None:
    caller = Caller().says(THANKS, at=200).says("One more thing.", at=END + 300)
    world = World(
        policy(MESSAGE, turns=Turns(**how)), caller=caller, model=model(BYE, "Yes?")
    ).run(30_000)  # fmt: skip
    assert world.reason is None
    assert spoken(world)[-1][0] == "Yes?"


def test_a_sound_without_words_does_not_take_it_back_but_is_waited_for() -> None:
    _, end = farewell()
    caller = Caller().says(THANKS, at=200).coughs(at=end - 100, lasts=300)
    world = leaving(caller=caller).run()
    assert ending(world)[0] == "agent_hung_up"
    assert end <= ending(world)[1] <= end + 2_500


def test_after_a_farewell_taken_back_the_next_one_works() -> None:
    caller = Caller().says(THANKS, at=200).says("Wait, one more thing.", at=START + 300)
    caller.after_agent("No, nothing.")
    world = leaving(MESSAGE, caller=caller, model=model(BYE, "Yes?", BYE)).run()
    (text, _, heard) = spoken(world)[-1]
    assert (text, ending(world)) == (MESSAGE, ("agent_hung_up", heard))


# --- end phrases ----------------------------------------------------------------------------------------

PHRASES = ("have a nice day",)


@pytest.mark.parametrize("message", ["", MESSAGE])
def test_the_line_drops_when_the_agent_has_said_an_end_phrase(message: str) -> None:
    ends = policy(ending=Ending(message=message, phrases=PHRASES))
    world = World(ends, caller=Caller().says(THANKS, at=200), model=model("Sure. Have a nice day!")).run()
    said = [text for text, _, _ in spoken(world)]
    assert said == ["Sure. Have a nice day!", *([message] if message else [])]
    assert ending(world) == ("agent_hung_up", spoken(world)[-1][2])


@pytest.mark.parametrize("text", ["Have a nice evening.", "Have a nice daydream."])
def test_and_not_when_it_said_something_like_it(text: str) -> None:
    ends = policy(ending=Ending(phrases=PHRASES))
    world = World(ends, caller=Caller().says(THANKS, at=200), model=model(text)).run(20_000)
    assert world.reason is None


def test_and_not_when_the_caller_says_one() -> None:
    ends = policy(ending=Ending(phrases=PHRASES))
    world = World(ends, caller=Caller().says("Have a nice day.", at=200), model=model("And you.")).run(20_000)
    assert world.reason is None


def test_a_phrase_that_was_not_heard_ends_nothing() -> None:
    ends = policy(ending=Ending(phrases=PHRASES))
    caller = Caller().says(THANKS, at=200).says("wait wait", at=3_200)
    world = World(ends, caller=caller, model=model(f"{LONG} Have a nice day.", "Yes?")).run(20_000)
    assert world.reason is None and spoken(world)[-1][0] == "Yes?"
