"""The languages that an agent can be set to: BCP-47 tags of the languages for which a voice exists."""

from __future__ import annotations

import re

LANGUAGES = (
    "bg", "ca", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "hi", "hu", "id", "it", "ja", "ko",
    "lt", "lv", "ms", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sv", "th", "tr", "uk", "vi", "zh",
)  # fmt: skip
"""The primary subtags; any region or script may follow (``nl-BE``, ``de-CH``, ``zh-TW``)."""

LONGEST_TAG = 16

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def check_language(tag: str) -> str:
    """Return ``tag`` if it is a BCP-47 tag of a known language, 16 characters at most; else `ValueError`."""
    if tag == "multi":
        raise ValueError(
            "must be one language, not 'multi': no transcriber here follows a change of language"
        )
    if len(tag) > LONGEST_TAG:
        raise ValueError(f"must be at most {LONGEST_TAG} characters, not the {len(tag)} of {tag!r}")
    if not _TAG.fullmatch(tag):
        raise ValueError(f"must be a language tag such as 'en' or 'de-CH', not {tag!r}")
    if tag.split("-")[0].lower() not in LANGUAGES:
        raise ValueError(f"must be one of {', '.join(LANGUAGES)}, alone or with a region, not {tag!r}")
    return tag
