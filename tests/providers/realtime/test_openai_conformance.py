"""A line to OpenAI Realtime keeps the contracts of a transcriber, of a voice and of a language model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from itertools import count

import pytest

from engine.core.conversation import Message
from engine.providers.contracts import (
    AudioDelta,
    Finished,
    TextDelta,
    ToolCallDelta,
    ToolSpec,
    Transcriber,
    Voice,
)
from engine.providers.realtime.openai import OpenAIRealtime
from fixtures.openai_playbook import by_playbook
from fixtures.openai_realtime import OpenAIRealtimeServer
from tests.providers.model_conformance import PLAYBOOK, Make, ModelConformance
from tests.providers.realtime.bench import UTTERANCES, model_of, opened, stand_in
from tests.providers.transcriber_conformance import TranscriberConformance, Utterance
from tests.providers.voice_conformance import VoiceConformance


class TestTranscriber(TranscriberConformance):
    @pytest.fixture
    async def transcriber(self) -> AsyncIterator[Transcriber]:
        async with stand_in() as vendor:
            model = model_of(vendor)
            yield model.line().transcriber
            await model.close()

    @pytest.fixture
    def utterances(self) -> tuple[Utterance, Utterance]:
        return UTTERANCES


class TestVoice(VoiceConformance):
    @pytest.fixture
    async def voice(self) -> AsyncIterator[Voice]:
        async with opened(stand_in(rate=100)) as bench:
            yield bench.line.voice

    # the vendor gives no word times, and pauses between sentences are its own
    test_the_words_are_the_text_and_lie_in_the_audio = None
    test_words_come_no_later_than_their_audio = None
    test_a_cancelled_reply_gives_nothing_more = None
    test_two_streams_do_not_mix = None
    test_awkward_text_is_only_text = None
    test_sentences_are_set_apart_and_a_reply_ends_with_its_last_sound = None


class SilentModel:
    """A line as a language model: its text and tool calls, without the sound."""

    def __init__(self, model: OpenAIRealtime) -> None:
        self._model = model
        self._line = model.line()
        self._attempts = count()
        self._open = asyncio.Lock()
        self._opened = False

    async def generate(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncIterator[TextDelta | ToolCallDelta | Finished]:
        async with self._open:
            if not self._opened:
                await self._line.transcriber.open()
            self._opened = True
        async with aclosing(self._line.respond(next(self._attempts), messages, tools)) as deltas:
            async for delta in deltas:
                if not isinstance(delta, AudioDelta):
                    yield delta

    async def close(self) -> None:
        await self._model.close()


class TestModel(ModelConformance):
    @pytest.fixture
    async def make(self) -> AsyncIterator[Make]:
        vendors = [OpenAIRealtimeServer(answer=by_playbook(PLAYBOOK)) for _ in range(2)]
        for vendor in vendors:
            await vendor.start()
        waiting = list(vendors)

        def make(first_token_ms: float = 0, tokens_per_second: float | None = None) -> SilentModel:
            vendor = waiting.pop()
            vendor.first_token, vendor.tokens_per_second = first_token_ms, tokens_per_second or 0
            return SilentModel(model_of(vendor))

        yield make
        for vendor in vendors:
            await vendor.stop()
