"""Telling a text that was read out from another one."""

from __future__ import annotations

import pytest

from engine.providers.realtime.verbatim import says


@pytest.mark.parametrize(
    ("transcript", "text"),
    [
        ("Good morning, this is Zoe", "Good morning! This is Zoe."),
        ("GUTEN TAG MÜLLER", "Guten Tag, Müller."),
        ("You are open till five.", "You are open till 5."),
        ("It costs 20 euros.", "It costs twenty euros."),
        ("That is twenty percent off.", "That is 20% off."),
        ("नमस्ते", "नमस्ते!"),
        ("", "..."),
    ],
)
def test_read_out(transcript: str, text: str) -> None:
    assert says(transcript, text)


@pytest.mark.parametrize(
    ("transcript", "text"),
    [
        ("Sure! Good morning.", "Good morning."),
        ("Good morning. How can I help?", "Good morning."),
        ("Good", "Good morning."),
        ("Are you there?", "Are you still there?"),
        ("You are open till five.", "You were open till 5."),
        ("", "Good morning."),
    ],
)
def test_something_else(transcript: str, text: str) -> None:
    assert not says(transcript, text)
