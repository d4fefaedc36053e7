"""The caller: what is speech and what only sound, frame by frame, in media time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.audio import mulaw
from engine.audio._pcm import WIDTH, audioop
from engine.audio.vad import open_vad
from engine.core.caller import Caller as CallerSide
from engine.core.caller import CallerState
from engine.core.events import CallerAudio, CallerHungUp, Vote
from engine.core.notes import SpeechEnded, SpeechStarted
from engine.core.playout import Playout
from engine.core.policy import Policy, Turns
from engine.core.step import Step
from engine.testing import Caller, Phone, World, run_call
from engine.testing.corpus import read_corpus
from tests.core.turn_scenes import LONG, by_hand, policy, stretches

FRAME = 20


class Listening:
    """A caller's side that is given frames by hand: one every 20 ms, ``stall`` ms late."""

    def __init__(self, **turns: Any) -> None:
        self.step = Step(Policy(turns=Turns(**turns)))
        self.side = CallerSide(self.step.policy)
        self.media = 0
        self.speech: list[tuple[str, int]] = []

    def hear(self, ms: int, *, voice: float, level: float, stall: int = 0) -> Listening:
        for _ in range(ms // FRAME):
            frame = CallerAudio(b"\xff" * 160, self.media, level, voice)
            self.media += FRAME
            self.step.now = max(self.step.now, self.media + stall)
            self.side.hear(self.step, frame)
            self._collect()
        return self

    def voiced(self, ms: int, level: float = -22.0, voice: float = 0.9, stall: int = 0) -> Listening:
        return self.hear(ms, voice=voice, level=level, stall=stall)

    def quiet(self, ms: int, stall: int = 0) -> Listening:
        return self.hear(ms, voice=0.02, level=-60.0, stall=stall)

    def _collect(self) -> None:
        for note in self.step.take():
            if isinstance(note, SpeechStarted | SpeechEnded):
                self.speech.append(("+" if isinstance(note, SpeechStarted) else "-", note.at))


@pytest.mark.parametrize(
    ("sounds", "speech"),
    [
        ((40,), []),
        ((60,), [("+", 100), ("-", 160)]),
        ((200,), [("+", 100), ("-", 300)]),
        # One burst with holes up to 100 ms; a hole of 120 ms makes two clicks of it.
        ((40, -100, 40), [("+", 100), ("-", 280)]),
        ((40, -120, 40), []),
        # Speech with an inner silence: 140 ms belong to it, 160 ms end it.
        ((200, -140, 200), [("+", 100), ("-", 640)]),
        ((200, -160, 200), [("+", 100), ("-", 300), ("+", 460), ("-", 660)]),
    ],
)
def test_edges_of_speech(sounds: tuple[int, ...], speech: list[tuple[str, int]]) -> None:
    listening = Listening().quiet(100)
    for ms in sounds:
        _ = listening.voiced(ms) if ms > 0 else listening.quiet(-ms)
    assert listening.quiet(400).speech == speech


@pytest.mark.parametrize(("onset", "burst", "speech"), [(60, 60, 1), (80, 60, 0), (200, 180, 0), (20, 20, 1)])
def test_the_onset_decides_what_is_speech(onset: int, burst: int, speech: int) -> None:
    listening = Listening(onset=onset).quiet(100).voiced(burst).quiet(400)
    assert len(listening.speech) == 2 * speech
    assert listening.side.turn.open is bool(speech)


@pytest.mark.parametrize(("threshold", "voice", "speech"), [(0.5, 0.5, 1), (0.5, 0.49, 0), (0.3, 0.4, 1)])
def test_the_threshold_changes_what_is_detected(threshold: float, voice: float, speech: int) -> None:
    listening = Listening(threshold=threshold).quiet(100).voiced(300, voice=voice).quiet(400)
    assert len(listening.speech) == 2 * speech


@pytest.mark.parametrize(("level", "is_caller"), [(-36.0, True), (-40.0, False)])
def test_a_voice_in_the_background_is_not_the_caller(level: float, is_caller: bool) -> None:
    listening = Listening().voiced(300, level=-22.0).quiet(1_000)
    before = len(listening.speech)
    listening.voiced(300, level=level).quiet(400)
    assert (len(listening.speech) > before) is is_caller


@pytest.mark.parametrize(("played", "level", "is_caller"), [(-18.0, -43.0, False), (-18.0, -41.0, True)])
def test_the_agents_echo_is_not_the_caller(played: float, level: float, is_caller: bool) -> None:
    listening = Listening()
    for at in range(0, 600, 20):
        listening.side.echo.played(at, played)
    listening.quiet(200).voiced(200, level=level).quiet(400)
    assert bool(listening.speech) is is_caller


@pytest.mark.parametrize("delay", [20, 200, 360])
def test_the_echo_of_a_recorded_voice_is_not_the_caller(delay: int, speech_dir: Path) -> None:
    """26 dB below what is played, where 24 are allowed for: frame by frame, not message by message."""
    for clip in read_corpus(speech_dir, "prompts-en")[:6]:
        audio = clip.recording("").audio
        step = Step(Policy())
        side = CallerSide(step.policy)
        playout = Playout(side.echo)
        playout.give(audio)
        back = bytes((mulaw.SILENCE,)) * delay * 8 + mulaw.encode(
            audioop.mul(mulaw.decode(audio), WIDTH, 10 ** (-26 / 20))
        )
        vad = open_vad("webrtc")
        for at in range(0, len(audio) // 8 - 20, 20):
            step.now = at
            playout.pump(step)
            frame = back[at * 8 : at * 8 + 160]
            step.now = at + 20
            side.hear(step, CallerAudio(frame, at, *vad.feed(frame)))
            assert not side.burst


def test_what_fades_away_is_over() -> None:
    listening = Listening().voiced(200, level=-20.0).voiced(80, level=-36.0)
    assert listening.side.burst and listening.side.hush == 80
    listening.voiced(20, level=-34.0)
    assert listening.side.hush == 0
    listening.quiet(60)
    listening.side.lose(listening.step, listening.media, 40)
    assert listening.side.hush == 100


def test_silence_is_counted_in_media_time() -> None:
    listening = Listening().voiced(200).quiet(60)
    listening.quiet(100, stall=300)
    assert listening.side.silence == 160 and listening.side.state is CallerState.PAUSING
    assert listening.side.media_end == 360


def test_lost_audio_is_silence() -> None:
    listening = Listening().voiced(200)
    listening.side.lose(listening.step, 200, 140)
    assert listening.side.speaking and listening.side.silence == 140
    listening.side.lose(listening.step, 340, 20)
    assert not listening.side.speaking and listening.side.media_end == 360


def test_a_second_detector_must_agree_where_it_is_asked() -> None:
    listening = Listening(confirmed=True).voiced(300)
    assert not listening.side.speaking
    listening.side.confirm(listening.step, 0.9)
    assert listening.voiced(60).side.speaking
    listening.side.confirm(listening.step, 0.1)
    assert not listening.voiced(160).side.speaking


@pytest.mark.parametrize(
    ("votes", "over", "eager"),
    [
        ((Vote.EAGER,), False, True),
        ((Vote.END,), True, True),
        ((Vote.EAGER, Vote.RESUMED), False, False),
        ((Vote.END, Vote.RESUMED), False, False),
    ],
)
def test_votes(votes: tuple[Vote, ...], over: bool, eager: bool) -> None:
    listening = Listening().voiced(200).quiet(200)
    for vote in votes:
        listening.side.vote(vote)
    assert (listening.side.turn.voted_over, listening.side.turn.eager) == (over, eager)
    listening.voiced(60)
    assert not listening.side.turn.voted_over and not listening.side.turn.eager


def test_a_turn_that_is_taken_while_speech_goes_on_leaves_a_new_one_open() -> None:
    listening = Listening().voiced(200)
    assert listening.side.take().voiced == 200
    assert listening.side.turn.open and listening.voiced(40).side.turn.voiced == 40
    listening.quiet(400)
    listening.side.take()
    assert not listening.side.turn.open and listening.side.state is CallerState.QUIET


# --- on a call ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0, 60])
def test_speech_events_lie_within_200_ms_of_the_true_edges(delay: int) -> None:
    caller = Caller().says("Good evening to you.", at=1_000).says("And another thing.", pause=1_500)
    caller.hangs_up(at=8_000)
    world = run_call(policy(), caller, phone=Phone(delay_ms=delay))
    edges = [(note.at, end.at) for note, end in zip(*_pairs(world), strict=True)]
    for (start, end), (_, begun, over) in zip(edges, caller.spoken, strict=True):
        assert abs(start - begun) <= 200 and abs(end - over) <= 200


def test_speech_that_the_hang_up_cuts_ends_too() -> None:
    world = by_hand(policy(), Caller().says("one two three four", at=1_000, lasts=4_000))
    world.at(2_500, CallerHungUp()).run()
    starts, ends = _pairs(world)
    assert len(starts) == len(ends) == 1


def test_the_agents_speech_has_one_pair_of_events_for_each_stretch_at_the_ear() -> None:
    caller = Caller().coughs(at=2_000).hangs_up(at=14_000)
    world = run_call(policy(LONG), caller)
    ends = [note.at for note in world.notes(SpeechEnded) if note.who == "agent"]
    starts = stretches(world, "agent")
    ear = world.phone.ear
    assert len(starts) == len(ends) == 2
    assert starts == [ear.spans[0].start // 8, ear.sound_after(ends[0] + 1)]
    assert ends[0] == ear.silence_after(starts[0]) and ends[1] == ear.silence_after(starts[1])


def _pairs(world: World) -> tuple[list[SpeechStarted], list[SpeechEnded]]:
    return (
        [note for note in world.notes(SpeechStarted) if note.who == "caller"],
        [note for note in world.notes(SpeechEnded) if note.who == "caller"],
    )
