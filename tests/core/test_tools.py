"""Tools: each call's one result, its clock (F82), drafts that may only look, words said meanwhile."""

from __future__ import annotations

import json

import pytest

from engine.core.conversation import ToolRequest
from engine.core.effects import CancelTool, RunTool, StartModel
from engine.core.events import SayNow, Urgency
from engine.core.notes import ToolEnded, ToolStarted
from engine.core.policy import Idle, Policy, Tool, ToolKind, Turns
from engine.core.step import Step
from engine.core.tools import Tools, arguments_of
from engine.testing import Caller, Fails, Repeats, ScriptedModel, ScriptedTool, ToolUse, World
from tests.core.clock_scenes import NO_CLOCKS, fired, model, roles, spoken, when

LOOK, BOOK = Tool("look"), Tool("book", ToolKind.ACT)
QUESTION = Caller().says("Do you have a table?", at=200)
ERROR = "the tool did not answer in time"


def policy(drafts: bool = True, **parts: Idle) -> Policy:
    return Policy(**{"idle": NO_CLOCKS, **parts}, tools=(LOOK, BOOK), turns=Turns(drafts=drafts))  # type: ignore[arg-type]


def results(world: World) -> list[str]:
    return [text for role, text in roles(world) if role == "tool"]


# --- the machine alone ----------------------------------------------------------------------------------


def test_an_id_is_obeyed_once_and_answered_once() -> None:
    tools, step = Tools(policy()), Step(policy())
    tools.start(step, 1, ToolRequest("a", "look", "{}"))
    assert not tools.is_new("a") and tools.is_new("b") and tools.busy and tools.waits(1)
    running = tools.finish(step, "a", value="1")
    assert running is not None and running.result == "1"
    assert tools.finish(step, "a", value="2") is None
    assert not tools.busy and step.deadlines.next is None


def test_the_clock_is_the_tool_s_own() -> None:
    tools = Tools(Policy(tools=(LOOK, Tool("slow", timeout=40_000))))
    step = Step(policy())
    step.now = 1_000
    tools.start(step, 1, ToolRequest("a", "look", "{}"))
    assert step.deadlines.next == 3_500
    tools.finish(step, "a", value="1")
    tools.start(step, 1, ToolRequest("b", "slow", "{}"))
    assert step.deadlines.next == 41_000


def test_what_runs_for_a_draft_does_not_count_until_it_is_chosen() -> None:
    tools, step = Tools(policy()), Step(policy())
    tools.start(step, 1, ToolRequest("a", "look", "{}"), speculative=True)
    assert not tools.busy
    tools.adopt(1)
    assert tools.busy
    tools.forget(step, 1)
    assert tools.busy


def test_every_open_call_gets_its_result_when_the_call_ends() -> None:
    tools, step = Tools(policy()), Step(policy())
    for name in "ab":
        tools.start(step, 1, ToolRequest(name, "look", "{}"))
    step.take()
    tools.close(step)
    ended = [effect for effect in step.take() if isinstance(effect, ToolEnded)]
    assert [(note.tool_call, note.error) for note in ended] == [
        ("a", "the call ended"),
        ("b", "the call ended"),
    ]


@pytest.mark.parametrize("text", ["", "nonsense", "[1]", "null", '{"unfinished": '])
def test_arguments_that_are_no_object_are_none(text: str) -> None:
    assert arguments_of(ToolRequest("a", "hang_up", text)) == {}


# --- in a call ------------------------------------------------------------------------------------------


def test_the_result_changes_what_is_said() -> None:
    tool = ScriptedTool('{"free": 2}', delay_ms=700)
    world = World(
        policy(), caller=QUESTION, model=model(ToolUse("look", {"day": 1}), "Two."), tools={"look": tool}
    )
    world.run(12_000)
    assert [json.loads(run.arguments) for run in tool.runs] == [{"day": 1}]
    assert roles(world) == [
        ("user", "Do you have a table?"), ("assistant", "look"),
        ("tool", '{"free": 2}'), ("assistant", "Two."),
    ]  # fmt: skip
    assert roles(world)[:3] == [
        (m.role, " ".join(r.name for r in m.tool_requests) or m.text)
        for m in world.model.requests[-1].messages
    ]


@pytest.mark.parametrize("delay", [2_499, 2_501, None])
def test_the_limit_is_exact_and_the_model_is_told(delay: int | None) -> None:
    """A tool is started at some time t; its answer counts before t + 2500, and an error does from then on."""
    tool = ScriptedTool("1", delay_ms=delay or 90_000, late=True)
    world = World(policy(), caller=QUESTION, model=model(ToolUse("look"), "Well."), tools={"look": tool}).run(
        15_000
    )
    (started,) = world.times(ToolStarted)
    (ended,) = world.notes(ToolEnded)
    if delay == 2_499:
        assert (ended.at, ended.error, ended.value) == (started + 2_499, "", "1")
        assert fired(world) == []
    else:
        assert (ended.at, ended.error) == (started + 2_500, ERROR)
        assert fired(world) == [("tool", started + 2_500)]
        assert when(world, CancelTool) == [started + 2_500]
    assert len(results(world)) == 1
    assert spoken(world)[-1][0] == "Well."


@pytest.mark.parametrize(
    ("fault", "result"), [(Fails(300, "no table"), '{"error": "no table"}'), (Repeats(), "{}")]
)
def test_failures_and_repetitions_give_one_result(fault: Fails | Repeats, result: str) -> None:
    tool = ScriptedTool(faults=fault)
    world = World(policy(), caller=QUESTION, model=model(ToolUse("look"), "Well."), tools={"look": tool}).run(
        9_000
    )
    assert results(world) == [result]
    assert spoken(world)[-1][0] == "Well."


def test_a_tool_that_does_not_exist_is_an_error_to_the_model() -> None:
    world = World(policy(), caller=QUESTION, model=model(ToolUse("fly"), "I cannot.")).run(9_000)
    assert results(world) == ['{"error": "there is no tool named fly"}']
    assert when(world, RunTool) == []
    assert spoken(world)[-1][0] == "I cannot."


def test_tools_called_at_once_are_waited_for_together() -> None:
    tools = {"look": ScriptedTool("1", delay_ms=1_200), "book": ScriptedTool("2", delay_ms=300)}
    replies = model([ToolUse("look"), ToolUse("book")], "Both.")
    world = World(policy(), caller=QUESTION, model=replies, tools=tools).run(9_000)
    assert results(world) == ["1", "2"]
    ended = {note.name: note.at for note in world.notes(ToolEnded)}
    assert world.effects(StartModel)[-1][0] == max(ended.values())


def test_words_said_meanwhile_are_in_the_next_turn() -> None:
    tools = {"look": ScriptedTool('{"free": 2}', delay_ms=2_400)}
    caller = Caller().says("Do you have a table?", at=200).says("For two people.", at=3_000)
    replies = model(ToolUse("look"), "Well.", "For two, yes.")
    world = World(policy(), caller=caller, model=replies, tools=tools).run(15_000)
    last = [message.text for message in world.model.requests[-1].messages if message.role == "user"]
    assert " ".join(last) == "Do you have a table? For two people."
    assert results(world) == ['{"free": 2}']
    assert spoken(world)[-1][0] == "For two, yes."


@pytest.mark.parametrize("kind", ["look", "book"])
def test_a_tool_of_an_answer_survives_the_interruption(kind: str) -> None:
    tools = {kind: ScriptedTool("1", delay_ms=2_300)}
    caller = Caller().says("Do you have a table?", at=200).says("wait wait", at=2_600)
    replies = model(ToolUse(kind), "Well.", "Yes?")
    world = World(policy(), caller=caller, model=replies, tools=tools).run(15_000)
    assert when(world, CancelTool) == []
    assert results(world) == ["1"]


def test_the_idle_clocks_stand_still_while_a_tool_runs() -> None:
    idle = Idle(("Hello?",), 1_000, 9, dead_air=1_500)
    tools = {"look": ScriptedTool(delay_ms=2_400)}
    world = World(policy(idle=idle), caller=QUESTION, model=model(ToolUse("look"), "Yes."), tools=tools).run(
        6_000
    )
    (_, _, answered) = spoken(world)[0]
    assert fired(world)[0] == ("awaiting_response", answered + 1_000)


def test_an_answer_that_was_pushed_aside_by_words_from_outside_is_given_after_them() -> None:
    """The tool's result comes while the outside's words are said, and the caller still waits."""
    tools = {"look": ScriptedTool("1", delay_ms=2_000)}
    world = World(policy(), caller=QUESTION, model=model(ToolUse("look"), "Yes."), tools=tools)
    world.at(2_500, SayNow("One moment.", Urgency.NOW)).run(15_000)
    assert spoken(world)[-1][0] == "Yes."


# --- drafts ---------------------------------------------------------------------------------------------

HESITANT = Caller().says("Do you have a table now my friend", at=200, lasts=2_000, pauses=[(1_200, 450)])
"""A pause long enough for a draft and too short to end the turn."""


def drafted(name: str, **more: ScriptedTool) -> World:
    tools = {"look": ScriptedTool("1", delay_ms=300), "book": ScriptedTool("2", delay_ms=300), **more}
    fast = ScriptedModel([ToolUse(name), "Yes."], first_token_ms=20)
    return World(policy(), caller=HESITANT, model=fast, tools=tools).run(12_000)


def test_a_draft_may_look_and_what_it_saw_is_dropped_with_it() -> None:
    world = drafted("look")
    first, *_ = world.notes(ToolEnded)
    assert first.error == "the draft was dropped"
    assert len(world.effects(RunTool)) == 2 and len(world.effects(CancelTool)) == 1
    assert results(world) == ["1"]
    assert spoken(world)[-1][0] == "Yes."


def test_a_draft_never_acts() -> None:
    world = drafted("book")
    assert len(world.model.requests) > 2
    assert len(world.effects(RunTool)) == 1
    assert results(world) == ["2"]


def test_a_dropped_draft_s_late_result_is_nobody_s() -> None:
    world = drafted("look", look=ScriptedTool("9", delay_ms=900, late=True))
    assert results(world) == ["9"]
    assert len(world.notes(ToolEnded)) == len(world.notes(ToolStarted)) == 2
