"""Phone calls in a FastAPI application: ``python examples/fastapi_app.py AGENT PUBLIC_URL``.

Set the number's webhook to PUBLIC_URL/twilio/voice, and TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN here.
"""

import sys

import uvicorn
from fastapi import FastAPI

from engine.agent import load_agent
from engine.runtime.worker import Settings, Worker
from engine.server.asgi_app import AsgiApp, worker_lifespan


def make_app(worker: Worker) -> FastAPI:
    app = FastAPI(lifespan=lambda app: worker_lifespan(worker))
    app.mount("/twilio", AsgiApp(worker))

    @app.get("/calls")
    def calls() -> list[str]:
        return list(worker.sessions)

    return app


if __name__ == "__main__":
    agent, public_url = sys.argv[1:]
    uvicorn.run(make_app(Worker(load_agent(agent), Settings.from_environment(public_url))), port=8000)
