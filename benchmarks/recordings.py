"""What the benchmarks on recorded people share: where the recordings are, and their words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import Skipped
from engine.agent.phrases import always_interrupt, never_interrupt
from engine.audio.silero import SileroModel
from engine.core.policy import Turns
from engine.errors import MissingExtra
from engine.providers.silero_model import find_model
from engine.testing.corpus import Clip, corpus_folder, read_corpus
from engine.testing.recorded import Recording

NO_SPEECH = "The recorded speech is not here: set ENGINE_SPEECH to the folder that has its manifest.csv."
ORDER = ("size", "roast", "numberOfShots", "coffeeDrink", "milkAmount", "sugarAmount")
"""The slots of a drink order, in the order in which people say them."""
TURNS = Turns(never_interrupt=never_interrupt("en"), always_interrupt=always_interrupt("en"))
"""What an English agent gets that sets nothing."""


def clips(*folders: str) -> list[Clip]:
    """The clips of these folders. Raises `Skipped` where there are none."""
    folder = corpus_folder(Path(__file__).parent.parent)
    if folder is None:
        raise Skipped(NO_SPEECH)
    return read_corpus(folder, *folders)


def spoken(clip: Clip) -> Recording:
    """A clip with its words. The orders' source gives slots and not words: then those are the words."""
    slots = clip.labels.get("slots", {})
    return clip.recording(clip.text or " ".join(slots[name] for name in ORDER if name in slots))


def room(recording: Recording) -> Recording:
    """The sound of the line after a recording's last word: what the caller's end sounds like in between."""
    after = min(recording.end + 300, recording.length - 100)
    return recording.sound(after, recording.length)


def silero() -> SileroModel | None:
    """The better voice detector, if it is installed."""
    path = find_model()
    try:
        return SileroModel(path) if path else None
    except MissingExtra:
        return None


def percentile(values: Sequence[float], share: float) -> str:
    """The value below which ``share`` of the values lie, as text; ``-`` where there are none."""
    ordered = sorted(values)
    return str(round(ordered[min(len(ordered) - 1, int(share * len(ordered)))])) if ordered else "-"
