"""The smallest shell around a real call: vendors that answer after a set time, a phone that echoes marks."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import count

from engine.core import effects as out
from engine.core import events as ev
from engine.core.call import Call
from engine.core.policy import Policy

Step = tuple[int, ev.Event | None, list[out.Effect]]


class SmallShell:
    """Runs a `Call` over events given beforehand (call time, ms), answers its effects, keeps every step."""

    def __init__(
        self, policy: Policy, script: Iterable[tuple[int, ev.Event]], answers: Iterable[str]
    ) -> None:
        self.call = Call(policy)
        self.steps: list[Step] = []
        self._answers = iter(answers)
        self._order = count()
        self._queue = [(at, next(self._order), event) for at, event in script]
        heapq.heapify(self._queue)
        self._dry = 0
        self._marks: list[tuple[int, str]] = []

    def run(self, until: int) -> list[Step]:
        now = 0
        while now <= until and not self.call.closed:
            at, _, event = self._queue[0] if self._queue else (until + 1, 0, None)
            wake = self.call.wake_at
            if wake is not None and wake < at:
                now = max(now, wake)
                self._did(now, None, self.call.wake(now))
            else:
                heapq.heappop(self._queue)
                now = at
                self._did(now, event, self.call.handle(event, now))
        return self.steps

    def _later(self, at: int, *events: ev.Event) -> None:
        for event in events:
            heapq.heappush(self._queue, (at, next(self._order), event))

    def _did(self, now: int, event: ev.Event | None, effects: list[out.Effect]) -> None:
        self.steps.append((now, event, effects))
        for effect in effects:
            match effect:
                case out.StartModel(reply, attempt, _):
                    text = ev.ModelText(reply, attempt, next(self._answers))
                    done = ev.ModelDone(reply, attempt, "stop", ev.Usage(50, 9))
                    self._later(now + 150, text, done, ev.VendorUsed("model", requests=1, tokens=done.usage))
                case out.Speak(reply, piece, _, text):
                    audio = ev.VoiceAudio(reply, piece, b"\x10" * (len(text) * 480))
                    self._later(now + 80, audio, ev.VoiceDone(reply, piece))
                case out.SendAudio(payload):
                    self._dry = max(self._dry, now + 30) + len(payload) // 8
                case out.SendMark(name):
                    self._later(max(self._dry, now), ev.MarkEchoed(name))
                case out.SendClear():
                    self._dry = now
                case out.HangUp():
                    self._later(now + 50, ev.CarrierDone("hang_up"))
