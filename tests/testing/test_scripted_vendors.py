"""The scripted transcriber, model, voice, tools and carrier, each with its faults."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.conversation import Message
from engine.core.effects import (
    CancelModel,
    CancelTool,
    CancelVoice,
    CloseStream,
    CloseTranscriber,
    FeedTranscriber,
    FlushTranscriber,
    HangUp,
    OpenTranscriber,
    RunTool,
    SendDigits,
    Speak,
    StartModel,
    Transfer,
)
from engine.core.events import (
    CallerAudio,
    CarrierDone,
    Created,
    FinalWords,
    InterimWords,
    KeyPressed,
    ModelDone,
    ModelFailed,
    ModelText,
    ModelToolCall,
    StreamOpened,
    StreamStopped,
    ToolFailed,
    ToolResult,
    TranscriberFailed,
    TranscriberReady,
    TurnVote,
    VoiceAudio,
    VoiceDone,
    VoiceFailed,
    VoiceWords,
    Vote,
)
from engine.core.policy import Policy
from engine.testing import (
    Caller,
    Fails,
    Refuses,
    Repeats,
    ScriptedCarrier,
    ScriptedModel,
    ScriptedTool,
    ScriptedTranscriber,
    ScriptedVoice,
    Silent,
    Stalls,
    ToolUse,
    World,
)
from tests.testing.fake_call import FakeCall

KEY = KeyPressed("1")


def play(
    effects: list[Any], on_key: list[Any] | None = None, key_at: int = 500, until: int = 20_000, **parts: Any
) -> FakeCall:
    """Ask for ``effects`` at 0 and for those of ``on_key`` at ``key_at``."""
    call = FakeCall({Created: effects, KeyPressed: on_key or []})
    world = World(Policy(), caller=Caller(joins=None), call=call, laws=False, **parts)
    world.at(key_at, KEY).run(20_000)
    return call


def listen(transcriber: ScriptedTranscriber, flush_at: int = 1_200) -> FakeCall:
    """The caller says two words from 400 to 1000 ms; a flush comes, and at 2500 the end."""

    def feed(event: Any, now: int) -> list[Any]:
        return [FeedTranscriber(event.payload)]

    def flush_or_close(event: Any, now: int) -> list[Any]:
        return [FlushTranscriber()] if now == flush_at else [CloseTranscriber()]

    reopen = lambda event, now: [OpenTranscriber(1)]  # noqa: E731
    call = FakeCall({
        Created: [OpenTranscriber()], CallerAudio: feed,
        KeyPressed: flush_or_close, TranscriberFailed: reopen,
    })  # fmt: skip
    caller = Caller().says("hello there", at=400, lasts=600)
    world = World(Policy(), caller=caller, transcriber=transcriber, call=call, laws=False)
    world.at(flush_at, KEY).at(2_500, KEY).run(3_000)
    return call


# --- transcriber --------------------------------------------------------------------------------------


def test_words_become_interim_and_a_flush_makes_them_final() -> None:
    call = listen(ScriptedTranscriber(ready_ms=10))
    assert [now for now, _ in call.got(TranscriberReady)] == [10]
    assert call.got(InterimWords) == [(700, InterimWords("hello")), (1_000, InterimWords("hello there"))]
    assert call.got(FinalWords) == [(1_300, FinalWords("hello there", 400, 1_000))]


def test_a_flush_inside_a_word_leaves_the_word_for_the_next() -> None:
    assert listen(ScriptedTranscriber(), flush_at=900).got(FinalWords) == [
        (1_000, FinalWords("hello", 400, 700))
    ]


def test_a_flush_without_words_is_answered_empty() -> None:
    assert listen(ScriptedTranscriber(), flush_at=300).got(FinalWords) == [(400, FinalWords(""))]


def test_its_own_endpointing_gives_a_final_and_a_vote() -> None:
    call = listen(ScriptedTranscriber(endpointing_ms=300, votes=True), flush_at=2_400)
    assert call.got(FinalWords)[0] == (1_300, FinalWords("hello there", 400, 1_000))
    assert call.got(TurnVote) == [(1_300, TurnVote(Vote.END))]


def test_it_can_be_wrong_repeat_itself_and_speak_after_the_end() -> None:
    call = listen(ScriptedTranscriber(hears=str.upper, repeats=True, after_close="late"))
    assert [event.text for _, event in call.got(FinalWords)] == ["HELLO THERE", "HELLO THERE", "late"]


@pytest.mark.parametrize("fault", [Silent(), Stalls(500)])
def test_a_silent_transcriber_says_nothing(fault: Any) -> None:
    call = listen(ScriptedTranscriber(faults=fault))
    assert call.got(FinalWords) == call.got(InterimWords) == []


def test_after_a_failure_the_next_stream_has_the_words() -> None:
    call = listen(ScriptedTranscriber(faults=[Fails(800)]))
    assert [now for now, _ in call.got(TranscriberFailed)] == [800]
    assert [event.text for _, event in call.got(FinalWords)] == ["hello there"]


# --- model --------------------------------------------------------------------------------------------

ASK = StartModel(1, 0, (Message("user", "hi"),))


def spoken(call: FakeCall) -> str:
    return "".join(event.text for _, event in call.got(ModelText))


def test_text_comes_token_by_token() -> None:
    call = play([ASK], model=ScriptedModel(["One two."], first_token_ms=100, tokens_per_second=100))
    assert call.got(ModelText) == [(100, ModelText(1, 0, "One")), (110, ModelText(1, 0, " two."))]
    assert call.got(ModelDone)[0][0] == 120


def test_the_nth_turn_gets_the_nth_reply() -> None:
    user, agent, tool = Message("user", "x"), Message("assistant", "y"), Message("tool", "z")
    first = (user, agent)
    talks = [(), (user,), (user, user), (*first, user), (*first, tool), (*first, tool, agent, user)]
    model = ScriptedModel(["a", "b"], opening="o")
    said = [spoken(play([StartModel(1, 0, talk)], model=model)) for talk in talks]
    assert said == ["o", "a", "a", "b", "b", "b"]


def test_replies_may_be_a_function_and_hold_tool_calls() -> None:
    def reply(messages: tuple[Message, ...]) -> list[str | ToolUse]:
        return [messages[-1].text, ToolUse("look", {"day": 1})]

    call = play([ASK], model=ScriptedModel(reply))
    assert spoken(call) == "hi"
    assert [event for _, event in call.got(ModelToolCall)] == [
        ModelToolCall(1, 0, "call1", "look", '{"day": 1}')
    ]
    assert call.got(ModelDone)[0][1].reason == "tools"


def test_a_cancelled_model_is_silent_unless_it_is_late() -> None:
    def said(late: bool) -> str:
        return spoken(play([ASK], [CancelModel(1)], key_at=160, model=ScriptedModel(["One two."], late=late)))

    assert (said(False), said(True)) == ("One", "One two.")


def test_a_broken_model() -> None:
    def run(fault: Any) -> FakeCall:
        return play([ASK], model=ScriptedModel(["One two three."], faults=fault))

    assert run(Silent()).events == [(0, Created()), (500, KEY)]
    assert spoken(run(Stalls(2))) == "One two" and not run(Stalls(2)).got(ModelDone)
    failed = run(Fails(1, "gone", retryable=False))
    assert spoken(failed) == "One"
    assert [event for _, event in failed.got(ModelFailed)] == [ModelFailed(1, 0, "gone", False)]
    assert run(Refuses(70)).got(ModelFailed) == [(70, ModelFailed(1, 0, "refused"))]
    assert len(run(Repeats()).got(ModelDone)) == 2


def test_a_list_of_faults_goes_by_request() -> None:
    again = StartModel(1, 1, ASK.messages)
    call = play([ASK], [again], model=ScriptedModel(["One."], faults=[Silent()]))
    assert {(event.attempt, event.text) for _, event in call.got(ModelText)} == {(1, "One.")}


# --- voice --------------------------------------------------------------------------------------------

SAY = Speak(1, 0, 0, "One two.")


def sound(call: FakeCall) -> int:
    """ms of audio that came."""
    return sum(len(event.payload) for _, event in call.got(VoiceAudio)) // 8


def test_a_piece_comes_faster_than_it_plays_with_its_words() -> None:
    call = play([SAY], voice=ScriptedVoice(first_audio_ms=80, realtime_factor=5, ms_per_character=50))
    assert [(now, len(event.payload) // 8) for now, event in call.got(VoiceAudio)] == [
        (80, 100), (100, 100), (120, 100), (140, 100), (160, 50),
    ]  # fmt: skip
    words = [(now, [(word.text, word.start) for word in event.words]) for now, event in call.got(VoiceWords)]
    assert words == [(80, [("One", 0)]), (120, [("two.", 1_600)])]
    assert call.got(VoiceDone) == [(160, VoiceDone(1, 0))]


def test_pieces_are_spoken_one_after_the_other() -> None:
    call = play([SAY, Speak(1, 1, 0, "Three.")])
    assert [event.piece for _, event in call.got(VoiceAudio)] == [0] * 6 + [1] * 5
    assert call.got(VoiceAudio)[6][0] == call.got(VoiceDone)[0][0]


def test_a_piece_takes_its_time_from_when_it_was_asked_for() -> None:
    call = play([SAY], [Speak(1, 1, 0, "Three.")], key_at=150, voice=ScriptedVoice(first_audio_ms=80))
    assert next(now for now, event in call.got(VoiceAudio) if event.piece == 1) == 150 + 80


def test_a_cancelled_voice_turns_to_the_next_reply_unless_it_is_late() -> None:
    def heard(late: bool) -> list[int]:
        asked = [SAY, Speak(1, 1, 0, "Three."), Speak(2, 0, 0, "New.")]
        call = play(asked, [CancelVoice(1)], key_at=90, voice=ScriptedVoice(late=late))
        return [event.reply for _, event in call.got(VoiceAudio)]

    assert heard(False) == [1] + [2] * 3
    assert heard(True) == [1] * 11 + [2] * 3


def test_a_broken_voice() -> None:
    def run(fault: Any) -> FakeCall:
        return play([SAY, Speak(1, 1, 0, "Three.")], voice=ScriptedVoice(faults=[fault], word_times=False))

    whole, second = 9 * 60, 7 * 60
    assert sound(run(None)) == whole + second and not run(None).got(VoiceWords)
    assert sound(run(Silent())) == second
    assert sound(run(Refuses())) == second and run(Refuses()).got(VoiceFailed)[0][0] == 50
    assert sound(run(Stalls(250))) == 250 + second and len(run(Stalls(250)).got(VoiceDone)) == 1
    assert sound(run(Fails(250))) == 250 + second and len(run(Fails(250)).got(VoiceFailed)) == 1
    assert len(run(Repeats()).got(VoiceDone)) == 3


# --- tools and carrier --------------------------------------------------------------------------------

LOOK = RunTool("t1", "look", "{}")


def use(tool: ScriptedTool, **cancel: Any) -> list[tuple[int, Any]]:
    call = play([LOOK], tools={"look": tool}, **cancel)
    return call.got(ToolResult) + call.got(ToolFailed)


def test_a_tool_answers_after_its_time() -> None:
    assert use(ScriptedTool('{"free": true}', delay_ms=300)) == [(300, ToolResult("t1", '{"free": true}'))]
    assert use(ScriptedTool(lambda arguments: arguments * 2)) == [(100, ToolResult("t1", "{}{}"))]
    assert play([RunTool("t2", "unknown", "")]).got(ToolFailed)[0][1].tool_call == "t2"


def test_a_broken_or_cancelled_tool() -> None:
    assert use(ScriptedTool(faults=Silent())) == []
    assert use(ScriptedTool(faults=Fails(40))) == [(40, ToolFailed("t1", "broken"))]
    assert len(use(ScriptedTool(faults=Repeats()))) == 2
    cancelled: dict[str, Any] = {"on_key": [CancelTool("t1")], "key_at": 50}
    assert use(ScriptedTool(), **cancelled) == []
    assert len(use(ScriptedTool(late=True), **cancelled)) == 1


def carry(effect: Any, carrier: ScriptedCarrier) -> tuple[FakeCall, World]:
    call = FakeCall({KeyPressed: [effect]})
    world = World(Policy(), caller=Caller(), carrier=carrier, call=call, laws=False)
    return call, world.at(500, KEY).run(5_000)


@pytest.mark.parametrize(
    ("effect", "carrier", "done"),
    [
        (HangUp(), ScriptedCarrier(hang_up_ms=70), (570, CarrierDone("hang_up"))),
        (Transfer("+1"), ScriptedCarrier(transfer_ms=900), (1_400, CarrierDone("transfer"))),
    ],
)
def test_the_caller_leaves_when_the_carrier_is_done(effect: Any, carrier: ScriptedCarrier, done: Any) -> None:
    call, world = carry(effect, carrier)
    assert call.got(CarrierDone) == [done]
    assert call.got(StreamStopped)[0][0] == done[0]
    assert call.got(CallerAudio)[-1][0] <= done[0]
    assert world.carrier.asked == [effect]


def test_a_carrier_that_fails_or_never_answers() -> None:
    call, _ = carry(Transfer("+1"), ScriptedCarrier(transfer_outcome="busy"))
    assert call.got(CarrierDone)[0][1].outcome == "busy"
    assert not call.got(StreamStopped) and call.got(CallerAudio)[-1][0] == 5_000
    assert not carry(HangUp(), ScriptedCarrier(outcome=""))[0].got(CarrierDone)


def test_pressing_keys_takes_the_stream_away_for_a_while() -> None:
    call, _ = carry(SendDigits("12"), ScriptedCarrier(seam_ms=600))
    assert [now for now, _ in call.got(StreamStopped)] == [500]
    assert [event.stream_id for _, event in call.got(StreamOpened)] == ["stream1", "stream2"]
    assert call.got(CarrierDone) == [(1_100, CarrierDone("digits"))]


def test_closing_the_stream_ends_the_frames_without_a_word() -> None:
    call, _ = carry(CloseStream(), ScriptedCarrier())
    assert not call.got(StreamStopped) and call.got(CallerAudio)[-1][0] == 480
