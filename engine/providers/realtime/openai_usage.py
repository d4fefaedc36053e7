"""What OpenAI's Realtime API says a response or a transcription cost: pure.

Follows the ``usage`` of https://developers.openai.com/api/reference/resources/realtime: a response and a
transcription with a token price tell tokens, of text and of audio.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.core.events import Usage


def usage_of(cost: Mapping[str, Any]) -> Usage:
    """The ``usage`` object of an event, in tokens; what it leaves out is 0."""
    taken, given = cost.get("input_token_details") or {}, cost.get("output_token_details") or {}
    kept = taken.get("cached_tokens_details") or {}
    return Usage(
        input_tokens=cost.get("input_tokens") or 0,
        output_tokens=cost.get("output_tokens") or 0,
        cached_tokens=taken.get("cached_tokens") or 0,
        input_audio_tokens=taken.get("audio_tokens") or 0,
        output_audio_tokens=given.get("audio_tokens") or 0,
        cached_audio_tokens=kept.get("audio_tokens") or 0,
    )
