"""The scripted caller: frames, cues, keys, the line."""

from __future__ import annotations

from typing import Any

from engine.core.effects import SendAudio, SendClear
from engine.core.events import (
    CallerAudio,
    CallerHungUp,
    Created,
    KeyPressed,
    MediaGap,
    StreamLost,
    StreamOpened,
    StreamStopped,
)
from engine.core.policy import Policy
from engine.testing import Caller, Phone, World, agent_speaking
from tests.testing.fake_call import FakeCall


def play(caller: Caller, until: int, **parts: Any) -> FakeCall:
    call = parts.pop("fake", None) or FakeCall()
    World(Policy(), caller=caller, call=call, laws=False, **parts).run(until)
    return call


def voiced(call: FakeCall) -> list[int]:
    """The media times of the frames that sound like speech."""
    return [event.at for _, event in call.got(CallerAudio) if event.voice >= 0.5]


def test_frames_come_every_20_ms_from_the_stream_opening_on() -> None:
    call = play(Caller(joins=130), 300)
    assert call.got(StreamOpened)[0][0] == 130
    frames = [(now, event.at, len(event.payload)) for now, event in call.got(CallerAudio)]
    assert frames == [(150 + at, at, 160) for at in range(0, 160, 20)]


def test_speech_is_loud_in_its_stretches_and_quiet_in_its_pauses() -> None:
    call = play(Caller().says("five five", at=200, lasts=200, pauses=[(100, 60)]), 1_000)
    assert voiced(call) == [200, 220, 240, 260, 280, 360, 380, 400, 420, 440]
    assert {event.level for _, event in call.got(CallerAudio)} == {-22.0, -60.0}


def test_words_keep_clear_of_the_pauses() -> None:
    caller = Caller().says("five five", at=200, lasts=200, pauses=[(100, 60)])
    play(caller, 1_000)
    assert [(word.text, word.start, word.end) for word in caller.words] == [
        ("five", 200, 300),
        ("five", 360, 460),
    ]
    assert caller.spoken == [("five five", 200, 460)]


def test_lines_follow_each_other() -> None:
    caller = (
        Caller()
        .says("one", at=100, lasts=100)
        .says("two", pause=50, lasts=100)
        .says("three", at=120, lasts=20)
    )
    play(caller, 1_000)
    assert [(text, start) for text, start, _ in caller.spoken] == [("one", 100), ("two", 250), ("three", 350)]


def test_a_script_can_be_played_twice() -> None:
    caller = Caller().says("one", at=100, lasts=100).noise(300, 40)
    assert voiced(play(caller, 1_000)) == voiced(play(caller, 1_000)) != []


def test_the_caller_reacts_to_what_the_ear_hears() -> None:
    caller = Caller().says("wait", when=agent_speaking(after=500), lasts=200).after_agent("yes", pause=300)
    call = FakeCall()
    world = World(Policy(), caller=caller, call=call, laws=False)
    audio, _ = world.voice.tape.record(1, 0, [("word", 3_000)])
    call.on = {
        Created: [SendAudio(audio)],
        KeyPressed: [SendClear()],
        StreamLost: [SendAudio(audio[:8_000])],
    }
    world.at(1_010, KeyPressed("1")).at(1_100, StreamLost()).run(5_000)
    assert caller.spoken == [("wait", 500, 700), ("yes", 2_400, 2_400 + 3 * 65)]


def test_noise_and_echo_are_in_the_frames() -> None:
    call = FakeCall()
    world = World(Policy(), caller=Caller().noise(400, 100), phone=Phone(echo_db=-20), call=call, laws=False)
    call.on = {StreamOpened: [SendAudio(world.voice.tape.record(1, 0, [("word", 100)])[0])]}
    world.run(1_000)
    levels = {event.at: event.level for _, event in call.got(CallerAudio)}
    assert [at for at, level in levels.items() if level == -35] == [400, 420, 440, 460, 480]
    assert [at for at, level in levels.items() if -39 < level < -38] == [0, 20, 40, 60, 80]


def test_lost_audio_is_a_gap() -> None:
    call = play(Caller(), 400, phone=Phone(losses=[(100, 60)]))
    assert call.got(MediaGap) == [(180, MediaGap(100, 60))]
    assert [event.at for _, event in call.got(CallerAudio)][:7] == [0, 20, 40, 60, 80, 160, 180]


def test_a_stalled_network_delivers_late_and_all_at_once() -> None:
    call = play(Caller(), 400, phone=Phone(delay_ms=30, stalls=[(100, 95)]))
    times = [now for now, _ in call.got(CallerAudio)]
    assert times == [50, 70, 90, 195, 195, 195, 195, 195, 210, 230, 250, 270, 290, 310, 330, 350, 370, 390]


def test_keys_and_the_end_of_the_line() -> None:
    call = play(Caller().presses("5#", at=100, every=150).hangs_up(at=400), 2_000)
    assert call.got(KeyPressed) == [(100, KeyPressed("5")), (250, KeyPressed("#"))]
    assert call.got(StreamStopped)[0][0] == 400
    assert call.got(CallerHungUp)[0][0] == 600
    assert call.got(CallerAudio)[-1][0] <= 400


def test_a_dropped_connection_comes_back() -> None:
    call = play(Caller().drops(at=200, back_after=300), 1_000)
    assert [now for now, _ in call.got(StreamLost)] == [200]
    assert [now for now, _ in call.got(StreamOpened)] == [0, 500]
    frames = [(now, event.at) for now, event in call.got(CallerAudio)]
    assert (200, 180) not in frames and (520, 0) in frames
