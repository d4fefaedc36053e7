"""What the models behind OpenAI's two APIs have in common: their options and their connections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.providers.llm.openai_options import Options
from engine.providers.openai_http import OpenAIClient


class OpenAIModel:
    """One model, its options and its connections: a `LanguageModel` but for ``generate``."""

    def __init__(
        self,
        client: OpenAIClient,
        options: Options,
        fixed: Mapping[str, Any],
        extra: Mapping[str, Any] | None,
    ) -> None:
        """``fixed`` are fields of every request, ``extra`` more of them, which go before all others."""
        self._client = client
        self._options = options
        self._fixed = fixed
        self._extra = dict(extra or {})

    async def models(self) -> tuple[str, ...]:
        """The names of the models that the server offers. Raises `ProviderError`."""
        return await self._client.models()

    async def warm(self) -> None:
        """See `engine.providers.contracts.Warms`."""
        await self._client.warm()

    async def close(self) -> None:
        """Close the connections; replies that still stream break off."""
        await self._client.close()
