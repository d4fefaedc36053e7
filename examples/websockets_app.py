"""Phone calls on a bare websockets server: ``python examples/websockets_app.py AGENT PUBLIC_URL``.

Set the number's webhook to PUBLIC_URL/twilio/voice with the method GET, which is all this server reads, and
TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN here.
"""

import asyncio
import signal
import sys

from websockets.asyncio.server import Server, serve

from engine.agent import load_agent
from engine.runtime.worker import Settings, Worker
from engine.server.websockets_app import WebSocketsApp


async def start(worker: Worker, port: int) -> Server:
    app = WebSocketsApp(worker)
    return await serve(app, "127.0.0.1", port, process_request=app.process_request, compression=None)


async def main(worker: Worker) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with worker, await start(worker, 8000):
        await stop.wait()
        await worker.drain(60)


if __name__ == "__main__":
    agent, public_url = sys.argv[1:]
    asyncio.run(main(Worker(load_agent(agent), Settings.from_environment(public_url))))
