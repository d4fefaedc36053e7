"""A small call, made by hand: what a shell would hand its listeners, step by step, audio included."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from functools import cache

from engine.audio import mulaw
from engine.audio.level import level_dbfs
from engine.core import effects as out
from engine.core import events as ev
from engine.core import notes as nt
from engine.core.policy import Policy
from engine.records.record import CallFacts

Step = tuple[int, ev.Event | None, list[out.Effect]]

CREATED = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
JOINED = 400
"""Call time, ms: where the recording begins."""
ATTACK = 'a <script>alert("x")</script> & {{peaks}} latte'

FACTS = CallFacts(
    call_id="call-1",
    created=CREATED,
    from_number="+15550100",
    to_number="+15550199",
    carrier="twilio",
    configuration={"prompt": "Take drink orders.", "turns": {"endpoint_delay": 0.6}},
    metadata={"campaign": "spring"},
    vendors={
        "transcriber": [["deepgram", "nova-3"]],
        "model": [["openai", "gpt-4o"]],
        "voice": [["espeak", ""]],
    },
)
POLICY = Policy(prompt="Take drink orders.", language="en")


def noise(ms: int, seed: int, loud: float = 0.25) -> bytes:
    """Speech-shaped noise: syllables of a fifth of a second, µ-law."""
    rng = random.Random(seed)
    pcm = bytearray()
    value = 0.0
    for n in range(ms * 8):
        syllable = abs(1 - (n % 1600) / 800) * (0.4 + 0.6 * ((n // 1600 * 7919 + seed) % 5) / 4)
        value = 0.82 * value + rng.uniform(-1, 1) * 0.5
        pcm += int(max(-1, min(1, value * loud * syllable * 2)) * 32767).to_bytes(2, "little", signed=True)
    return mulaw.encode(bytes(pcm))


class SampleCall:
    """Writes the steps; frames of the caller are added at the end, in order of time."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.spoken: list[tuple[int, bytes]] = []

    def step(self, now: int, event: ev.Event | None, *effects: out.Effect) -> None:
        self.steps.append((now, event, list(effects)))

    def caller(self, start: int, end: int) -> None:
        """The caller makes a sound that is speech."""
        self.spoken.append((start, noise(end - start, start)))
        self.step(start + 60, None, nt.SpeechStarted(start, "caller"))
        self.step(end + 160, None, nt.SpeechEnded(end, "caller"))

    def agent(self, reply: int, kind: str, text: str, start: int, end: int, cut: bool = False) -> None:
        """The agent is heard from ``start`` to ``end``; ``text`` is what was heard."""
        self.step(start, ev.MarkEchoed(f"{reply}.0"), nt.SpeechStarted(start, "agent"))
        audio = noise(end - start, reply, 0.4)
        for i in range(0, len(audio), 1600):
            at = start + i // 8
            self.step(at + 200, ev.MarkEchoed(f"{reply}.{i}"), out.AudioHeard(audio[i : i + 1600], at))
        self.step(
            end,
            None,
            nt.SpeechEnded(end, "agent"),
            nt.ReplyEnded(end, reply, kind, nt.Cut.CUT if cut else nt.Cut.DONE, text, end - start),
            nt.MessageAdded(end, "assistant", text, reply=reply),
        )

    def reply(self, reply: int, kind: str, text: str, *, draft: bool = False, **stages: int) -> None:
        """A reply and the times of its stages; the first heard sample is `agent`'s."""
        first = min(stages.values())
        self.step(first, None, nt.ReplyStarted(first, reply, kind, draft))
        for stage, at in stages.items():
            self.step(at, None, nt.ReplyStage(at, reply, stage))
        self.step(stages["voice_asked"], None, nt.ReplyText(stages["voice_asked"], reply, text))
        self.step(stages["voice_asked"], ev.VendorUsed("voice", characters=len(text)))
        self.step(stages["first_text"], ev.VendorUsed("model", requests=1, tokens=ev.Usage(120, 20, 100)))

    def turn(self, text: str, spoke_until: int, ended: int, why: str) -> None:
        at = ended - 300
        self.step(at - 200, ev.InterimWords(text[:6]), nt.WordsRecognised(at - 200, text[:6]))
        self.step(at, ev.FinalWords(text), nt.WordsRecognised(at, text, final=True))
        waited = ended - spoke_until
        self.step(ended, None, nt.MessageAdded(ended, "user", text))
        self.step(ended, None, nt.TurnEnded(ended, text, spoke_until, waited, why))

    def frames(self, until: int) -> None:
        """The caller's audio from joining on: a frame each 20 ms, with line noise under it."""
        line = bytearray(noise(until - JOINED, 1, 0.004))
        for start, audio in self.spoken:
            offset = (start - JOINED) * 8
            line[offset : offset + len(audio)] = audio
        for at in range(0, until - JOINED, 20):
            frame = bytes(line[at * 8 : at * 8 + 160])
            now = JOINED + at + 20
            event = ev.CallerAudio(frame, at, level_dbfs(frame), 0.5)
            self.step(now, event, out.FeedTranscriber(frame))


@cache
def sample_steps() -> list[Step]:
    """Thirty seconds: a greeting, a question with a tool, an interruption, a cough, a clock, a goodbye."""
    call = SampleCall()
    call.step(0, ev.Created("inbound"), out.OpenTranscriber(), out.OpenVoice())
    call.step(JOINED, ev.StreamOpened("MZ1", "CA1"), nt.Joined(JOINED, "CA1", "twilio/1.0"))
    call.step(JOINED, None, nt.ReplyStarted(JOINED, 1, "greeting"))
    call.step(520, None, nt.ReplyStage(520, 1, "first_heard"))
    call.agent(1, "greeting", "Hello, this is the coffee bar. What can I get you?", 520, 3_300)

    call.caller(4_000, 5_200)
    call.caller(5_600, 6_900)
    call.reply(
        2,
        "answer",
        "One latte. What size would you like?",
        draft=True,
        model_asked=7_080,
        first_text=7_290,
        voice_asked=7_340,
        first_audio=7_430,
        first_sent=7_502,
        first_heard=7_560,
    )
    call.turn(f"I would like {ATTACK} please", 6_900, 7_500, "silence")
    call.step(7_500, None, nt.ReplyChosen(7_500, 2))
    call.step(7_300, None, nt.ToolStarted(7_300, "t1", "look_up", '{"drink": "latte"}'))
    call.step(
        7_330, ev.ToolResult("t1", '{"price": 4}'), nt.ToolEnded(7_330, "t1", "look_up", "", '{"price": 4}')
    )
    call.agent(2, "answer", "One latte. What size would you", 7_560, 10_120, cut=True)
    call.step(10_120, None, nt.Interrupted(10_120, "hold", 10_000, "sound"))
    call.step(10_420, None, nt.Interrupted(10_420, "stop", 10_000, "words"))
    call.caller(10_000, 11_400)
    call.turn("a large one and make it decaf", 11_400, 11_860, "finished sentence")
    call.step(12_100, ev.ModelFailed(3, 0, "503"), nt.Fault(12_100, "model", "503 Service Unavailable"))
    call.reply(
        3,
        "answer",
        "A large decaf latte. Anything else?",
        model_asked=11_860,
        first_text=12_500,
        voice_asked=12_560,
        first_audio=12_660,
        first_sent=12_661,
        first_heard=12_720,
    )
    call.step(13_600, None, nt.Interrupted(13_600, "hold", 13_480, "sound"))
    call.step(14_100, None, nt.Interrupted(14_100, "resume", 13_480, "no words"))
    call.agent(3, "answer", "A large decaf latte. Anything else?", 12_720, 16_000)

    call.step(23_500, None, nt.ClockFired(23_500, "awaiting_response"))
    call.step(23_500, None, nt.ReplyStarted(23_500, 4, "awaiting_response"))
    call.step(23_600, None, nt.ReplyStage(23_600, 4, "first_heard"))
    call.agent(4, "awaiting_response", "Are you still there?", 23_600, 24_700)
    call.step(25_300, ev.KeyPressed("1"), nt.KeysPressed(25_300, "1"))
    call.caller(26_000, 27_200)
    call.turn("no that is all thank you", 27_200, 27_600, "finished sentence")
    call.reply(
        5,
        "answer",
        "Thank you. Goodbye!",
        model_asked=27_600,
        first_text=27_760,
        voice_asked=27_790,
        first_audio=27_870,
        first_sent=27_871,
        first_heard=27_930,
    )
    call.agent(5, "answer", "Thank you. Goodbye!", 27_930, 29_200)
    call.step(29_200, None, nt.Ending(29_200, nt.EndReason.AGENT_HUNG_UP, "goodbye"), out.HangUp())
    call.frames(29_300)
    call.step(29_300, ev.VendorUsed("transcriber", audio_ms=28_900))
    call.step(
        29_400, ev.CarrierDone("hang_up"), nt.Closed(29_400, nt.EndReason.AGENT_HUNG_UP), out.CloseStream()
    )
    return sorted(call.steps, key=lambda step: step[0])
