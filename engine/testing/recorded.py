"""Recorded people as callers: real sound, a real voice detector, and the words that are known to be in it.

    hello = Recording.load(Path("hello.wav"), "Hello, I'd like a table.")
    caller = RecordedCaller().plays(hello, when=agent_silent(300)).hangs_up(pause=4_000)
    world = run_call(policy, caller)

The frames carry the recording's own µ-law bytes, and the level and the voice that a detector of
`engine.audio.vad` finds in them. What the scripted transcriber hears is the recording's text, spread over the
speech in it. Where no recording plays there is line noise, or a background of one's own.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.audio import mulaw
from engine.audio._pcm import FULL_SCALE, WIDTH, audioop
from engine.audio.level import DIGITAL_SILENCE, level_dbfs
from engine.audio.silero import SileroModel, SileroState
from engine.audio.vad import open_vad
from engine.core.events import VoiceVote
from engine.testing.caller import FRAME, Caller, SaidWord
from engine.testing.script import Action, Cue

if TYPE_CHECKING:
    from engine.testing.world import World

LINE_NOISE = -62.0
"""dBFS of the noise on the line where nothing else is to be heard."""
SHORTEST_STRETCH = 100
"""ms; speech between two pauses that is shorter holds no word."""
LOUD = 30.0
"""dB below a recording's loudest frame down to which sound counts as its speech, where no label tells."""

_PCM, _MULAW = 1, 7
"""WAVE format tags."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Telephone audio (µ-law, 8 kHz) and what is said in it."""

    audio: bytes = field(repr=False)
    text: str = field(default="", repr=False)
    speech: tuple[tuple[int, int], ...] = ()
    """The stretches over which the words are spread, ``(start, end)`` in ms, in order; empty: no words."""
    last_word_start: int | None = None
    """Where the last word begins, if that is known, ms."""

    @classmethod
    def load(
        cls,
        path: Path,
        text: str = "",
        *,
        start: int | None = None,
        end: int | None = None,
        pauses: Sequence[tuple[int, int]] = (),
        last_word_start: int | None = None,
    ) -> Recording:
        """Read a WAV file: mono, 8 kHz, 16-bit PCM or µ-law.

        ``start`` and ``end`` of the speech and the ``pauses`` in it are ms of the file; an end that is not
        given is where the sound is loud (`loud_part`). Raises `OSError`, and `ValueError` for another format.
        """
        audio = read_wav(path)
        begins, ends = loud_part(audio)
        begins = begins if start is None else start
        speech = _without(pauses, begins, ends if end is None else end)
        return cls(audio, text, speech, last_word_start)

    @property
    def length(self) -> int:
        """Whole ms."""
        return len(self.audio) // mulaw.BYTES_PER_MS

    @property
    def start(self) -> int:
        """Where the speech begins, ms; 0 if there is none."""
        return self.speech[0][0] if self.speech else 0

    @property
    def end(self) -> int:
        """Where the speech ends, ms; the whole length if there is none."""
        return self.speech[-1][1] if self.speech else self.length

    def words(self) -> list[SaidWord]:
        """The words in ms of the recording, each as long as its share of the letters."""
        words = self.text.split()
        if self.last_word_start is None or len(words) < 2:
            return _spread(words, [self._loud(start, end) for start, end in self.speech])
        last = SaidWord(words[-1], *self._loud(self.last_word_start, self.end))
        head = [(start, min(end, self.last_word_start)) for start, end in self.speech]
        head = [(start, end) for start, end in head if end - start >= SHORTEST_STRETCH] or [*self.speech]
        return [*_spread(words[:-1], [self._loud(start, end) for start, end in head]), last]

    def _loud(self, start: int, end: int) -> tuple[int, int]:
        """The loud part of a stretch: people and detectors mark it generously."""
        first, last = loud_part(self.sound(start, end).audio)
        return start + first, start + last

    def louder(self, db: float) -> Recording:
        """The same sound ``db`` louder (below 0: softer)."""
        pcm = audioop.mul(mulaw.decode(self.audio), WIDTH, 10 ** (db / 20))
        return replace(self, audio=mulaw.encode(pcm))

    def sound(self, start: int, end: int) -> Recording:
        """The sound from ``start`` to ``end`` (ms) alone, without words: a background."""
        return Recording(self.audio[start * mulaw.BYTES_PER_MS : end * mulaw.BYTES_PER_MS])


@dataclass(frozen=True, slots=True)
class _Play:
    """A line of the script: play a recording."""

    recording: Recording


class RecordedCaller(Caller):
    """A caller whose lines may be recordings; the other lines of `Caller` sound as they do there.

    ``vad`` is the detector: ``level`` or ``webrtc``. With ``votes`` the model votes as well, ``vote_delay``
    ms after the audio it judges. ``background`` plays, over and over, where no recording does. Lines follow
    each other; `played` tells when each recording began.
    """

    def __init__(
        self,
        *,
        joins: int | None = 0,
        vad: str = "webrtc",
        votes: SileroModel | None = None,
        vote_delay: int = 20,
        background: Recording | None = None,
    ) -> None:
        super().__init__(joins=joins)
        open_vad(vad)  # an unknown detector, or one whose library is missing, is an error here
        self._vad_name = vad
        self._votes = votes
        self._vote_delay = vote_delay
        self._background = background.audio if background is not None else line_noise()
        self.played: list[tuple[Recording, int]] = []
        """The recordings that were begun, with the call time of their first sample (ms)."""

    def plays(
        self, recording: Recording, *, at: int | None = None, when: Cue | None = None, pause: int = 0
    ) -> RecordedCaller:
        """Play a recording at a cue (see `Caller`). The line is over when its last sample was played."""
        # The script's own actions are a closed union; `_act` takes this one out before they are matched.
        self._add(at, when, pause, _Play(recording))  # type: ignore[arg-type]
        return self

    def enter(self, world: World) -> None:
        """Start to play in a world, from the script's first line."""
        super().enter(world)
        self.played = []
        self._vad = open_vad(self._vad_name)
        self._votes_on = SileroState()

    def _act(self, action: Action | _Play, begins: int) -> None:
        if not isinstance(action, _Play):
            super()._act(action, begins)
            return
        recording = action.recording
        self._over = begins + recording.length
        self.played.append((recording, begins))
        if recording.text:
            self.spoken.append((recording.text, begins + recording.start, begins + recording.end))
            for word in recording.words():
                self.words.append(SaidWord(word.text, begins + word.start, begins + word.end))

    def _hear(self, start: int, now: int) -> tuple[bytes, float, float]:
        """The frame that ends now: the recordings' bytes, as a real detector judges them."""
        payload = self._sound(start)
        level, voice = self._vad.feed(payload)
        if self._sounds or self._world.phone.echo_db is not None:
            level, voice = max((level, voice), self._loudest(start, now))
        if self._votes is not None:
            self._vote(self._votes, payload, start - self._opened)
        return payload, level, voice

    def _sound(self, start: int) -> bytes:
        """The µ-law bytes of the frame that begins at call time ``start``: background, and what plays."""
        background = self._background
        place = start * mulaw.BYTES_PER_MS % len(background)
        length = FRAME * mulaw.BYTES_PER_MS
        payload = background[place : place + length]
        while len(payload) < length:
            payload += background[: length - len(payload)]
        for recording, begins in self.played[-2:]:
            offset = (start - begins) * mulaw.BYTES_PER_MS
            before = max(0, -offset)
            part = recording.audio[max(0, offset) : max(0, offset + length)]
            payload = payload[:before] + part + payload[before + len(part) :]
        return payload

    def _vote(self, model: SileroModel, payload: bytes, at: int) -> None:
        """Have the model judge the windows that a frame completes."""
        state = self._votes_on
        for window in state.feed(payload):
            (probability,) = model.infer([state], [window])
            self._world.later(self._vote_delay, VoiceVote(at + FRAME, probability))


def read_wav(path: Path) -> bytes:
    """The µ-law bytes of a WAV file: mono, 8 kHz, 16-bit PCM or µ-law. Raises `OSError`, `ValueError`."""
    chunks = dict(_chunks(path.read_bytes(), path))
    if b"fmt " not in chunks or b"data" not in chunks:
        raise ValueError(f"{path}: no WAV file with sound in it")
    encoding, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunks[b"fmt "])
    if (channels, rate) != (1, 8000) or (encoding, bits) not in ((_PCM, 16), (_MULAW, 8)):
        raise ValueError(f"{path}: neither 16-bit PCM nor µ-law at 8 kHz, mono")
    data = chunks[b"data"]
    return data if encoding == _MULAW else mulaw.encode(data[: len(data) // WIDTH * WIDTH])


def loud_part(audio: bytes) -> tuple[int, int]:
    """First and last ms of the sound within `LOUD` dB of the loudest frame of 20 ms; clicks do not count.

    The end of a person's speech where nobody marked it: three frames in a row make a sound.
    """
    step = FRAME * mulaw.BYTES_PER_MS
    levels = [level_dbfs(audio[at : at + step]) for at in range(0, len(audio) - step + 1, step)]
    least = max(levels, default=0.0) - LOUD
    loud = [min(three) >= least for three in zip(levels, levels[1:], levels[2:], strict=False)]
    if not any(loud):
        return 0, len(audio) // mulaw.BYTES_PER_MS
    last = len(loud) - 1 - loud[::-1].index(True)
    return loud.index(True) * FRAME, (last + 3) * FRAME


def loud_level(audio: bytes) -> float:
    """How loud the speech in a recording is: the level that a tenth of its frames of 20 ms reach, dBFS."""
    step = FRAME * mulaw.BYTES_PER_MS
    levels = sorted(level_dbfs(audio[at : at + step]) for at in range(0, len(audio), step))
    return levels[len(levels) * 9 // 10] if levels else DIGITAL_SILENCE


def line_noise(level: float = LINE_NOISE, ms: int = 2_000) -> bytes:
    """White noise of ``level`` dBFS, always the same (µ-law)."""
    rng = random.Random(level)
    rms = FULL_SCALE * 10 ** (level / 20)
    samples = (round(rng.gauss(0, rms)) for _ in range(ms * mulaw.BYTES_PER_MS))
    return mulaw.encode(b"".join(sample.to_bytes(WIDTH, "little", signed=True) for sample in samples))


def _chunks(data: bytes, path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a RIFF file: name and body."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError(f"{path}: no WAV file")
    at = 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        yield name, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _without(pauses: Sequence[tuple[int, int]], start: int, end: int) -> tuple[tuple[int, int], ...]:
    """The stretches of speech between ``start`` and ``end`` that the pauses leave."""
    found, at = [], start
    for begins, ends in [*sorted(pauses), (end, end)]:
        if begins - at >= SHORTEST_STRETCH:
            found.append((at, begins))
        at = max(at, ends)
    return tuple(found)


def _spread(words: Sequence[str], speech: Sequence[tuple[int, int]]) -> list[SaidWord]:
    """Words over stretches of speech, each as long as its share of the letters."""
    letters = sum(map(len, words))
    whole = sum(end - start for start, end in speech)
    if not letters or not whole:
        return []
    found, before = [], 0
    for word in words:
        start, end = before * whole // letters, (before + len(word)) * whole // letters
        found.append(SaidWord(word, _placed(start, speech, False), _placed(end, speech, True)))
        before += len(word)
    return found


def _placed(spoken: int, speech: Sequence[tuple[int, int]], ends: bool) -> int:
    """Where the moment lies that has ``spoken`` ms of speech before it; an end comes before a pause."""
    for start, end in speech:
        if spoken < end - start or (ends and spoken == end - start):
            return start + spoken
        spoken -= end - start
    return speech[-1][1]
