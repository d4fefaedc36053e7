"""Phone calls in an aiohttp application: ``python examples/aiohttp_app.py AGENT PUBLIC_URL``.

Set the number's webhook to PUBLIC_URL/twilio/voice, and TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN here.
"""

import sys

from aiohttp import web

from engine.agent import load_agent
from engine.runtime.worker import Settings, Worker
from engine.server.aiohttp_app import aiohttp_routes, run_worker


def make_app(worker: Worker) -> web.Application:
    async def calls(request: web.Request) -> web.Response:
        return web.json_response(list(worker.sessions))

    app = web.Application()
    app.router.add_get("/calls", calls)
    app.add_routes(aiohttp_routes(worker, "/twilio"))
    run_worker(app, worker)
    return app


if __name__ == "__main__":
    agent, public_url = sys.argv[1:]
    web.run_app(make_app(Worker(load_agent(agent), Settings.from_environment(public_url))), port=8000)
