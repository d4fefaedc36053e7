"""A media socket before and after it has said whose it is."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from engine.core.events import CallerAudio, MediaGap
from engine.core.notes import EndReason
from engine.runtime import media_stream
from engine.runtime.media_stream import MediaStream
from engine.runtime.socket import POLICY_VIOLATION, WebSocketWriter
from engine.runtime.twilio_door import TwilioDoor
from engine.runtime.worker import Settings, Worker
from tests.runtime.phones import InstantPhone
from tests.stand_ins import PIECE, QUIET, greeter, stand_ins


class Closes:
    """A peer of which only the close code is of interest."""

    def __init__(self) -> None:
        self.code: int | None = None

    async def send(self, text: str) -> None:
        raise AssertionError(f"nothing may be sent, but {text} was")

    async def close(self, code: int) -> None:
        self.code = code


async def test_a_socket_that_never_starts_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_stream, "START_WITHIN_S", 0.01)
    peer = Closes()
    writer = WebSocketWriter(peer.send, peer.close)
    stream = MediaStream(writer, lambda start: POLICY_VIOLATION)
    stream.receive('{"event": "connected"}')
    await writer.closed()
    assert peer.code == POLICY_VIOLATION


@pytest.mark.parametrize(
    "messages",
    [
        ['{"event": "stop"}'],
        ['{"event": "start", "start": {"streamSid": "MZ1"}}'],
        ["{"] * 101,
    ],
)
async def test_a_socket_that_makes_no_sense_is_turned_away(messages: list[str]) -> None:
    peer = Closes()
    writer = WebSocketWriter(peer.send, peer.close)
    stream = MediaStream(writer, lambda start: POLICY_VIOLATION)
    for message in messages:
        stream.receive(message)
    await writer.closed()
    assert peer.code == POLICY_VIOLATION
    stream.lost()


async def test_nonsense_beyond_measure_ends_the_call_on_the_record() -> None:
    async with Worker(greeter(), Settings(insecure=True, most_lag=None), providers=stand_ins()) as worker:
        phone = InstantPhone(TwilioDoor(worker), token=None)
        await phone.played(PIECE)
        (session,) = worker.sessions.values()
        for _ in range(101):
            phone.stream.receive("{")
        await session.wait_closed()
        assert session.reason is EndReason.CONNECTION_ERROR
        assert phone.closed == 1000


async def test_a_gap_in_the_callers_audio_reaches_the_call_and_the_transcriber() -> None:
    providers = stand_ins()
    async with Worker(greeter(), Settings(insecure=True, most_lag=None), providers=providers) as worker:
        phone = InstantPhone(TwilioDoor(worker), token=None)
        stream = await providers.transcriber.opened.get()
        for timestamp in (0, 120, 140, 160, 180, 200):
            media = {"payload": b64encode(QUIET).decode(), "timestamp": str(timestamp)}
            phone.stream.receive(json.dumps({"event": "media", "streamSid": "MZ1", "media": media}))
        (session,) = worker.sessions.values()
        assert session.call.caller.media_end == 220
        phone.send("stop")
        await session.wait_closed()
    assert len(stream.fed) == 220 * 8


async def test_the_media_time_of_a_second_stream_goes_on_where_the_first_one_ended() -> None:
    async with Worker(greeter(), Settings(insecure=True, most_lag=None), providers=stand_ins()) as worker:
        first = InstantPhone(TwilioDoor(worker), token=None)
        await first.played(PIECE)
        first.say()
        (session,) = worker.sessions.values()
        end = session.call.caller.media_end
        heard: list[CallerAudio | MediaGap] = []
        session.add_listener(
            lambda now, event, effects: (
                heard.append(event) if isinstance(event, CallerAudio | MediaGap) else None
            )
        )
        first.stream.lost()
        second = InstantPhone(TwilioDoor(worker), token=None, admit=lambda start: session)
        for timestamp in (0, 60):
            media = {"payload": b64encode(QUIET).decode(), "timestamp": str(timestamp)}
            second.send("media", media=media)
        audio, gap, after = heard
        assert isinstance(gap, MediaGap)
        assert audio.at >= end
        assert (gap.at, gap.duration, after.at) == (audio.at + 20, 40, audio.at + 60)
        second.send("stop")
