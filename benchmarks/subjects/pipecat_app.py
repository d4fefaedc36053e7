"""Pipecat as its own template for Twilio sets it up; runs with the Python of Pipecat's environment.

FastAPI, the websocket transport with Twilio's serializer at 8 kHz, Deepgram, OpenAI, ElevenLabs, the default
turn strategies and Silero in the user aggregator, as the template that comes with the package has it. The
vendors are those of the environment; the event loop is uvloop's, as the engine's. Prints the address of its
voice webhook.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys

import uvicorn
import uvloop
from fastapi import FastAPI, Request, Response, WebSocket
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.services.elevenlabs.tts import ElevenLabsTTSService
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.workers.runner import WorkerRunner

GREETING = "Hello, how can I help you?"
PROMPT = "You answer in two short sentences."
RATE = 8_000

app = FastAPI()


@app.post("/twilio/voice")
async def voice(request: Request) -> Response:
    """The webhook: connect the call to the stream."""
    url = str(request.url_for("media")).replace("http://", "ws://")
    return Response(f'<Response><Connect><Stream url="{url}"/></Connect></Response>', media_type="text/xml")


@app.websocket("/media", name="media")
async def media(websocket: WebSocket) -> None:
    """One call."""
    await websocket.accept()
    _, call = await parse_telephony_websocket(websocket)
    serializer = TwilioFrameSerializer(
        stream_sid=call["stream_id"],
        call_sid=call["call_id"],
        params=TwilioFrameSerializer.InputParams(auto_hang_up=False),
    )
    transport = FastAPIWebsocketTransport(
        websocket=websocket,
        params=FastAPIWebsocketParams(
            audio_in_enabled=True, audio_out_enabled=True, add_wav_header=False, serializer=serializer
        ),
    )
    worker = _worker(transport)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)

    @transport.event_handler("on_client_connected")  # type: ignore[untyped-decorator]
    async def greet(transport: object, client: object) -> None:
        await worker.queue_frames([TTSSpeakFrame(GREETING)])

    @transport.event_handler("on_client_disconnected")  # type: ignore[untyped-decorator]
    async def leave(transport: object, client: object) -> None:
        await worker.cancel()

    await runner.run()


def _worker(transport: FastAPIWebsocketTransport) -> PipelineWorker:
    """The pipeline of one call."""
    env = os.environ
    hears = DeepgramSTTService(api_key=env["DEEPGRAM_API_KEY"], base_url=_socket(env["DEEPGRAM_BASE_URL"]))
    thinks = OpenAILLMService(
        api_key=env["OPENAI_API_KEY"],
        base_url=env["OPENAI_BASE_URL"],
        settings=OpenAILLMService.Settings(model="gpt-4o", system_instruction=PROMPT),
    )
    speaks = ElevenLabsTTSService(
        api_key=env["ELEVENLABS_API_KEY"],
        url=_socket(env["ELEVENLABS_BASE_URL"]),
        settings=ElevenLabsTTSService.Settings(voice="benchmark", model="eleven_flash_v2_5"),
    )
    user, assistant = LLMContextAggregatorPair(
        LLMContext(), user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    )
    pipeline = Pipeline([transport.input(), hears, user, thinks, speaks, transport.output(), assistant])
    params = PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE)
    return PipelineWorker(pipeline, params=params)


def _socket(url: str) -> str:
    return url.replace("http://", "ws://")


async def serve() -> None:
    """Serve until SIGTERM."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/twilio/voice", flush=True)
    await server.serve(sockets=[listener])


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
