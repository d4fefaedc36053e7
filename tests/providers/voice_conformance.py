"""What every voice must do: subclass `VoiceConformance` in a test module and give it a ``voice`` fixture.

The events are waited for, never timed; a voice that stays silent fails by the time-out of `collect`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from engine.audio import mulaw
from engine.audio.level import level_dbfs, pcm_level_dbfs
from engine.core.events import SpokenWord, Survived, VoiceAudio, VoiceDone, VoiceFailed, VoiceWords
from engine.providers.contracts import PieceEvent, Voice, VoiceEvent, VoiceStream

SENTENCE = "Good morning, your order  will be ready at half past nine - is that fine?"
LONG = "The weather was fine and the sea was calm when the ship left the harbour at last. " * 12
PATIENCE = 10  # seconds until a voice that gives nothing has failed


@dataclass
class Spoken:
    """All that came of one piece."""

    events: list[PieceEvent] = field(default_factory=list)

    @property
    def audio(self) -> bytes:
        return b"".join(event.payload for event in self.events if isinstance(event, VoiceAudio))

    @property
    def words(self) -> list[SpokenWord]:
        return [word for event in self.events if isinstance(event, VoiceWords) for word in event.words]

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def ms(self) -> float:
        return len(self.audio) / mulaw.BYTES_PER_MS


async def collect(stream: VoiceStream, pieces: int) -> list[VoiceEvent]:
    """The events until so many pieces have come to their end."""
    events: list[VoiceEvent] = []
    async with asyncio.timeout(PATIENCE):
        while pieces:
            event = await anext(aiter(stream))
            events.append(event)
            pieces -= isinstance(event, VoiceDone | VoiceFailed)
    return events


def by_piece(events: list[VoiceEvent]) -> dict[tuple[int, int], Spoken]:
    """The events of each (reply, piece)."""
    pieces: dict[tuple[int, int], Spoken] = {}
    for event in events:
        assert not isinstance(event, Survived)
        pieces.setdefault((event.reply, event.piece), Spoken()).events.append(event)
    return pieces


async def speak(voice: Voice, *texts: str) -> list[Spoken]:
    """Texts as the pieces of one reply, in a stream of their own."""
    stream = await voice.open()
    for piece, text in enumerate(texts):
        stream.say(1, piece, text)
    pieces = by_piece(await collect(stream, len(texts)))
    await stream.close()
    return [pieces[1, piece] for piece in range(len(texts))]


def silent_ms(audio: bytes, *, at_end: bool = False) -> int:
    """How long the audio is silent (below -50 dBFS) at its beginning or end, in steps of 5 ms."""
    blocks = [audio[at : at + 40] for at in range(0, len(audio), 40)]
    for count, block in enumerate(reversed(blocks) if at_end else blocks):
        if level_dbfs(block) > -50:
            return 5 * count
    return 5 * len(blocks)


def speech_level(audio: bytes) -> float:
    """RMS level without the pauses, dBFS."""
    pcm = mulaw.decode(audio)
    blocks = (pcm[at : at + 80] for at in range(0, len(pcm), 80))
    return pcm_level_dbfs(b"".join(block for block in blocks if pcm_level_dbfs(block) > -45))


class VoiceConformance:
    """The contract of `engine.providers.contracts.VoiceStream`, as tests."""

    @pytest.fixture
    async def stream(self, voice: Voice) -> AsyncIterator[VoiceStream]:
        stream = await voice.open()
        yield stream
        await stream.close()

    async def test_pieces_come_in_order_and_each_ends_with_done(self, stream: VoiceStream) -> None:
        for piece, text in enumerate(("One moment please.", "Here it is,", "all of it.")):
            stream.say(7, piece, text)
        events = await collect(stream, 3)
        assert [event.piece for event in events] == sorted(event.piece for event in events)
        assert {event.reply for event in events} == {7}
        for piece in by_piece(events).values():
            assert isinstance(piece.events[-1], VoiceDone)
            assert sum(isinstance(event, VoiceDone) for event in piece.events) == 1
            assert piece.ms > 200

    async def test_the_words_are_the_text_and_lie_in_the_audio(self, voice: Voice) -> None:
        (spoken,) = await speak(voice, SENTENCE)
        assert spoken.text == " ".join(SENTENCE.split())
        starts = [word.start for word in spoken.words]
        assert starts == sorted(starts)
        assert starts[0] >= 0
        assert starts[-1] < len(spoken.audio) - 400, "the last word has a sound too"
        assert len(set(starts)) > len(starts) / 2, "most words have a place of their own"

    async def test_words_come_no_later_than_their_audio(self, voice: Voice) -> None:
        (spoken,) = await speak(voice, SENTENCE)
        given = 0
        for event in spoken.events:
            if isinstance(event, VoiceAudio):
                given += len(event.payload)
            elif isinstance(event, VoiceWords) and given:
                assert event.words[0].start >= given

    async def test_a_cancelled_reply_gives_nothing_more(self, stream: VoiceStream) -> None:
        stream.say(1, 0, LONG)
        stream.say(1, 1, LONG)
        async with asyncio.timeout(PATIENCE):
            while not isinstance(await anext(aiter(stream)), VoiceAudio):
                pass
        stream.cancel(1)
        stream.say(2, 0, "Something else.")
        events = await collect(stream, 1)
        assert {event.reply for event in events} == {2}
        assert by_piece(events)[2, 0].text == "Something else."

    async def test_cancel_before_the_start_leaves_other_replies_alone(self, stream: VoiceStream) -> None:
        stream.say(1, 0, LONG)
        stream.say(2, 0, "The other one.")
        stream.cancel(1)
        stream.cancel(99)
        events = await collect(stream, 1)
        assert {event.reply for event in events} == {2}

    async def test_closing_twice_ends_the_iteration(self, stream: VoiceStream) -> None:
        stream.say(1, 0, LONG)
        await stream.close()
        await stream.close()
        stream.say(1, 1, "Too late.")
        stream.cancel(1)
        async with asyncio.timeout(PATIENCE):
            assert [event async for event in stream] == []

    async def test_closing_ends_an_iteration_that_waits(self, stream: VoiceStream) -> None:
        waiting = asyncio.ensure_future(anext(aiter(stream)))
        await asyncio.sleep(0)
        await stream.close()
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(waiting, PATIENCE)

    async def test_two_streams_do_not_mix(self, voice: Voice) -> None:
        texts = (SENTENCE, "No.")
        alone = [(await speak(voice, text))[0] for text in texts]
        streams = [await voice.open() for _ in texts]
        for turn in range(3):
            for stream, text in zip(streams, texts, strict=True):
                stream.say(turn, 0, text)
        both = await asyncio.gather(*(collect(stream, 3) for stream in streams))
        for events, text, before in zip(both, texts, alone, strict=True):
            for spoken in by_piece(events).values():
                assert spoken.text == " ".join(text.split())
                assert spoken.ms == pytest.approx(before.ms, rel=0.05)
        for stream in streams:
            await stream.close()

    async def test_the_loop_runs_on_during_a_long_synthesis(self, stream: VoiceStream) -> None:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        stream.say(1, 0, LONG)
        events = await collect(stream, 1)
        counting.cancel()
        assert turns > 3 * len(events), "the loop only ran when an event woke it"

    async def test_a_piece_without_words_is_done_at_once(self, voice: Voice) -> None:
        silent, spoken = await speak(voice, "...", "Yes.")
        assert isinstance(silent.events[-1], VoiceDone)
        assert silent.text == "..."
        assert spoken.ms > 100

    async def test_awkward_text_is_only_text(self, voice: Voice) -> None:
        texts = ("-voice kal16", '$(exit) `exit`; "it\'s" <b>fine</b> & [[x]]', "Nul \0 and \x07 bell 😀", "")
        for text, spoken in zip(texts, await speak(voice, *texts), strict=True):
            assert isinstance(spoken.events[-1], VoiceDone)
            assert spoken.text == " ".join(text.split())

    async def test_speech_has_the_common_level_and_does_not_clip(self, voice: Voice) -> None:
        (spoken,) = await speak(voice, SENTENCE)
        assert speech_level(spoken.audio) == pytest.approx(-20, abs=2.5)
        loudest = {mulaw.encode(sample.to_bytes(2, "little", signed=True)) for sample in (32767, -32768)}
        assert not any(code in spoken.audio for code in loudest)

    async def test_sentences_are_set_apart_and_a_reply_ends_with_its_last_sound(self, voice: Voice) -> None:
        first, second, third = await speak(voice, "That is all,", "my friend.", "Good bye.")
        assert silent_ms(first.audio) <= 20
        assert 100 <= silent_ms(first.audio, at_end=True) + silent_ms(second.audio) <= 180
        assert 250 <= silent_ms(second.audio, at_end=True) + silent_ms(third.audio) <= 350
        assert silent_ms(third.audio, at_end=True) <= 60
