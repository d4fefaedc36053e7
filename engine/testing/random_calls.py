"""Random calls: any event in any order, with plausible and implausible fields.

The laws that need no phone hold for all of them, and `handle` never raises.

    for seed in range(100_000):
        fuzz(seed)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from engine.audio.mulaw import silence
from engine.core.call import Call
from engine.core.effects import Effect, RunTool, SendMark, Speak, StartModel
from engine.core.events import (
    CallerAudio,
    CallerHungUp,
    CarrierDone,
    Created,
    Drain,
    Event,
    FinalWords,
    HangUpNow,
    InterimWords,
    KeyPressed,
    MarkEchoed,
    MediaGap,
    ModelAudio,
    ModelDone,
    ModelFailed,
    ModelText,
    ModelToolCall,
    SayNow,
    SetOutputMedium,
    SpokenWord,
    StreamLost,
    StreamOpened,
    StreamStopped,
    Survived,
    ToolFailed,
    ToolResult,
    TranscriberFailed,
    TranscriberReady,
    TransferNow,
    TurnVote,
    Urgency,
    UserText,
    VendorUsed,
    VoiceAudio,
    VoiceDone,
    VoiceFailed,
    VoiceVote,
    VoiceWords,
    Vote,
    WireFault,
    WriteStalled,
)
from engine.core.policy import Policy
from engine.testing.laws import Laws
from engine.testing.random_policies import TEXTS, random_policy
from engine.testing.steps import CallLike, LawBroken, LogEntry, replay

ARGUMENTS = ("{}", "", "[]", "null", "{", '{"target": "+15550100"}', '{"digits": "1w2#"}', '{"a": 1}')
ROLES = ("transcriber", "model", "voice")
OUTCOMES = ("ok", "busy", "no-answer", "failed", "unavailable", "", "?")
WAITS = (0, 0, 1, 7, 20, 20, 20, 40, 100, 160, 200, 400, 700, 1_000, 2_500, 8_000, 31_000, 400_000)
PAUSES = (None, None, 0, 300, 20_000)
"""What a vendor that failed asks to be left alone, ms."""
_RESTLESS = 500
"""Wakes between two events after which the next event is drawn all the same."""
_FRAMES = tuple(silence(ms) for ms in (20, 20, 20, 20, 0, 1, 40, 100))
_SOUND = bytes((0x20, 0xA0)) * 4_000


class RandomEvents:
    """Draws one event after the other; many of them fit to what the call has asked for so far."""

    def __init__(self, rng: random.Random, policy: Policy) -> None:
        self._rng = rng
        self._tools = [
            *(tool.name for tool in policy.tools),
            "hang_up",
            "transfer",
            "send_digits",
            "nonsense",
        ]
        self._marks: list[str] = ["", "nonsense", "0.160"]
        self._replies: list[tuple[int, int]] = [(0, 0), (1, 0), (7, 3)]
        self._pieces: list[tuple[int, int]] = [(0, 0), (1, 0), (7, 2)]
        self._tool_calls: list[str] = ["", "t0", "nonsense"]
        self._media = 0
        self._speaking = False
        self._likely: list[Callable[[], Event]] = [
            self._frame, self._frame, self._frame, self._voice, self._voice, self._mark, self._mark,
            self._text, self._model_audio, self._voice_end, self._words, self._model_end,
            self._tool_call, self._tool_end,
        ]  # fmt: skip
        self._rare: list[Callable[[], Event]] = [
            self._line,
            self._line,
            self._caller,
            self._outside,
            self._fault,
        ]

    def noticed(self, effects: Sequence[Effect]) -> None:
        """Take note of the names in what the call asked for."""
        for effect in effects:
            if isinstance(effect, SendMark):
                self._marks.append(effect.name)
            elif isinstance(effect, StartModel):
                self._replies.append((effect.reply, effect.attempt))
            elif isinstance(effect, Speak):
                self._pieces.append((effect.reply, effect.piece))
            elif isinstance(effect, RunTool):
                self._tool_calls.append(effect.tool_call)

    def draw(self) -> Event:
        """The next event."""
        rng = self._rng
        return rng.choice(self._likely if rng.random() < 0.9 else self._rare)()

    def _recent(self, known: list[Any]) -> Any:
        return known[-1] if self._rng.random() < 0.75 else self._rng.choice(known)

    def _frame(self) -> Event:
        rng = self._rng
        if rng.random() < 0.15:
            self._speaking = not self._speaking
        payload = rng.choice(_FRAMES)
        at, self._media = self._media, self._media + len(payload) // 8
        if rng.random() < 0.02:
            at = rng.randrange(100_000)
        if self._speaking:
            return CallerAudio(payload, at, rng.uniform(-40, -5), rng.uniform(0.4, 1))
        return CallerAudio(payload, at, rng.uniform(-96, -30), rng.random() * 0.5)

    def _voice(self) -> Event:
        reply, piece = self._recent(self._pieces)
        return VoiceAudio(reply, piece, _SOUND[: self._rng.choice((0, 1, 160, 333, 1_600, 8_000))])

    def _voice_end(self) -> Event:
        rng = self._rng
        reply, piece = self._recent(self._pieces)
        if rng.random() < 0.6:
            return VoiceDone(reply, piece)
        if rng.random() < 0.3:
            return VoiceFailed(reply, piece, "broken", rng.random() < 0.5, rng.choice(PAUSES))
        words = tuple(
            SpokenWord(word, rng.choice((0, at * 800, -5, 10**6)))
            for at, word in enumerate(rng.choice(TEXTS).split())
        )
        return VoiceWords(reply, piece, words)

    def _mark(self) -> Event:
        return MarkEchoed(self._recent(self._marks))

    def _text(self) -> Event:
        reply, attempt = self._recent(self._replies)
        return ModelText(reply, attempt, self._rng.choice(TEXTS))

    def _model_audio(self) -> Event:
        reply, attempt = self._recent(self._replies)
        return ModelAudio(reply, attempt, _SOUND[: self._rng.choice((0, 1, 160, 333, 8_000))])

    def _model_end(self) -> Event:
        rng = self._rng
        reply, attempt = self._recent(self._replies)
        if rng.random() < 0.3:
            return ModelFailed(reply, attempt, "broken", rng.random() < 0.5, rng.choice(PAUSES))
        return ModelDone(reply, attempt, rng.choice(("stop", "length", "tools", "?")))

    def _tool_call(self) -> Event:
        rng = self._rng
        reply, attempt = self._recent(self._replies)
        tool_call = f"t{rng.randrange(12)}"
        return ModelToolCall(reply, attempt, tool_call, rng.choice(self._tools), rng.choice(ARGUMENTS))

    def _tool_end(self) -> Event:
        tool_call = self._recent(self._tool_calls)
        if self._rng.random() < 0.3:
            return ToolFailed(tool_call, "broken")
        return ToolResult(tool_call, self._rng.choice(ARGUMENTS))

    def _words(self) -> Event:
        rng = self._rng
        text = rng.choice(TEXTS)
        if rng.random() < 0.4:
            return InterimWords(text)
        return FinalWords(
            text, rng.choice((None, 0, self._media)), rng.choice((None, self._media)), rng.random()
        )

    def _line(self) -> Event:
        rng = self._rng
        return rng.choice((
            StreamOpened("s1", "c1"), StreamOpened("s2"), StreamOpened("s1", "c1"), Created(),
            StreamStopped(), StreamLost("gone"), CallerHungUp(), WireFault("malformed", rng.random() < 0.1),
            WriteStalled(rng.choice((0, 100, 60_000))), TranscriberReady(),
            CarrierDone(rng.choice(("hang_up", "transfer", "digits", "?")), rng.choice(OUTCOMES)),
        ))  # fmt: skip

    def _caller(self) -> Event:
        rng = self._rng
        return rng.choice((
            KeyPressed(rng.choice("0123456789*#ABCDx")), KeyPressed(""),
            MediaGap(self._media, rng.choice((0, 20, 9_000))),
            VoiceVote(self._media, rng.random()),
            TurnVote(rng.choice(tuple(Vote)), rng.random()),
        ))  # fmt: skip

    def _outside(self) -> Event:
        rng = self._rng
        text = rng.choice(TEXTS)
        return rng.choice((
            SayNow(text, rng.choice(tuple(Urgency)), rng.random() < 0.3),
            UserText(text, rng.choice(tuple(Urgency))),
            HangUpNow(text), TransferNow(rng.choice(("", "+15550100"))), Drain(rng.choice((0, 3_000)), text),
            SetOutputMedium(rng.choice(("text", "voice", "?"))),
        ))  # fmt: skip

    def _fault(self) -> Event:
        rng = self._rng
        return rng.choice((
            TranscriberFailed("broken", rng.random() < 0.5, rng.choice(PAUSES)),
            Survived(rng.choice(ROLES), "malformed"), VendorUsed(rng.choice(ROLES), requests=1),
        ))  # fmt: skip


def random_steps(rng: random.Random, events: RandomEvents) -> Iterator[tuple[int, Event]]:
    """Endless steps: call time, event. Most calls begin as calls do; time stands still or jumps."""
    now = 0
    if rng.random() < 0.9:
        yield now, Created()
        now += rng.choice(WAITS[:12])
        yield now, StreamOpened("s1", "c1")
    while True:
        now += rng.choice(WAITS) if rng.random() < 0.7 else 20
        yield now, events.draw()


def fuzz(
    seed: int, steps: int = 40, policy: Policy | None = None, call: Callable[[Policy], CallLike] = Call
) -> CallLike:
    """Take ``steps`` random events with a fresh call, waking it as it wishes (now and then late).

    Raises `LawBroken` where a law does not hold; the same seed gives the same steps.
    """
    rng = random.Random(seed)
    policy = policy or random_policy(rng)
    run = call(policy)
    log: list[LogEntry] = []
    laws = Laws(run, policy, log=log)
    events = RandomEvents(rng, policy)

    def take(now: int, event: Event | None) -> None:
        try:
            effects = run.wake(now) if event is None else run.handle(event, now)
        except Exception as error:
            raise LawBroken(
                "handle never raises", f"seed {seed}: {error!r} on {type(event).__name__}", log
            ) from error
        log.append((now, "wake" if event is None else event, tuple(effects)))
        laws.check(now, event, effects)
        events.noticed(effects)

    drawn = random_steps(rng, events)
    for _ in range(steps):
        now, event = next(drawn)
        punctual = rng.random() < 0.9
        woken = 0
        while punctual and run.wake_at is not None and run.wake_at <= now:
            take(max(run.wake_at, log[-1][0] if log else 0), None)
            woken += 1
            if woken == _RESTLESS:
                # Clocks of a millisecond are lawful; a clock that stands still is not.
                if run.wake_at is not None and run.wake_at <= log[-_RESTLESS][0]:
                    raise LawBroken("1", f"seed {seed}: woken again and again at {run.wake_at} ms", log)
                break
        take(now, event)
    if run.closed:
        laws.check_end(log[-1][0])
    replay(policy, log, call)
    return run
