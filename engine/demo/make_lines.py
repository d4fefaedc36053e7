"""Makes the lines of the demo's callers with flite: ``python -m engine.demo.make_lines``.

Each line is spoken by flite's voice ``rms``, brought to a speech level of -20 dBFS, passed through µ-law at
8 kHz as a telephone would, and heard by the recogniser with the playbook's own grammar. Nothing is written
if a line is not understood word by word.
"""

from __future__ import annotations

import asyncio
import subprocess
import wave
from math import log10, sqrt
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.audio import mulaw
from engine.audio._pcm import FULL_SCALE, SAMPLE_RATE, WIDTH, audioop
from engine.audio.resample import Resampler
from engine.core.events import FinalWords
from engine.demo.script import LINES, TEXTS
from engine.demo.wav import mulaw_wav
from engine.errors import EngineError
from engine.providers.llm.playbook import PlaybookModel
from engine.providers.stt.pocketsphinx import PocketsphinxTranscriber

VOICE = "rms"
SPEECH_LEVEL = -20.0
"""dBFS, RMS of the frames that are within `_ACTIVE_WITHIN` dB of the loudest: a usual level on the phone."""
_ACTIVE_WITHIN = 25.0
_FRAME = 20 * mulaw.BYTES_PER_MS * WIDTH


def speak(text: str) -> bytes:
    """A line as µ-law. Raises `EngineError` where flite is not installed."""
    with TemporaryDirectory(prefix="lines-") as folder:
        sound = Path(folder, "line.wav")
        try:
            subprocess.run(["flite", "-voice", VOICE, "-t", text, "-o", sound], check=True)
        except FileNotFoundError:
            raise EngineError("flite is not installed: apt-get install flite") from None
        with wave.open(str(sound)) as file:
            rate, pcm = file.getframerate(), file.readframes(file.getnframes())
    resampler = Resampler(rate, SAMPLE_RATE)
    return mulaw.encode(_levelled(resampler.feed(pcm) + resampler.flush()))


def _levelled(pcm: bytes) -> bytes:
    levels = [audioop.rms(pcm[at : at + _FRAME], WIDTH) for at in range(0, len(pcm), _FRAME)]
    active = [level for level in levels if level > max(levels) * 10 ** (-_ACTIVE_WITHIN / 20)]
    level = 20 * log10(sqrt(sum(each**2 for each in active) / len(active)) / FULL_SCALE)
    return audioop.mul(pcm, WIDTH, 10 ** ((SPEECH_LEVEL - level) / 20))


async def hear(playbook: str, lines: dict[str, bytes]) -> dict[str, str]:
    """What the recogniser understands of each line, with a pause before and after it."""
    recogniser = PocketsphinxTranscriber(grammar=PlaybookModel(playbook).grammar())
    understood = {}
    for name, speech in lines.items():
        stream = await recogniser.open()
        stream.feed(mulaw.silence(600) + speech + mulaw.silence(200))
        stream.flush()
        async for event in stream:
            if isinstance(event, FinalWords):
                understood[name] = event.text
                break
        await stream.close()
    await recogniser.close()
    return understood


def plain(text: str) -> str:
    """A text as the recogniser writes it."""
    return " ".join("".join(char for char in text.lower() if char.isalpha() or char in " '").split())


def main() -> None:
    """Make all lines, check them, and write them."""
    for playbook, texts in TEXTS.items():
        lines = {name: speak(text) for name, text in texts.items()}
        for name, understood in asyncio.run(hear(playbook, lines)).items():
            if understood != plain(texts[name]):
                raise EngineError(f"{playbook}/{name} was understood as {understood!r}")
        folder = LINES / playbook
        folder.mkdir(parents=True, exist_ok=True)
        for name, speech in lines.items():
            (folder / f"{name}.wav").write_bytes(mulaw_wav(speech))
            print(folder.name, name, f"{len(speech) / SAMPLE_RATE:.1f} s", sep="\t")


if __name__ == "__main__":
    main()
