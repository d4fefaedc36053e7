"""Each law is broken once, on purpose, by a call that does as it is told; and once kept."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from engine.core.conversation import Message
from engine.core.effects import AudioHeard, HangUp, RunTool, SendAudio, StartModel
from engine.core.events import (
    Created,
    FinalWords,
    KeyPressed,
    ModelDone,
    ModelToolCall,
    SetOutputMedium,
    ToolResult,
)
from engine.core.notes import (
    ClockFired,
    Closed,
    Cut,
    Ending,
    EndReason,
    MessageAdded,
    ReplyChosen,
    ReplyEnded,
    ReplyStarted,
    SpeechStarted,
    ToolEnded,
    ToolStarted,
    TurnEnded,
    WordsRecognised,
)
from engine.core.policy import Policy, Tool, ToolKind
from engine.testing import LawBroken, Laws, replay
from engine.testing.ear import Ear
from engine.testing.tape import Tape
from tests.testing.fake_call import FakeCall

POLICY = Policy(tools=(Tool("look"), Tool("book", ToolKind.ACT)))
KEY = KeyPressed("1")


class Trial:
    """A call that does as it is told, an ear, and the laws that look at both."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.call = FakeCall()
        self.ear = Ear(Tape())
        self.laws = Laws(self.call, policy, ear=self.ear)
        self.now = 0

    def step(self, *effects: Any, event: Any = KEY, after: int = 10) -> None:
        self.now += after
        self.laws.check(self.now, event, effects)

    def say(self, reply: int = 1, *words: str) -> bytes:
        """Render words of 100 ms each."""
        return self.ear.tape.record(reply, 0, [(word, 100) for word in words])[0]

    def close(self) -> None:
        self.call.closed, self.call.reason = True, EndReason.SILENCE
        self.step(Ending(0, EndReason.SILENCE), Closed(0, EndReason.SILENCE))
        self.laws.check_end(self.now)


def breaks(law: str) -> Any:
    return pytest.raises(LawBroken, match=f"^law {law}:")


def test_1_a_call_wants_to_be_woken_until_it_is_closed() -> None:
    trial = Trial()
    trial.call.wake_at = None
    trial.step()
    with breaks("1"):
        trial.step(event=Created())
    Trial().close()


def test_2_a_closed_call_asks_for_nothing() -> None:
    trial = Trial()
    trial.close()
    trial.step()
    with breaks("2"):
        trial.step(HangUp())


@pytest.mark.parametrize(("heard", "sent", "given"), [(5, 4, 6), (3, 7, 6), (1, 4, 6)])
def test_3_the_ledger_is_in_order(heard: int, sent: int, given: int) -> None:
    trial = Trial()
    trial.call.agent = SimpleNamespace(live=object(), playout=SimpleNamespace(heard=2, sent=4, given=6))
    trial.step()
    trial.call.agent.playout = SimpleNamespace(heard=heard, sent=sent, given=given)
    with breaks("3"):
        trial.step()


def test_3_what_is_said_to_be_heard_was_played() -> None:
    trial = Trial()
    audio = trial.say(1, "one", "two")
    trial.ear.play(0, audio)
    trial.step(AudioHeard(audio[:800], 0), after=100)
    with breaks("3"):
        trial.step(AudioHeard(audio[800:], 100), after=50)


def agent_said(trial: Trial, text: str) -> None:
    trial.call.messages = (*trial.call.messages, Message("assistant", text))
    trial.step(MessageAdded(0, "assistant", text))


def test_4_the_conversation_holds_what_was_heard() -> None:
    trial = Trial()
    trial.ear.play(0, trial.say(1, "One,", "two.", "three"))
    trial.now = 200
    agent_said(trial, "one two")
    with breaks("4"):
        agent_said(trial, "three")


def test_4_a_word_is_heard_only_once() -> None:
    trial = Trial()
    trial.ear.play(0, trial.say(1, "one"))
    trial.now = 500
    agent_said(trial, "one")
    with breaks("4"):
        agent_said(trial, "one")


def test_4_what_the_model_is_shown_was_heard() -> None:
    with breaks("4"):
        Trial().step(StartModel(1, 0, (Message("assistant", "never"),)))


def test_4_a_reply_that_goes_on_may_know_what_it_is_saying() -> None:
    trial = Trial()
    asked, saying = Message("user", "hi"), Message("assistant", "one moment")
    trial.step(StartModel(1, 0, (asked,)))
    trial.step(StartModel(1, 1, (asked, saying)))
    with breaks("4"):
        trial.step(StartModel(1, 2, (saying, asked)))


def test_4_given_messages_and_written_ones_need_no_ear() -> None:
    given = Message("assistant", "before")
    trial = Trial(replace(POLICY, prompt="Be kind.", initial_messages=(given,)))
    trial.step(StartModel(1, 0, (Message("system", "Be kind."), given)))
    trial.step(event=SetOutputMedium("text"))
    agent_said(trial, "written")


def test_5_audio_is_of_the_live_reply() -> None:
    trial = Trial()
    old, new = trial.say(1, "one"), trial.say(2, "two")
    trial.step(ReplyStarted(0, 1, "answer"), SendAudio(old))
    trial.step(ReplyEnded(0, 1), TurnEnded(0), ReplyStarted(0, 2, "answer"), SendAudio(new))
    with breaks("5"):
        trial.step(SendAudio(old))


def test_5_a_draft_has_no_mouth() -> None:
    trial = Trial()
    with breaks("5"):
        trial.step(ReplyStarted(0, 1, "answer", draft=True), SendAudio(trial.say(1, "one")))


@pytest.mark.parametrize(
    "notes",
    [
        (ReplyStarted(0, 1, "say"), ReplyStarted(0, 2, "say")),
        (ReplyStarted(0, 1, "answer"), ReplyEnded(0, 1), ReplyStarted(0, 2, "answer")),
        (ReplyChosen(0, 1),),
        (ReplyStarted(0, 1, "say"), ReplyEnded(0, 1), ReplyEnded(0, 1)),
        (ReplyStarted(0, 1, "say"), ReplyEnded(0, 1), ReplyStarted(0, 1, "say")),
    ],
)
def test_6_one_live_reply_and_one_answer_a_turn(notes: tuple[Any, ...]) -> None:
    with breaks("6"):
        Trial().step(TurnEnded(0), *notes)


def test_6_drafts_are_free_and_each_turn_has_its_answer() -> None:
    trial = Trial()
    trial.step(
        ReplyStarted(0, 1, "answer", draft=True), ReplyEnded(0, 1), ReplyStarted(0, 2, "answer", draft=True)
    )
    trial.step(TurnEnded(0), ReplyChosen(0, 2), ReplyEnded(0, 2), TurnEnded(0), ReplyStarted(0, 3, "answer"))


def test_6_an_answer_that_was_dropped_unheard_may_be_given_again() -> None:
    trial = Trial()
    trial.step(TurnEnded(0), ReplyStarted(0, 1, "answer"), ReplyEnded(0, 1, "answer", Cut.DROPPED))
    trial.step(ReplyStarted(0, 2, "answer"), ReplyEnded(0, 2, "answer", Cut.CUT))
    with breaks("6"):
        trial.step(ReplyStarted(0, 3, "answer"))
    keyed = Trial()
    keyed.step(TurnEnded(0), ReplyStarted(0, 1, "answer"), ReplyEnded(0, 1))
    keyed.step(MessageAdded(0, "user", "(pressed 5)"), ReplyStarted(0, 2, "answer"))


def test_7_a_draft_has_no_hands() -> None:
    trial = Trial()
    trial.step(ReplyStarted(0, 1, "answer", draft=True))
    trial.step(RunTool("t1", "look", ""), event=ModelToolCall(1, 0, "t1", "look", ""))
    with breaks("7"):
        trial.step(RunTool("t2", "book", ""), event=ModelToolCall(1, 0, "t2", "book", ""))
    with breaks("7"):
        trial.step(HangUp(), event=ModelToolCall(1, 0, "t3", "hang_up", ""))
    with breaks("7"):
        trial.step(RunTool("nobody's", "look", ""))


def test_8_each_tool_call_has_one_result() -> None:
    trial = Trial()
    trial.step(ToolStarted(0, "t1"), ToolEnded(0, "t1"), ToolStarted(0, "t2"))
    with breaks("8"):
        trial.step(ToolEnded(0, "t1"))
    with breaks("8"):
        trial.step(ToolStarted(0, "t1"))
    with breaks("8"):
        trial.close()


@pytest.mark.parametrize("clock", ["awaiting_response", "inactivity", "dead_air"])
def test_9_an_idle_clock_fires_only_on_a_quiet_line(clock: str) -> None:
    fired = ClockFired(0, clock)
    trial = Trial()
    trial.ear.play(0, trial.say(1, "one"))
    with breaks("9"):
        trial.step(fired, after=99)
    trial.step(fired, after=1)
    trial.step(ToolStarted(0, "t1"))
    with breaks("9"):
        trial.step(fired)
    trial.step(ToolEnded(0, "t1"), StartModel(1, 0, ()), event=ToolResult("t1", ""))
    with breaks("9"):
        trial.step(fired)
    trial.step(fired, event=ModelDone(1, 0))


def test_9_noise_without_words_has_its_cap() -> None:
    fired = ClockFired(0, "dead_air")
    trial = Trial()
    trial.call.caller.speaking = True
    trial.step(SpeechStarted(10))
    with breaks("9"):
        trial.step(fired, after=6_000)
    trial.step(fired, after=4_000)
    trial.step(WordsRecognised(0, "but"))
    with breaks("9"):
        trial.step(fired)


def test_10_the_reason_is_set_once() -> None:
    trial = Trial()
    trial.call.reason = EndReason.SILENCE
    trial.step(Ending(0, EndReason.SILENCE))
    trial.call.reason = EndReason.DRAINED
    with breaks("10"):
        trial.step()
    with breaks("10"):
        trial.step(Closed(0, EndReason.SILENCE))
    once = Trial()
    once.step(Ending(0, None))
    with breaks("10"):
        once.close()


def test_11_no_word_of_the_caller_is_lost() -> None:
    trial = Trial()
    for text in ("Hello there,", " ", "it's me.", "Bye!"):
        trial.step(event=FinalWords(text))
    trial.call.messages = (Message("user", "hello there it's me"),)
    trial.step(MessageAdded(0, "remark", "bye"))
    trial.close()
    trial.laws.check(trial.now, FinalWords("too late"), [])
    lost = Trial()
    lost.step(event=FinalWords("Hello?"))
    with breaks("11"):
        lost.close()


def test_12_the_same_events_give_the_same_effects() -> None:
    log = [(5, KEY, (HangUp(),)), (9, "wake", ())]
    same = FakeCall({KeyPressed: [HangUp()]})
    assert replay(POLICY, log, same) is same
    assert (same.events, same.wakes) == ([(5, KEY)], [9])
    with breaks("12"):
        replay(POLICY, log, FakeCall())


def test_the_message_shows_the_last_steps() -> None:
    log = [(5, KEY, (SendAudio(bytes(4_000)),))]
    with pytest.raises(LawBroken) as broken:
        replay(POLICY, log, FakeCall())
    assert "5 ms  KeyPressed()" in str(broken.value)
    assert len(str(broken.value)) < 500
