"""What the callers of the live benchmarks say: recorded sentences, or a synthetic voice where there are none.

Two kinds: sentences said in one go, and sentences with a pause of 300 to 460 ms inside. The recordings are
those of ``ENGINE_SPEECH`` (prompts of an announcer; of real callers those with such a pause; and prompts
whose own short pause is stretched with its own sound). A file of lines is what the processes of a run share,
so that the transcriber's stand-in knows the words and times of what the phones say.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from engine.audio.level import level_dbfs
from engine.audio.mulaw import BYTES_PER_MS, silence
from engine.core.events import VoiceAudio, VoiceDone, VoiceWords
from engine.providers.tts.espeak import EspeakVoice
from engine.providers.tts.local import LocalStream
from engine.testing.corpus import corpus_folder, read_corpus
from engine.testing.recorded import LOUD, Recording, loud_part
from fixtures.deepgram_ear import LOUD_DBFS, Line, Word

PAUSES = (300, 380, 460)
"""ms inside a sentence, in turn."""
OWN_PAUSE = 160
"""ms from which an announcement's own pause is one that can be stretched."""
LOUDER_DB = 8.0
"""Brings the recorded callers to the announcer's level."""
FAINT_MS = 100
"""ms by which the faint end of a word may lengthen the pause after it, as far as a telephone can tell."""
ROOM_MS = 300
"""The sound of the line that is kept after the last word."""
FRAME = 20
SAYINGS = (
    "I would like to book a table for two people.",
    "Can you tell me when you open tomorrow?",
    "My order from last week has not arrived.",
    "Please check the number and dial again.",
    "I want to change the time of my appointment.",
    "Do you have anything free in the afternoon?",
)
BROKEN = (
    ("I would like to book a table", "for two people."),
    ("Can you tell me", "when you open tomorrow?"),
    ("The parcel that I ordered last week", "has not arrived."),
    ("I want to change", "the time of my appointment."),
    ("Do you have anything free", "in the afternoon?"),
    ("I am calling because", "my telephone does not work."),
)


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence of a caller: µ-law, and what a transcriber makes of it."""

    name: str
    audio: bytes = field(repr=False)
    line: Line
    over: bool = False
    """Said over the agent, not after it."""

    @property
    def start(self) -> int:
        """Where its sound begins, ms of the audio."""
        return onset(self.audio)

    @property
    def end(self) -> int:
        """Where its speech ends, ms of the audio."""
        return self.start + self.line.speech[-1][1]


def onset(audio: bytes) -> int:
    """The ms at which the first frame of 20 ms begins that the transcriber's stand-in takes for sound."""
    size = FRAME * BYTES_PER_MS
    for at in range(0, len(audio) - size + 1, size):
        if level_dbfs(audio[at : at + size]) >= LOUD_DBFS:
            return at // BYTES_PER_MS
    return 0


def lines(kind: str) -> tuple[list[Said], str]:
    """The lines of a kind, ``finished`` or ``pausing``, and a sentence that says what they are."""
    corpus = corpus_folder(Path(__file__).parent.parent)
    if corpus is None:
        spoken = asyncio.run(_synthetic(SAYINGS if kind == "finished" else BROKEN))
        return spoken, "The callers are a synthetic voice (espeak-ng): no recordings were found."
    if kind == "finished":
        return _finished(corpus), "The callers are recordings of an announcer's sentences at 8 kHz."
    return _pausing(corpus), (
        "The callers are recordings: people who pause 300 to 460 ms inside a sentence, and announcements"
        " whose own pause is stretched to that."
    )


def write(file: Path, script: Iterable[Said]) -> None:
    """Keep a script in a file, for the other processes of a run."""
    data = [
        {
            "name": said.name,
            "audio": b64encode(said.audio).decode(),
            "words": [[word.text, word.start, word.end] for word in said.line.words],
            "speech": said.line.speech,
            "over": said.over,
        }
        for said in script
    ]
    file.write_text(json.dumps(data), encoding="utf-8")


def read(file: Path) -> list[Said]:
    """The script that `write` kept."""
    return [
        Said(
            each["name"],
            b64decode(each["audio"]),
            Line([Word(*word) for word in each["words"]], [(one, two) for one, two in each["speech"]]),
            each["over"],
        )
        for each in json.loads(file.read_text(encoding="utf-8"))
    ]


# --- recordings ---------------------------------------------------------------------------------------


def _finished(corpus: Path) -> list[Said]:
    """Whole sentences without a pause that anybody could take for their end."""
    clips = [clip for clip in read_corpus(corpus, "prompts-en") if _is_sentence(clip.text)]
    found = [(clip, clip.recording()) for clip in clips]
    return [_said(c.path.stem, r) for c, r in found if _longest(_gaps(r)) < PAUSES[0] - 2 * FRAME]


def _pausing(corpus: Path) -> list[Said]:
    """Sentences with a pause of 300 to 460 ms, and none that is longer by the labels, or much so by level."""
    found = []
    for clip in read_corpus(corpus, "endpoint"):
        pauses = [round((end - start) * 1000) for start, end in clip.labels.get("pauses", ())]
        recording = clip.recording().louder(LOUDER_DB)
        heard = _longest(_gaps(recording, LOUD_DBFS))
        if pauses and PAUSES[0] <= max(pauses) <= PAUSES[-1] and heard <= PAUSES[-1] + FAINT_MS:
            found.append(_said(clip.path.stem, recording))
    for clip in read_corpus(corpus, "prompts-en"):
        recording = clip.recording()
        own = max(_gaps(recording), key=lambda gap: gap[1] - gap[0], default=(0, 0))
        if own[1] - own[0] >= OWN_PAUSE and ". " not in clip.text:
            pause = PAUSES[len(found) % len(PAUSES)]
            found.append(_said(f"{clip.path.stem}, {pause} ms", _stretched(recording, own, pause)))
    return found


def _is_sentence(text: str) -> bool:
    return text[:1].isupper() and text.endswith((".", "?")) and ". " not in text and "..." not in text


def _stretched(recording: Recording, own: tuple[int, int], pause: int) -> Recording:
    """A recording whose ``own`` pause lasts ``pause`` ms, filled with the sound that is in it."""
    start, end = own
    audio = recording.audio
    quiet = audio[(start + FRAME) * BYTES_PER_MS : (end - FRAME) * BYTES_PER_MS]
    missing = (pause - (end - start)) * BYTES_PER_MS
    more = (quiet * (missing // len(quiet) + 1))[:missing]
    longer = audio[: end * BYTES_PER_MS] + more + audio[end * BYTES_PER_MS :]
    later = start + pause - end
    speech = ((recording.start, start), (start + pause, recording.end + later))
    return replace(recording, audio=longer, speech=speech)


def _said(name: str, recording: Recording) -> Said:
    """A recording as the phones and the stand-in need it: times count from its first sound.

    What follows long after its last word, a click of the line, would be taken for another line.
    """
    audio = recording.audio[: (recording.end + ROOM_MS) * BYTES_PER_MS]
    first = onset(audio)
    words = [Word(w.text, max(0, w.start - first), w.end - first) for w in recording.words()]
    speech = [(max(0, start - first), end - first) for start, end in recording.speech]
    return Said(name, audio, Line(words, speech))


def _gaps(recording: Recording, least: float | None = None) -> list[tuple[int, int]]:
    """The silences inside what is said, below ``least`` dBFS or 30 dB below its loudest: from and to, ms."""
    size = FRAME * BYTES_PER_MS
    levels = {
        at: level_dbfs(recording.audio[at * BYTES_PER_MS :][:size])
        for at in range(recording.start, recording.end, FRAME)
    }
    least = max(levels.values()) - LOUD if least is None else least
    loud = [at for at, level in levels.items() if level >= least]
    return [(one + FRAME, two) for one, two in pairwise(loud) if two - one > FRAME]


def _longest(gaps: Iterable[tuple[int, int]]) -> int:
    return max((end - start for start, end in gaps), default=0)


# --- a synthetic voice --------------------------------------------------------------------------------


async def _synthetic(sayings: Sequence[str | tuple[str, str]]) -> list[Said]:
    """Sentences of espeak-ng; of a pair, the second part follows a pause."""
    stream = await EspeakVoice("en").open()
    try:
        found = []
        for number, saying in enumerate(sayings):
            parts = [saying] if isinstance(saying, str) else list(saying)
            audio, words, speech = b"", list[Word](), list[tuple[int, int]]()
            for part, text in enumerate(parts):
                if part:
                    audio += silence(PAUSES[number % len(PAUSES)])
                begin = len(audio) // BYTES_PER_MS
                said, spoken = await _speak(stream, number, part, text)
                words += [Word(word.text, begin + word.start, begin + word.end) for word in spoken]
                audio += said
                speech.append((begin, len(audio) // BYTES_PER_MS))
            found.append(Said(f"synthetic {number}", audio, Line(words, speech)))
        return found
    finally:
        await stream.close()


async def _speak(stream: LocalStream, number: int, part: int, text: str) -> tuple[bytes, list[Word]]:
    """A text from its first loud frame to its last, and its words in ms."""
    stream.say(number, part, text)
    audio, starts = b"", list[tuple[str, int]]()
    async for event in stream:
        if isinstance(event, VoiceAudio):
            audio += event.payload
        elif isinstance(event, VoiceWords):
            starts += [(word.text, word.start // BYTES_PER_MS) for word in event.words]
        elif isinstance(event, VoiceDone):
            break
    _, last = loud_part(audio)
    first = onset(audio)
    ends = [at for _, at in starts[1:]] + [last]
    words = [
        Word(text, max(0, at - first), max(0, min(end, last) - first))
        for (text, at), end in zip(starts, ends, strict=True)
    ]
    return audio[first * BYTES_PER_MS : last * BYTES_PER_MS], words
