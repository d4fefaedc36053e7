"""What a call used, in the units that vendors bill: in all, and by vendor and model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from pydantic import BaseModel, ConfigDict

from engine.core.events import Usage, VendorUsed

ROLES = ("transcriber", "model", "voice")

VendorNames = Mapping[str, Sequence[Sequence[str]]]
"""The vendor and the model of each provider, by role, in the agent's order of preference."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class VendorUsage(_Part):
    """What was asked of one vendor in one role; units that are not the role's are 0.

    Drafts that were dropped, requests that failed and audio that was given again are in it: they are billed.
    Speech that was kept from another call is not.
    """

    role: str
    vendor: str
    model: str
    """Empty for a vendor whose models have no names."""
    requests: int
    """Requests to a model; in the role of voice the fixed texts that one was asked to speak."""
    requests_untold: int
    """Those of them whose tokens the vendor did not tell, because they failed or were no longer wanted."""
    input_tokens: int
    cached_tokens: int
    """Those of the input tokens that the vendor had kept."""
    output_tokens: int
    input_audio_tokens: int
    """Here and below: those of the tokens above that are sound."""
    output_audio_tokens: int
    cached_audio_tokens: int
    characters: int
    """Characters given to a voice."""
    audio_seconds: float
    """Audio of the caller given to a transcriber."""


class UsageRecord(_Part):
    """The sums over all vendors, and the vendors themselves."""

    model_requests: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    input_audio_tokens: int
    output_audio_tokens: int
    cached_audio_tokens: int
    voice_characters: int
    transcriber_seconds: float
    vendors: list[VendorUsage]
    """Those that were asked for anything, by role and in the agent's order."""


@dataclass(slots=True)
class _Sum:
    """The units of one vendor so far."""

    requests: int = 0
    untold: int = 0
    characters: int = 0
    audio_ms: int = 0
    tokens: Usage = field(default_factory=Usage)


class UsageFold:
    """Adds up `VendorUsed`."""

    def __init__(self, names: VendorNames) -> None:
        self._names = names
        self._sums: dict[tuple[int, int], _Sum] = {}
        """By the role's place in `ROLES` and the vendor's in the agent's order."""

    def add(self, used: VendorUsed) -> None:
        """Take one entry."""
        entry = self._sums.setdefault((ROLES.index(used.role), used.vendor), _Sum())
        entry.requests += used.requests
        entry.characters += used.characters
        entry.audio_ms += used.audio_ms
        if used.tokens is None:
            entry.untold += used.requests
        else:
            entry.tokens += used.tokens

    def record(self) -> UsageRecord:
        """The sums as of now."""
        sums = self._sums.values()
        return UsageRecord(
            model_requests=sum(each.requests for each in sums),
            **asdict(sum((each.tokens for each in sums), Usage())),
            voice_characters=sum(each.characters for each in sums),
            transcriber_seconds=sum(each.audio_ms for each in sums) / 1000,
            vendors=[self._vendor(*key) for key in sorted(self._sums)],
        )

    def _vendor(self, role: int, place: int) -> VendorUsage:
        entry = self._sums[role, place]
        named = self._names.get(ROLES[role], ())
        vendor, model = named[place] if place < len(named) else ("", "")
        return VendorUsage(
            role=ROLES[role],
            vendor=vendor,
            model=model,
            requests=entry.requests,
            requests_untold=entry.untold,
            **asdict(entry.tokens),
            characters=entry.characters,
            audio_seconds=entry.audio_ms / 1000,
        )
