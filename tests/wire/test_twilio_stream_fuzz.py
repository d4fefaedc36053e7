"""Whatever comes over the socket: the decoder never raises, and its counters add up."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.events import MediaGap, WireFault
from engine.wire.twilio_stream import Decoder, Media, StreamStart

SID = "MZ1"
FORMAT = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
START = {
    "event": "start",
    "sequenceNumber": "1",
    "streamSid": SID,
    "start": {"accountSid": "AC1", "streamSid": SID, "callSid": "CA1", "mediaFormat": FORMAT},
}

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
numbers = st.integers(-3, 300).map(str) | st.integers() | scalars
payloads = st.binary(max_size=400).map(lambda audio: b64encode(audio).decode()) | st.text(max_size=8)
messages = st.fixed_dictionaries(
    {"event": st.sampled_from(["media", "mark", "dtmf", "stop", "start", "connected", "later"]) | anything},
    optional={
        "sequenceNumber": numbers,
        "streamSid": st.sampled_from([SID, "MZ2"]) | anything,
        "media": st.fixed_dictionaries(
            {},
            optional={
                "track": st.sampled_from(["inbound", "outbound"]) | anything,
                "timestamp": numbers,
                "payload": payloads | anything,
            },
        )
        | anything,
        "mark": st.fixed_dictionaries({"name": anything}) | anything,
        "dtmf": st.fixed_dictionaries({"digit": st.sampled_from("0123456789*#ABCD") | anything}) | anything,
        "start": st.just(START["start"]) | anything,
    },
)


def check(decoder: Decoder, texts: list[Any]) -> list[Any]:
    """Feed, check all that must hold whatever is fed, and return what came out."""
    out = [item for text in texts for item in decoder.feed(text)]
    stats = decoder.stats()
    assert stats.messages == len(texts)
    assert stats.faults == Counter(item.kind for item in out if isinstance(item, WireFault))
    assert stats.lost >= 0
    gaps = [item for item in out if isinstance(item, MediaGap)]
    frames = [item for item in out if isinstance(item, Media)]
    if any(isinstance(item, StreamStart) for item in out):
        assert stats.frames == len(frames)
        if "media_before_start" not in stats.faults:
            assert (stats.gaps, stats.missing_ms) == (len(gaps), sum(gap.duration for gap in gaps))
    heard = 0
    for item in (item for item in out if isinstance(item, Media | MediaGap)):
        assert item.at >= heard
        heard = item.at + (item.duration if isinstance(item, MediaGap) else len(item.payload) // 8)
    fatal = [index for index, item in enumerate(out) if isinstance(item, WireFault) and item.fatal]
    assert fatal in ([], [len(out) - 1])
    return out


@given(st.lists(st.binary(max_size=200) | st.text(max_size=200), max_size=20))
@settings(max_examples=100, deadline=None)
def test_bytes_and_text(texts: list[bytes | str]) -> None:
    check(Decoder(), texts)


@given(st.lists(anything.map(json.dumps), max_size=20))
@settings(max_examples=100, deadline=None)
def test_json(texts: list[str]) -> None:
    check(Decoder(max_faults=10), [json.dumps(START), *texts])


@given(st.lists(messages.map(json.dumps), max_size=60), st.integers(0, 60), st.integers(0, 60))
@settings(max_examples=300, deadline=None)
def test_messages_with_anything_in_them(texts: list[str], place: int, max_faults: int) -> None:
    check(Decoder(max_faults=max_faults), [*texts[:place], json.dumps(START), *texts[place:]])


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_few_broken_bytes_cost_a_few_messages(data: st.DataObject) -> None:
    frame = b64encode(b"\xff" * 160).decode()
    texts = [json.dumps(START).encode()]
    for n in range(60):
        body = {"track": "inbound", "timestamp": str(20 * n), "payload": frame}
        message = {"event": "media", "sequenceNumber": str(n + 2), "streamSid": SID, "media": body}
        texts.append(json.dumps(message).encode())
    broken = data.draw(st.lists(st.integers(1, 60), max_size=3, unique=True))
    for index in broken:
        place = data.draw(st.integers(0, len(texts[index]) - 1))
        byte = data.draw(st.integers(0, 255))
        texts[index] = texts[index][:place] + bytes((byte,)) + texts[index][place + 1 :]
    out = check(Decoder(), texts)
    assert sum(isinstance(item, Media) for item in out) >= 60 - len(broken)
