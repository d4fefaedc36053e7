"""The languages that an agent can be set to: BCP-47 tags of the languages that some vendor knows."""

from __future__ import annotations

import re

from engine.catalogue import LANGUAGES, MULTI

LONGEST_TAG = 16

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def check_language(tag: str) -> str:
    """Return ``tag`` if it is ``multi`` or a BCP-47 tag of a known language, 16 characters at most.

    Any region or script may follow the language (``nl-BE``, ``de-CH``, ``zh-TW``). Raises `ValueError`.
    """
    if len(tag) > LONGEST_TAG:
        raise ValueError(f"must be at most {LONGEST_TAG} characters, not the {len(tag)} of {tag!r}")
    if tag == MULTI:
        return tag
    if not _TAG.fullmatch(tag):
        raise ValueError(f"must be a language tag such as 'en' or 'de-CH', not {tag!r}")
    if tag.split("-")[0].lower() not in LANGUAGES:
        raise ValueError(
            f"must be one of {', '.join(LANGUAGES)}, alone or with a region, or '{MULTI}', not {tag!r}"
        )
    return tag
