"""Twilio Media Streams: every message both ways, and every way in which one may be wrong."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from engine.core.events import KeyPressed, MarkEchoed, MediaGap, StreamStopped, WireFault
from engine.wire.twilio_stream import EARLY_LIMIT, Decoder, Encoder, Media, StreamStart

TRANSCRIPTS = Path(__file__).resolve().parents[2] / "fixtures" / "twilio"
SID = "MZ" + "X" * 32
FRAME = b"\xff" * 160


def transcript(name: str) -> list[str]:
    return (TRANSCRIPTS / name).read_text().splitlines()


def start(**changes: Any) -> dict[str, Any]:
    body = {
        "accountSid": "AC1",
        "streamSid": SID,
        "callSid": "CA1",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"token": "t0"},
    }
    return {"event": "start", "sequenceNumber": "1", "start": body | changes, "streamSid": SID}


def media(number: int | None, timestamp: Any, payload: bytes | str = FRAME, **fields: Any) -> dict[str, Any]:
    text = payload if isinstance(payload, str) else b64encode(payload).decode()
    message: dict[str, Any] = {"event": "media", "streamSid": SID}
    message["media"] = {"track": "inbound", "timestamp": timestamp, "payload": text} | fields
    return message if number is None else message | {"sequenceNumber": str(number)}


def feed(decoder: Decoder, *messages: Any) -> list[Any]:
    return [item for message in messages for item in decoder.feed(json.dumps(message))]


def started(**options: int) -> Decoder:
    decoder = Decoder(**options)
    assert isinstance(feed(decoder, start())[0], StreamStart)
    return decoder


def test_a_whole_call() -> None:
    decoder = Decoder()
    out = [item for line in transcript("call.jsonl") for item in decoder.feed(line)]
    parameters = {"FirstName": "Jane", "LastName": "Doe", "RemoteParty": "Bob"}
    assert out == [
        StreamStart(SID, "CA" + "X" * 32, "AC" + "X" * 32, parameters, "audio/x-mulaw", 8000, 1),
        Media(FRAME, 0),
        Media(FRAME, 20),
        Media(FRAME, 40),
        KeyPressed("1"),
        Media(FRAME, 60),
        MarkEchoed("my label"),
        StreamStopped(),
    ]
    stats = decoder.stats()
    assert (stats.messages, stats.frames, stats.lost, stats.gaps, stats.faults) == (9, 4, 0, 0, {})


def test_every_pending_mark_is_echoed_after_a_clear() -> None:
    decoder = Decoder()
    out = [item for line in transcript("interrupted.jsonl") for item in decoder.feed(line.encode())]
    marks = [item.name for item in out if isinstance(item, MarkEchoed)]
    assert marks == ["g1.1", "g1.2", "g1.3"]


def test_gaps_are_told_and_counted() -> None:
    decoder = Decoder()
    out = [item for line in transcript("gaps.jsonl") for item in decoder.feed(line)]
    assert out[1:-1] == [
        Media(FRAME, 0),
        Media(FRAME, 20),
        MediaGap(at=40, duration=40),
        Media(FRAME, 80),
        Media(FRAME, 100),
    ]
    stats = decoder.stats()
    assert (stats.lost, stats.gaps, stats.missing_ms, stats.outbound_frames) == (2, 1, 40, 1)


def test_what_people_say_and_tokens_are_not_in_a_repr() -> None:
    out = feed(Decoder(), start(customParameters={"token": "secret"}), media(2, "0", b"secret"))
    assert "secret" not in repr(out)
    assert str(b"secret") not in repr(out)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "malformed_json"),
        ("{", "malformed_json"),
        (b"\xff\xfe", "malformed_json"),
        ("\ud800", "malformed_json"),
        ("[" * 2000, "malformed_json"),
        ("[]", "wrong_type"),
        ("null", "wrong_type"),
        ("{}", "wrong_type"),
        ('{"event":5}', "wrong_type"),
        ('{"event":"later"}', "unknown_event"),
        ('{"event":"media"}', "wrong_type"),
        ('{"event":"media","media":{"track":"both","payload":"/w=="}}', "wrong_type"),
        ('{"event":"media","media":{"track":"inbound"}}', "bad_payload"),
        ('{"event":"media","media":{"payload":""}}', "bad_payload"),
        ('{"event":"media","media":{"payload":["/w=="]}}', "bad_payload"),
        ('{"event":"media","media":{"payload":"/w="}}', "bad_payload"),
        ('{"event":"media","media":{"payload":"/w==!!"}}', "bad_payload"),
        ('{"event":"mark","mark":{"name":7}}', "wrong_type"),
        ('{"event":"mark","mark":"g1"}', "wrong_type"),
        ('{"event":"dtmf","dtmf":{"digit":"12"}}', "wrong_type"),
        ('{"event":"dtmf","dtmf":{"digit":""}}', "wrong_type"),
        ('{"event":"dtmf"}', "wrong_type"),
        ('{"event":"connected","sequenceNumber":"first"}', "wrong_type"),
        ('{"event":"stop","streamSid":"MZother"}', "wrong_stream"),
        (" " * 65537, "oversized"),
    ],
)
def test_a_bad_message_is_counted_and_survived(text: str | bytes, kind: str) -> None:
    decoder = started()
    assert decoder.feed(text) == [WireFault(kind)]
    assert decoder.stats().faults == {kind: 1}
    assert feed(decoder, media(2, "0")) == [Media(FRAME, 0)]


def test_the_size_limit_is_a_parameter() -> None:
    text = json.dumps(start())
    assert Decoder(max_message=len(text)).feed(text) != [WireFault("oversized")]
    assert Decoder(max_message=len(text) - 1).feed(text) == [WireFault("oversized")]


@pytest.mark.parametrize(
    "media_format",
    [
        {"encoding": "audio/l16", "sampleRate": 8000, "channels": 1},
        {"encoding": "audio/x-mulaw", "sampleRate": 16000, "channels": 1},
        {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 2},
        {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": True},
        None,
    ],
)
def test_any_other_format_is_fatal(media_format: Any) -> None:
    decoder = Decoder()
    assert feed(decoder, start(mediaFormat=media_format)) == [WireFault("wrong_format", fatal=True)]
    assert feed(decoder, media(2, "0"), {"event": "stop"}) == []


@pytest.mark.parametrize("changes", [{"callSid": None}, {"accountSid": 5}, {"streamSid": ""}])
def test_a_start_that_names_no_call_is_fatal(changes: dict[str, Any]) -> None:
    assert feed(Decoder(), start(**changes)) == [WireFault("bad_start", fatal=True)]


def test_custom_parameters_that_are_no_text_are_left_out() -> None:
    out = feed(Decoder(), start(customParameters={"a": "1", "b": 2}))
    assert out[0] == WireFault("wrong_type")
    assert out[1].custom_parameters == {"a": "1"}
    assert feed(Decoder(), start(customParameters=None))[0].custom_parameters == {}


def test_a_second_start_is_ignored() -> None:
    decoder = started()
    again = start(streamSid="MZother", callSid="CA2") | {"sequenceNumber": "2", "streamSid": "MZother"}
    assert feed(decoder, again) == [WireFault("second_start")]
    assert feed(decoder, media(3, "0")) == [Media(FRAME, 0)]


def test_nothing_is_read_after_stop() -> None:
    decoder = started()
    assert feed(decoder, {"event": "stop", "sequenceNumber": "2"}) == [StreamStopped()]
    assert feed(decoder, media(3, "0")) == [WireFault("after_stop")]


def test_what_comes_before_start_is_kept_for_it() -> None:
    decoder = Decoder()
    early = [media(None, "5"), {"event": "dtmf", "dtmf": {"digit": "#"}}, media(None, "25")]
    assert feed(decoder, *early) == []
    out = feed(decoder, start())
    assert isinstance(out[0], StreamStart)
    assert out[1:] == [Media(FRAME, 0), KeyPressed("#"), Media(FRAME, 20)]
    assert feed(decoder, media(2, "45")) == [Media(FRAME, 40)]


def test_only_so_much_is_kept_for_start() -> None:
    decoder = Decoder()
    frames = [media(None, str(20 * n)) for n in range(EARLY_LIMIT + 2)]
    assert feed(decoder, *frames) == [WireFault("media_before_start")] * 2
    out = feed(decoder, start())
    assert [item.at for item in out[1:]] == [20 * n for n in range(2, EARLY_LIMIT + 2)]
    assert decoder.stats().frames == EARLY_LIMIT


def test_a_duplicate_is_dropped_and_a_late_message_is_kept() -> None:
    decoder = started()
    mark = {"event": "mark", "mark": {"name": "m"}}
    assert (
        feed(decoder, mark | {"sequenceNumber": "2"}, mark | {"sequenceNumber": "4"}) == [MarkEchoed("m")] * 2
    )
    assert decoder.stats().lost == 1
    late = [WireFault("out_of_order"), MarkEchoed("m")]
    assert feed(decoder, mark | {"sequenceNumber": "3"}) == late
    assert feed(decoder, mark | {"sequenceNumber": "3"}) == [WireFault("duplicate")]
    assert feed(decoder, mark | {"sequenceNumber": 5}) == [MarkEchoed("m")]
    stats = decoder.stats()
    assert (stats.lost, stats.out_of_order, stats.duplicates) == (0, 1, 1)


def test_too_many_faults_are_fatal() -> None:
    decoder = started(max_faults=3)
    for _ in range(3):
        assert decoder.feed("{") == [WireFault("malformed_json")]
    assert decoder.feed("{") == [WireFault("malformed_json"), WireFault("too_many_faults", fatal=True)]
    assert decoder.feed("{") == []
    assert decoder.stats().faults == {"malformed_json": 4, "too_many_faults": 1}


@pytest.mark.parametrize(
    ("started_before", "message"),
    [(True, media(2, "soon")), (False, start(customParameters={"a": 1}))],
)
def test_nothing_follows_a_fatal_fault(started_before: bool, message: dict[str, Any]) -> None:
    decoder = started(max_faults=0) if started_before else Decoder(max_faults=0)
    out = feed(decoder, message)
    assert len(out) == 2
    assert out[1] == WireFault("too_many_faults", fatal=True)


def test_events_that_are_not_known_are_never_too_many() -> None:
    decoder = started(max_faults=3)
    assert feed(decoder, *[{"event": "later"}] * 10) == [WireFault("unknown_event")] * 10
    assert feed(decoder, media(2, "0")) == [Media(FRAME, 0)]


def test_media_time_can_carry_on_from_an_earlier_stream() -> None:
    decoder = started(media_start=5000)
    assert feed(decoder, media(2, "7"), media(3, "27")) == [Media(FRAME, 5000), Media(FRAME, 5020)]


def test_a_timestamp_that_is_no_number_leaves_the_sample_count() -> None:
    decoder = started()
    out = feed(decoder, media(2, "0"), media(3, "soon"), media(4, None), media(5, 60))
    assert out == [
        Media(FRAME, 0), WireFault("timestamp"), Media(FRAME, 20), Media(FRAME, 40), Media(FRAME, 60)
    ]  # fmt: skip


def test_longer_payloads_are_as_long_as_they_are() -> None:
    out = feed(started(), media(2, "0", FRAME * 5), media(3, "100", b"\x00" * 12), media(4, "101"))
    assert [item.at for item in out] == [0, 100, 101]


@pytest.mark.parametrize("name", ["g1.7", 'a"}},{"event":"clear', "Grüße\n\u2028", "\ud800", "\\"])
def test_names_are_escaped(name: str) -> None:
    encoder = Encoder(name)
    mark = json.loads(encoder.mark(name))
    assert mark == {"event": "mark", "streamSid": name, "mark": {"name": name}}
    assert json.loads(encoder.clear()) == {"event": "clear", "streamSid": name}
    assert json.loads(encoder.media(b"\x00\xff"))["streamSid"] == name


def test_messages_to_twilio_are_those_of_its_documentation() -> None:
    encoder = Encoder(SID)
    sent = [encoder.media(FRAME), encoder.mark("my label"), encoder.clear()]
    assert [json.loads(text) for text in sent] == [json.loads(line) for line in transcript("outbound.jsonl")]
