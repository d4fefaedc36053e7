"""Recorded people against the real recogniser and a real dialogue: ``python -m benchmarks.people``

Each order and each single word is one call: a greeting, the person, pocketsphinx in its own process with the
grammar of the shipped ``drink_orders`` playbook (or of the five words), the call core with its default
policy, and the playbook's answer. Time is virtual, so the recogniser is given the audio as fast as it takes
it, and its words come `FINAL_DELAY` ms after the call asked for them. Right is what the call itself took for
the caller's words, whatever the recogniser may have said to another cut of the audio. One order
in thirty lies on the edge for the decoder and may come out otherwise in another run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from benchmarks.recordings import TURNS, clips, room
from benchmarks.report import Cell, Result, show
from engine.core.conversation import Message
from engine.core.effects import CloseTranscriber, Effect, FeedTranscriber, FlushTranscriber, OpenTranscriber
from engine.core.events import FinalWords, TranscriberReady
from engine.core.notes import TurnEnded
from engine.core.policy import Opening, Policy
from engine.providers.contracts import TextDelta, ToolCallDelta
from engine.providers.llm import playbook_format
from engine.providers.llm.playbook import SHIPPED, PlaybookModel
from engine.providers.llm.playbook_understanding import Understanding
from engine.providers.stt.pocketsphinx import PocketsphinxStream, PocketsphinxTranscriber
from engine.testing import ScriptedModel, ScriptedTranscriber, World
from engine.testing.corpus import Clip
from engine.testing.model import ToolUse
from engine.testing.recorded import RecordedCaller
from engine.testing.script import agent_silent

FINAL_DELAY = 160
"""ms from the flush to the words: what the decoder takes for an order (p50)."""
ANYTHING = 10**9
"""A lag that is never reached: in virtual time the recogniser always lags."""
SLOTS = {
    "size": "size", "roast": "roast", "numberOfShots": "shots", "coffeeDrink": "drink", "milkAmount": "milk",
    "sugarAmount": "sugar",
}  # fmt: skip
"""The corpus' names of the slots and the playbook's."""
PRONUNCIATIONS = {
    "voyager": "V OY AH JH ER", "onword": "AA N W ER D", "wildfire": "W AY L D F AY ER",
    "thinkengine": "TH IH NG K EH N JH AH N", "operator": "AA P ER EY T ER",
}  # fmt: skip
WORDS = f"#JSGF V1.0; grammar words; public <word> = {' | '.join(PRONUNCIATIONS)};"

T = TypeVar("T")
Runner = Callable[[Coroutine[Any, Any, T]], T]


class Recogniser(ScriptedTranscriber):
    """The real transcriber in a world: it is fed the caller's bytes, and waited for at each flush."""

    def __init__(self, transcriber: PocketsphinxTranscriber, run: Runner[Any]) -> None:
        super().__init__()
        self._transcriber = transcriber
        self._run = run

    def enter(self, world: World) -> None:
        """Start afresh in a world."""
        self._world = world
        self._stream: PocketsphinxStream | None = None
        self._given = 0
        self.performs: dict[type[Effect], Callable[..., None]] = {
            OpenTranscriber: self._on_open,
            FeedTranscriber: self._on_feed,
            FlushTranscriber: self._on_flush,
            CloseTranscriber: self._on_close,
        }

    def _on_open(self, effect: OpenTranscriber) -> None:
        self._stream = self._run(self._transcriber.open())
        self._world.later(0, TranscriberReady())

    def _on_feed(self, effect: FeedTranscriber) -> None:
        if self._stream is not None:
            self._stream.feed(effect.payload)
            self._given += len(effect.payload) // 8

    def _on_flush(self, effect: FlushTranscriber) -> None:
        if self._stream is not None:
            for final in self._run(self._finals(self._stream)):
                self._world.later(FINAL_DELAY, final)

    async def _finals(self, stream: PocketsphinxStream) -> list[FinalWords]:
        """Flush twice: the answer to the second is empty and says that all before it has been decoded."""
        stream.flush()
        stream.flush()
        found: list[FinalWords] = []
        async for event in stream:
            if isinstance(event, FinalWords):
                if not event.text and event.start == event.end == self._given and found:
                    break
                found.append(event)
        return [final for final in found if final.text] or found[:1]

    def _on_close(self, effect: CloseTranscriber) -> None:
        if self._stream is not None:
            self._run(self._stream.close())
            self._stream = None


def answers(model: PlaybookModel, run: Runner[Any]) -> ScriptedModel:
    """The playbook's replies, at the pace of a scripted model."""

    async def reply(messages: Sequence[Message]) -> list[str | ToolUse]:
        text, tools = "", []
        async for item in model.generate(messages, ()):
            if isinstance(item, TextDelta):
                text += item.text
            elif isinstance(item, ToolCallDelta):
                tools.append(ToolUse(item.name))
        return [text, *tools]

    return ScriptedModel(lambda messages: run(reply(messages)))


def call(clip: Clip, greeting: str, recogniser: Recogniser, model: ScriptedModel) -> World:
    """One person's call, until the agent has answered."""
    recording = clip.recording("")
    caller = RecordedCaller(background=room(recording)).plays(recording, when=agent_silent(300))
    caller.hangs_up(pause=6_000)
    policy = Policy(opening=Opening(message=greeting), turns=TURNS)
    return World(policy, caller=caller, transcriber=recogniser, model=model).run()


def said(world: World) -> str:
    """What the call took for the caller's words."""
    return " ".join(text for role, text in world.transcript if role == "user")


def answered_once(world: World) -> bool:
    """Whether the agent said anything after its greeting."""
    return sum(role == "assistant" for role, _ in world.transcript) > 1


def orders(run: Runner[Any]) -> list[Cell]:
    """The drink orders: how many came through whole, how many slots, in how many turns."""
    script = playbook_format.load(SHIPPED / "drink_orders.toml")
    understanding = Understanding(script)
    playbook = PlaybookModel("drink_orders")
    transcriber = PocketsphinxTranscriber(grammar=playbook.grammar(), decoders=1, max_lag_ms=ANYTHING)
    people = clips("orders")
    whole = slots = right = turns = answered = 0
    for clip in people:
        world = call(
            clip, "Welcome. What can I get you?", Recogniser(transcriber, run), answers(playbook, run)
        )
        wanted = {SLOTS[name]: value for name, value in clip.labels["slots"].items()}
        values = understanding.read(said(world), list(script.slots), "").values
        got = {name: str(value.value) for name, value in values.items()}
        slots += len(wanted)
        right += sum(got.get(name) == value for name, value in wanted.items())
        whole += got == wanted
        turns += len(world.notes(TurnEnded))
        answered += answered_once(world)
        if got != wanted:
            print(f"  {clip.path.name[:8]}: wanted {wanted}\n            heard {said(world)!r}")
    run(transcriber.close())
    return ["orders", f"{whole}/{len(people)}", f"{right}/{slots}", turns, f"{answered}/{len(people)}"]


def words(run: Runner[Any]) -> list[Cell]:
    """A menu of five words, one a call."""
    transcriber = PocketsphinxTranscriber(
        grammar=WORDS, pronunciations=PRONUNCIATIONS, decoders=1, max_lag_ms=ANYTHING, reject_below=None
    )
    people = clips("words")
    whole = turns = answered = 0
    for clip in people:
        world = call(clip, "Please say a word.", Recogniser(transcriber, run), ScriptedModel(["Thank you."]))
        right = said(world).casefold() == clip.text.casefold()
        whole += right
        turns += len(world.notes(TurnEnded))
        answered += answered_once(world)
        if not right:
            print(f"  {clip.path.name}: said {clip.text!r}, heard {said(world)!r}")
    run(transcriber.close())
    return ["words", f"{whole}/{len(people)}", "-", turns, f"{answered}/{len(people)}"]


def run() -> Result:
    """Measure."""
    with asyncio.Runner() as runner:
        rows = [orders(runner.run), words(runner.run)]
    return {
        "title": "Recorded people, the local recogniser and a real dialogue",
        "columns": ["", "right", "slots", "turns", "answered"],
        "rows": rows,
        "notes": [
            "Right is what the call took for the caller's words. Virtual time; the recogniser's words come"
            f" {FINAL_DELAY} ms after the call asked for them.",
        ],
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    show(run())


if __name__ == "__main__":
    main()
