"""The stand-in for Deepgram, spoken to by Deepgram's own SDK."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine.audio import mulaw
from fixtures.deepgram import API_KEY, Deepgram
from fixtures.deepgram_ear import Line, Word
from fixtures.faults import Fault, Faults, Kind, parse

deepgram_sdk: Any = pytest.importorskip("deepgram")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SCRIPT = [Word("Hello,", 100, 400), Word("world.", 400, 900)]
MULAW = {"encoding": "mulaw", "sample_rate": 8000}


def client(stand_in: Deepgram, key: str = API_KEY) -> Any:
    from deepgram.environment import DeepgramClientEnvironment

    sockets = stand_in.url.replace("http://", "ws://")
    environment = DeepgramClientEnvironment(
        base=stand_in.url, production=sockets, agent=sockets, agent_rest=stand_in.url
    )
    return deepgram_sdk.AsyncDeepgramClient(api_key=key, environment=environment)


async def read(connection: Any, until: str) -> list[Any]:
    """Messages as the SDK makes them, up to the first of a type."""
    seen: list[Any] = []
    async with asyncio.timeout(10):
        async for message in connection:
            seen.append(message)
            if message.type == until:
                break
    return seen


async def test_the_sdk_and_v1() -> None:
    async with Deepgram(script=SCRIPT) as stand_in:
        options = {"model": "nova-3", "interim_results": True, "utterance_end_ms": 1000, "endpointing": 300}
        async with client(stand_in).listen.v1.connect(**MULAW, **options) as connection:
            await connection.send_keep_alive()
            await connection.send_media(mulaw.silence(1000))
            await connection.send_finalize()
            await connection.send_media(mulaw.silence(1500))
            seen = await read(connection, "UtteranceEnd")
            await connection.send_close_stream()
            seen += await read(connection, "Metadata")
        interims = [message for message in seen if message.type == "Results" and not message.is_final]
        assert [interim.channel.alternatives[0].transcript for interim in interims][::3] == [
            "Hello,",
            "Hello, world.",
        ]
        final, end, rest, metadata = [message for message in seen if message not in interims]
        assert [type(message).__name__ for message in (final, end, rest, metadata)] == [
            "ListenV1Results", "ListenV1UtteranceEnd", "ListenV1Results", "ListenV1Metadata",
        ]  # fmt: skip
        assert (final.is_final, final.from_finalize, final.start, final.duration) == (True, True, 0.0, 1.0)
        best = final.channel.alternatives[0]
        assert best.transcript == "Hello, world."
        assert [(word.word, word.punctuated_word, word.start) for word in best.words] == [
            ("hello", "Hello,", 0.1),
            ("world", "world.", 0.4),
        ]
        assert end.last_word_end == 0.9
        assert (rest.channel.alternatives[0].transcript, metadata.duration) == ("", 2.5)
        assert final.metadata.model_info.name == "nova-3"
        assert stand_in.connections[0].messages == [
            "KeepAlive", "audio", "Finalize", "audio", "CloseStream",
        ]  # fmt: skip


async def test_the_sdk_and_v2() -> None:
    async with Deepgram(script=SCRIPT) as stand_in:
        options = {"model": "flux-general-en", "eager_eot_threshold": 0.4, "eot_threshold": 0.8}
        async with client(stand_in).listen.v2.connect(**MULAW, **options) as connection:
            await connection.send_media(mulaw.silence(1300))
            seen = []
            while not seen or getattr(seen[-1], "event", "") != "EndOfTurn":
                seen += await read(connection, "Connected" if not seen else "TurnInfo")
            await connection.send_close_stream()
        assert [message.type for message in seen] == ["Connected", *["TurnInfo"] * (len(seen) - 1)]
        events = [message.event for message in seen[1:]]
        assert [event for event in events if event != "Update"] == [
            "StartOfTurn",
            "EagerEndOfTurn",
            "EndOfTurn",
        ]
        assert [message.sequence_id for message in seen] == list(range(len(seen)))
        end = seen[-1]
        assert (end.transcript, end.trigger, end.turn_index) == ("Hello, world.", "model", 0)
        assert [(word.word, word.start, word.end) for word in end.words] == [
            ("Hello,", 0.1, 0.4),
            ("world.", 0.4, 0.9),
        ]


async def test_the_sdk_ends_a_turn_itself() -> None:
    from deepgram.listen.v2.types.listen_v2force_end_turn import ListenV2ForceEndTurn

    async with Deepgram(script=SCRIPT) as stand_in:
        options = {"model": "flux-general-en", "eot_threshold": 1.0}
        async with client(stand_in).listen.v2.connect(**MULAW, **options) as connection:
            await connection.send_media(mulaw.silence(1000))
            await connection._send_model(ListenV2ForceEndTurn())
            event = ""
            while event != "EndOfTurn":
                event = getattr((await read(connection, "TurnInfo"))[-1], "event", "")
                assert event != "EagerEndOfTurn"


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(
    ("key", "fault", "status"),
    [("wrong", None, 401), (API_KEY, Fault(Kind.STATUS, 429), 429), (API_KEY, Fault(Kind.STATUS, 402), 402)],
)
async def test_the_sdk_is_refused(version: str, key: str, fault: Fault | None, status: int) -> None:
    from deepgram.core.api_error import ApiError

    model = "nova-3" if version == "v1" else "flux-general-en"
    async with Deepgram(faults=Faults([fault])) as stand_in:
        listen = getattr(client(stand_in, key).listen, version)
        with pytest.raises(ApiError) as refused:
            async with listen.connect(**MULAW, model=model):
                pass
        assert refused.value.status_code == status


@pytest.mark.parametrize(
    "options",
    [
        {"model": "nova-3", "keywords": "x"},
        {"model": "nova-2", "keyterm": "x"},
        {"model": "nova-3", "utterance_end_ms": 1000},
        {"model": "nova-3", "encoding": "opus"},
    ],
)
async def test_settings_that_deepgram_refuses(options: dict[str, Any]) -> None:
    from deepgram.core.api_error import ApiError

    async with Deepgram() as stand_in:
        with pytest.raises(ApiError) as refused:
            async with client(stand_in).listen.v1.connect(**{**MULAW, **options}):
                pass
        assert refused.value.status_code == 400


def test_faults_are_written_as_words() -> None:
    assert parse("ok") is None
    assert parse("drop") == Fault(Kind.DROP)
    assert parse("status:429:retry=3") == Fault(Kind.STATUS, 429, retry_after=3)
    assert parse("latency:seconds=0.5") == Fault(Kind.LATENCY, seconds=0.5)
    assert parse("stall:after=4") == Fault(Kind.STALL, after=4)
    for wrong in ("nonsense", "drop:sometimes=1"):
        with pytest.raises(ValueError, match=wrong.split(":")[0]):
            parse(wrong)


def test_a_script_of_faults_is_taken_one_by_one() -> None:
    faults = Faults([Fault(Kind.DROP), None])
    faults.add(Fault(Kind.SILENT))
    assert [faults.take() for _ in range(4)] == [Fault(Kind.DROP), None, Fault(Kind.SILENT), None]


async def test_lines_are_heard_one_a_stretch_and_final_after_a_pause_of_their_own() -> None:
    """The words of a line come with its sound; the silence inside a line is the line's, not the sound's."""
    lines = [
        Line([Word("One", 0, 200), Word("two.", 500, 700)], [(0, 200), (500, 700)]),
        Line([Word("Three.", 0, 300)], [(0, 300)]),
    ]
    sound = bytes([0x10, 0x90]) * 4
    async with Deepgram(lines=lines, pause_ms=100) as stand_in:
        options = {"model": "nova-3", "endpointing": 1_000}
        audio = mulaw.silence(1_000) + sound * 700 + mulaw.silence(1_500) + sound * 300 + mulaw.silence(200)
        linear = {"encoding": "linear16", "sample_rate": 8000}
        async with client(stand_in).listen.v1.connect(**linear, **options) as connection:
            await connection.send_media(mulaw.decode(audio))
            await connection.send_close_stream()
            seen = await read(connection, "Metadata")
    finals = [m for m in seen if m.type == "Results" and m.is_final and m.channel.alternatives[0].words]
    assert [m.channel.alternatives[0].transcript for m in finals] == ["One", "two.", "Three."]
    assert [round((m.start + m.duration) * 1000) for m in finals] == [1_300, 1_800, 3_600]
