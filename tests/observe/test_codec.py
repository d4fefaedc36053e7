"""Every event, effect, note and policy goes to JSON and back; what is no such thing is refused by name."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from enum import Enum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio import mulaw
from engine.core.effects import FeedTranscriber, Speak
from engine.core.events import CallerAudio, FinalWords, ModelAudio, VoiceAudio
from engine.core.notes import Note
from engine.core.policy import Policy
from engine.observe import codec


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a type hint, as the core may make it."""
    if hint is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    if hint is int:
        return st.integers(-(2**53), 2**53)
    if hint in (str, bool):
        return st.from_type(hint)
    if hint is bytes:
        return st.binary(max_size=40)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        return st.builds(hint, **{field.name: values(hints[field.name]) for field in fields(hint)})
    if get_origin(hint) is tuple:
        return st.lists(values(get_args(hint)[0]), max_size=2).map(tuple)
    assert get_origin(hint) is UnionType, hint
    some, none = get_args(hint)
    assert none is NoneType, hint
    return st.none() | values(some)


def silenced(record: Any) -> Any:
    """The record with its audio as a journal gives it back."""
    if isinstance(record, VoiceAudio | ModelAudio) or not hasattr(record, "payload"):
        return record
    return replace(record, payload=mulaw.silence(1)[:1] * len(record.payload))


def through_json(record: Any) -> Any:
    return orjson.loads(codec.dumps(codec.encode(record)))


@pytest.mark.parametrize("kind", codec.EVENT_TYPES.values(), ids=lambda kind: kind.__name__)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_every_event_comes_back(kind: type, data: st.DataObject) -> None:
    event = data.draw(values(kind))
    assert codec.decode_event(through_json(event)) == silenced(event)


@pytest.mark.parametrize("kind", codec.EFFECT_TYPES.values(), ids=lambda kind: kind.__name__)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_every_effect_and_note_comes_back(kind: type, data: st.DataObject) -> None:
    effect = data.draw(values(kind))
    assert codec.decode_effect(through_json(effect)) == silenced(effect)


@settings(max_examples=50, deadline=None)
@given(policy=values(Policy))
def test_a_policy_comes_back(policy: Policy) -> None:
    assert codec.decode(Policy, orjson.loads(codec.dumps(policy))) == policy


def test_no_kind_of_note_is_forgotten() -> None:
    assert {kind.__name__ for kind in Note.__subclasses__()} == set(codec.NOTE_TYPES)


def test_the_callers_audio_is_written_as_its_length_and_the_agents_whole() -> None:
    frame = CallerAudio(b"\x01" * 160, 20, -30.0, 0.5)
    assert through_json(frame)["payload"] == {"bytes": 160}
    assert through_json(FeedTranscriber(b"\x01" * 160)) == {
        "type": "FeedTranscriber",
        "payload": {"bytes": 160},
    }
    assert codec.decode_event(through_json(VoiceAudio(1, 0, b"\x01\x02"))) == VoiceAudio(1, 0, b"\x01\x02")


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    assert through_json(FinalWords("a\ud83db"))["text"] == "a?b"


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (7, "event: expected an object, not 7"),
        ({"type": "Telepathy"}, "event: no event has the type 'Telepathy'"),
        ({"type": "Speak"}, "no event has the type 'Speak'"),
        ({"type": "CallerAudio", "at": 0, "level": -20.0, "voice": 0.1}, "CallerAudio.payload is missing"),
        ({"type": "MarkEchoed", "name": 3}, "MarkEchoed.name: expected str, not 3"),
        ({"type": "MarkEchoed", "name": "a", "size": 3}, "MarkEchoed.size is unknown"),
        ({"type": "TurnVote", "vote": "maybe"}, "TurnVote.vote: 'maybe' is none of eager, end, resumed"),
        ({"type": "WireFault", "kind": "x", "fatal": 1}, "WireFault.fatal: expected bool, not 1"),
        ({"type": "VoiceAudio", "reply": 1, "piece": 0, "payload": {"bytes": -1}}, "VoiceAudio.payload"),
        (
            {"type": "VoiceWords", "reply": 1, "piece": 0, "words": "hello"},
            "VoiceWords.words: expected a list",
        ),
        (
            {"type": "VoiceWords", "reply": 1, "piece": 0, "words": [{"text": "hi", "start": None}]},
            r"VoiceWords.words\[0\].start: expected int, not None",
        ),
    ],
)
def test_what_is_no_event_is_refused_by_name(data: object, complaint: str) -> None:
    with pytest.raises(codec.DecodeError, match=complaint):
        codec.decode_event(data)


def test_a_complaint_never_repeats_a_long_text() -> None:
    with pytest.raises(codec.DecodeError) as caught:
        codec.decode_event({"type": "MarkEchoed", "name": ["my card number is 4111"]})
    assert "4111" not in str(caught.value)


def test_effects_are_no_events() -> None:
    effect = Speak(1, 0, 0, "hello")
    with pytest.raises(codec.DecodeError):
        codec.decode_event(through_json(effect))
    assert codec.decode_effect(through_json(effect)) == effect
