"""A program: two workers with stand-in providers behind one loopback port, which is printed.

``python -m tests.server.two_workers <seconds to drain>``
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from engine.runtime.worker import Settings, Worker
from engine.server.metrics import Metrics
from engine.server.standalone import listen
from engine.server.supervisor import Supervisor
from tests.stand_ins import greeter, stand_ins


def make_worker(metrics: Metrics, lag: Callable[[float], None]) -> Worker:
    settings = Settings(insecure=True, most_lag=None)
    return Worker(greeter(), settings, providers=stand_ins("good morning"), watch=[metrics.watch], lag=lag)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        supervisor = Supervisor(listener, make_worker, workers=2, drain=float(sys.argv[1]))
        supervisor.run(lambda: print("port", port, flush=True))


if __name__ == "__main__":
    main()
