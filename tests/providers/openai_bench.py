"""What the tests of OpenAI's language models share: the stand-in, both models, a reply and its failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from engine.core.conversation import Message
from engine.core.events import Survived
from engine.providers.contracts import (
    Finished,
    LanguageModel,
    ProviderError,
    TextDelta,
    ToolCallDelta,
    ToolSpec,
)
from engine.providers.llm.openai_chat import OpenAIChatModel
from engine.providers.llm.openai_responses import OpenAIResponsesModel
from fixtures.openai import OpenAI

PATIENCE = 10  # seconds until something that should come has failed
HELLO = (Message("system", "Be brief."), Message("user", "Hello?"))
KINDS = [OpenAIChatModel, OpenAIResponsesModel]
Kind = type[OpenAIChatModel] | type[OpenAIResponsesModel]


@pytest.fixture
async def vendor() -> AsyncIterator[OpenAI]:
    async with OpenAI() as vendor:
        yield vendor


def connect(kind: Kind, vendor: OpenAI, model: str = "gpt-4o", **options: Any) -> LanguageModel:
    """A model that talks to the stand-in."""
    return kind(vendor.api_key, model=model, base_url=vendor.url, **options)


async def reply(
    model: LanguageModel, messages: Sequence[Message] = HELLO, tools: Sequence[ToolSpec] = ()
) -> tuple[str, list[ToolCallDelta], Finished]:
    """A whole reply of a model, which is closed then: its text, its tool calls and its end."""
    try:
        async with asyncio.timeout(PATIENCE):
            *deltas, finished = [delta async for delta in model.generate(messages, tools)]
    finally:
        await model.close()
    assert isinstance(finished, Finished)
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    return text, [delta for delta in deltas if isinstance(delta, ToolCallDelta)], finished


async def failure(model: LanguageModel) -> tuple[str, ProviderError]:
    """What a reply had said when it failed, and how it failed; the model is closed then."""
    text = ""
    try:
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(ProviderError) as failed:
                async for delta in model.generate(HELLO, ()):
                    assert isinstance(delta, TextDelta | Survived)
                    text += delta.text if isinstance(delta, TextDelta) else ""
    finally:
        await model.close()
    return text, failed.value
