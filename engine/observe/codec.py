"""Events, effects, notes and policies as JSON and back, derived from the dataclasses themselves.

An event or effect becomes an object whose ``type`` is its class; what is nested in it (messages, words,
usage) needs no ``type``, because the field's own hint says what it is. Bytes become ``{"bytes": length}`` and
decode to digital silence of that length: the core decides by the level and length of audio, never by its
content, and the recording holds the content. The exception is the agent's own sound (`VoiceAudio`,
`ModelAudio`), kept whole as ``{"mulaw": base64}``: the core takes its levels (for the echo it may cause) from
pieces that it cuts itself.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache, lru_cache
from types import NoneType, UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

import orjson

from engine.audio import mulaw
from engine.core import notes
from engine.core.effects import Effect
from engine.core.events import Event, ModelAudio, VoiceAudio
from engine.core.notes import Note

T = TypeVar("T")

EVENT_TYPES: Mapping[str, type] = {kind.__name__: kind for kind in get_args(Event)}
"""Every kind of event by its name in the journal."""

NOTE_TYPES: Mapping[str, type] = {
    kind.__name__: kind
    for kind in vars(notes).values()
    if isinstance(kind, type) and issubclass(kind, Note) and kind is not Note
}
"""Every kind of note by its name in the journal."""

EFFECT_TYPES: Mapping[str, type] = {
    **{kind.__name__: kind for kind in get_args(Effect) if kind is not Note},
    **NOTE_TYPES,
}
"""Every kind of effect, notes among them, by its name in the journal."""

_FIELDS: Mapping[type, tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind))
    for kind in (*EVENT_TYPES.values(), *EFFECT_TYPES.values())
}


class DecodeError(ValueError):
    """JSON that is no event, effect or policy; the message names the field and what is wrong with it."""


def encode(record: Event | Effect) -> dict[str, Any]:
    """The record as an object for `dumps`: its ``type`` and its fields, nested values left as they are."""
    kind = type(record)
    encoded: dict[str, Any] = {"type": kind.__name__}
    for name in _FIELDS[kind]:
        encoded[name] = getattr(record, name)
    if kind is VoiceAudio or kind is ModelAudio:
        encoded["payload"] = {"mulaw": b64encode(encoded["payload"]).decode()}
    return encoded


def dumps(value: object) -> bytes:
    """JSON text of what `encode` gave, or of any frozen dataclass such as a policy.

    Half a surrogate pair, which some vendors let through and JSON cannot carry, becomes a question mark.
    """
    try:
        return orjson.dumps(value, default=_length)
    except orjson.JSONEncodeError:
        return orjson.dumps(_whole(value), default=_length)


def decode_event(data: object) -> Event:
    """The event that `encode` was given, the caller's audio silent. Raises `DecodeError`."""
    return cast(Event, _decode_typed(data, EVENT_TYPES, "event"))


def decode_effect(data: object) -> Effect:
    """The effect or note that `encode` was given, its audio silent. Raises `DecodeError`."""
    return cast(Effect, _decode_typed(data, EFFECT_TYPES, "effect"))


def decode(kind: type[T], data: object) -> T:
    """A dataclass (a policy, say) from its JSON object. Raises `DecodeError`."""
    return cast(T, _decoder(cast(Any, kind))(data, kind.__name__))


# --- to JSON ------------------------------------------------------------------------------------------


def _length(value: object) -> dict[str, int]:
    if isinstance(value, bytes):
        return {"bytes": len(value)}
    raise TypeError(f"{type(value).__name__} has no place in a journal")


def _whole(value: Any) -> Any:
    """The same value with every text whole: half surrogates replaced, dataclasses opened to reach them."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if is_dataclass(value):
        return {field.name: _whole(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {_whole(key): _whole(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    return value


# --- from JSON ----------------------------------------------------------------------------------------

_Decoder = Callable[[Any, str], Any]


def _decode_typed(data: object, kinds: Mapping[str, type], what: str) -> Any:
    if not isinstance(data, dict):
        raise DecodeError(f"{what}: expected an object, not {_shown(data)}")
    name = data.get("type")
    kind = kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        raise DecodeError(f"{what}: no {what} has the type {_shown(name)}")
    return _decoder(kind)(data, kind.__name__)


@cache
def _decoder(hint: Any) -> _Decoder:
    """The function that turns JSON into a value of this type hint; its second argument names the place."""
    if hint in (str, int, bool, float):
        return _scalar(hint)
    if hint is bytes:
        return _audio
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum(hint)
    if is_dataclass(hint):
        return _dataclass(cast(type, hint))
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple and inner[1:] == (...,):
        return _tuple(_decoder(inner[0]))
    if origin is UnionType and len(inner) == 2 and NoneType in inner:
        some = _decoder(inner[0] if inner[1] is NoneType else inner[1])
        return lambda data, where: None if data is None else some(data, where)
    raise TypeError(f"no JSON form for a field of type {hint}")


def _scalar(kind: type) -> _Decoder:
    accepted = (int, float) if kind is float else (kind,)

    def decode_scalar(data: Any, where: str) -> Any:
        if type(data) not in accepted:
            raise DecodeError(f"{where}: expected {kind.__name__}, not {_shown(data)}")
        return kind(data)

    return decode_scalar


def _audio(data: Any, where: str) -> bytes:
    content = data if isinstance(data, dict) else {}
    length, whole = content.get("bytes"), content.get("mulaw")
    if type(length) is int and length >= 0:
        return _silence(length)
    try:
        return b64decode(cast(str, whole), validate=True)
    except (TypeError, ValueError):
        raise DecodeError(f"{where}: expected the length of audio, or audio in base64") from None


@lru_cache(maxsize=64)
def _silence(length: int) -> bytes:
    return bytes((mulaw.SILENCE,)) * length


def _enum(kind: type[Enum]) -> _Decoder:
    def decode_enum(data: Any, where: str) -> Any:
        try:
            return kind(data)
        except ValueError:
            known = ", ".join(str(item.value) for item in kind)
            raise DecodeError(f"{where}: {_shown(data)} is none of {known}") from None

    return decode_enum


def _tuple(item: _Decoder) -> _Decoder:
    def decode_tuple(data: Any, where: str) -> Any:
        if not isinstance(data, list):
            raise DecodeError(f"{where}: expected a list, not {_shown(data)}")
        return tuple(item(value, f"{where}[{i}]") for i, value in enumerate(data))

    return decode_tuple


def _dataclass(kind: type) -> _Decoder:
    hints = get_type_hints(kind)
    parts = [(field.name, _decoder(hints[field.name])) for field in fields(kind)]
    required = {
        field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING
    }
    known = {name for name, _ in parts} | {"type"}

    def decode_dataclass(data: Any, where: str) -> Any:
        if not isinstance(data, dict):
            raise DecodeError(f"{where}: expected an object, not {_shown(data)}")
        for name in required - data.keys():
            raise DecodeError(f"{where}.{name} is missing")
        for name in data.keys() - known:
            raise DecodeError(f"{where}.{name} is unknown")
        return kind(**{name: part(data[name], f"{where}.{name}") for name, part in parts if name in data})

    return decode_dataclass


def _shown(data: object) -> str:
    """What stood there, by its kind and not by its text: what people said must not reach an error message."""
    if isinstance(data, str):
        return f"a text of {len(data)} characters" if len(data) > 40 else repr(data)
    return type(data).__name__ if isinstance(data, dict | list) else repr(data)
