"""What a demo call leaves behind, read for tests."""

from __future__ import annotations

import wave
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from engine.core import effects as fx
from engine.core import events as ev
from engine.core.effects import Effect
from engine.core.events import Event
from engine.observe.journal import read_steps

RATE = 8_000


@dataclass
class Call:
    """What a demo call left behind."""

    printed: list[str]
    status: int
    folder: Path

    @cached_property
    def record(self) -> dict[str, Any]:
        return dict(orjson.loads((self.folder / "record.json").read_bytes()))

    @cached_property
    def transcript(self) -> list[dict[str, Any]]:
        return list(orjson.loads((self.folder / "transcript.json").read_bytes()))

    @cached_property
    def tracks(self) -> tuple[array[int], array[int]]:
        """The caller's and the agent's samples in the recording."""
        with wave.open(str(self.folder / "recording.wav")) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, RATE)
            samples = array("h", file.readframes(file.getnframes()))
        return samples[0::2], samples[1::2]

    @cached_property
    def steps(self) -> list[tuple[int, Event | None, list[Effect]]]:
        return [(step.now, step.event, step.effects()) for step in read_steps(self.folder / "journal.jsonl")]

    @property
    def interrupted(self) -> dict[str, Any]:
        """The agent's message that was cut off."""
        return next(line for line in self.transcript if line["interrupted"])

    def notes(self, kind: type[Any], **fields: object) -> list[Any]:
        return [
            effect
            for _, _, effects in self.steps
            for effect in effects
            if isinstance(effect, kind)
            and all(getattr(effect, name) == value for name, value in fields.items())
        ]

    def spoken(self, reply: int) -> Iterator[tuple[bytes, list[tuple[str, int]]]]:
        """What the voice made of a reply, piece by piece: µ-law, and words with their first sample."""
        pieces: dict[int, tuple[bytearray, list[tuple[str, int]]]] = {}
        for _, event, _ in self.steps:
            if isinstance(event, ev.VoiceAudio | ev.VoiceWords) and event.reply == reply:
                audio, words = pieces.setdefault(event.piece, (bytearray(), []))
                if isinstance(event, ev.VoiceAudio):
                    audio += event.payload
                else:
                    words += [(word.text, word.start) for word in event.words]
        for _, (audio, words) in sorted(pieces.items()):
            yield bytes(audio), words

    def heard(self) -> dict[int, list[tuple[int, int]]]:
        """By reply: when (call time, ms) and for how long (samples) its audio was heard."""
        heard: dict[int, list[tuple[int, int]]] = {}
        pending: list[tuple[int, int]] = []
        for _, _, effects in self.steps:
            for effect in effects:
                if isinstance(effect, fx.AudioHeard):
                    pending.append((effect.at, len(effect.payload)))
                elif type(effect).__name__ == "ReplyEnded" and pending:
                    heard[effect.reply] = pending  # type: ignore[union-attr]
                    pending = []
        return heard
