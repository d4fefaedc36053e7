"""What the local recogniser is good for, measured on recorded telephone speech.

    python -m benchmarks.recogniser [--quick]

Recordings are read from ``../shared/speech`` or from the folder named by ENGINE_SPEECH; without them nothing
is measured. Every file goes through `PocketsphinxTranscriber` as a call does: 20 ms of µ-law at a time and a
flush after the last, but as fast as the worker takes it. Latency is the time from the flush to the final
words, with the audio before it already decoded. CPU is the worker's, per second of audio. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import statistics
import time
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.recordings import NO_SPEECH
from benchmarks.report import Cell, Result, Skipped, show
from engine.audio import mulaw
from engine.core.events import FinalWords
from engine.providers.llm.playbook import PlaybookModel
from engine.providers.llm.playbook_matching import words
from engine.providers.stt.pocketsphinx import PocketsphinxTranscriber

SPEECH = Path(
    os.environ.get("ENGINE_SPEECH", Path(__file__).resolve().parent.parent.parent / "shared" / "speech")
)
MENU = "operator | voyager | wildfire | on word | think engine"
DIGITS = "(zero | oh | one | two | three | four | five | six | seven | eight | nine)+"
FRAME = 160
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording: µ-law and what the manifest says of it."""

    audio: bytes
    text: str
    slots: dict[str, str]


@dataclass(slots=True)
class Run:
    """What came out of one search on one set of recordings."""

    heard: list[str] = field(default_factory=list)
    latency_ms: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    audio_s: float = 0.0


def clips(folder: str, limit: int | None = None) -> list[Clip]:
    """The recordings of one folder."""
    with (SPEECH / "manifest.csv").open(newline="") as manifest:
        rows = [row for row in csv.DictReader(manifest) if row["file"].startswith(f"{folder}/")]
    found = []
    for row in rows[:limit]:
        with wave.open(str(SPEECH / row["file"])) as file:
            audio = mulaw.encode(file.readframes(file.getnframes()))
        slots = json.loads(row["labels"]).get("slots", {}) if row["labels"] else {}
        found.append(Clip(audio, " ".join(words(row["text"])), slots))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process (Linux)."""
    fields = stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS


def stat(pid: int) -> list[str]:
    """What Linux tells of a process, from its state on (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def rule(body: str) -> str:
    """A grammar of one rule."""
    return f"#JSGF V1.0;\ngrammar bench;\npublic <utterance> = {body};\n"


async def recognise(recordings: Sequence[Clip], **settings: Any) -> Run:
    """Put recordings through a recogniser, one after the other on one stream."""
    run = Run()
    transcriber = PocketsphinxTranscriber(end_silence_ms=60_000, max_lag_ms=60_000, **settings)
    stream = await transcriber.open()
    pid = transcriber.worker_pid
    assert pid is not None
    events = aiter(stream)
    before = cpu_seconds(pid)
    for clip in recordings:
        for at in range(0, len(clip.audio), FRAME):
            stream.feed(clip.audio[at : at + FRAME])
        await settled(pid)
        asked = time.perf_counter()
        stream.flush()
        while not isinstance(event := await anext(events), FinalWords):
            pass
        run.latency_ms.append((time.perf_counter() - asked) * 1000)
        run.heard.append(event.text)
        run.audio_s += len(clip.audio) / 8000
    run.cpu_s = cpu_seconds(pid) - before
    await transcriber.close()
    return run


async def settled(pid: int) -> None:
    """Wait until the worker has decoded what it has (it waits for input: state S)."""
    quiet = 0
    while quiet < 3:
        await asyncio.sleep(0.005)
        quiet = quiet + 1 if stat(pid)[0] == "S" else 0


def slots_right(recordings: Sequence[Clip], heard: Sequence[str]) -> str:
    """Share of the slots whose words were heard, and of the orders with all of them."""
    hits = [
        [f" {' '.join(words(value))} " in f" {text} " for value in clip.slots.values()]
        for clip, text in zip(recordings, heard, strict=True)
    ]
    slots = [hit for order in hits for hit in order]
    share = f"slots {sum(slots)}/{len(slots)} = {sum(slots) / len(slots):.0%}"
    return f"{share}, orders {sum(map(all, hits))}/{len(hits)}"


def words_right(recordings: Sequence[Clip], heard: Sequence[str]) -> str:
    """Recordings heard exactly, and the word error rate of all."""
    pairs = [
        (clip.text.replace("thinkengine", "think engine").replace("onword", "on word"), text)
        for clip, text in zip(recordings, heard, strict=True)
    ]
    errors = sum(word_errors(wanted.split(), text.split()) for wanted, text in pairs)
    total = sum(len(wanted.split()) for wanted, _ in pairs)
    return f"exact {sum(w == t for w, t in pairs)}/{len(pairs)}, WER {errors / total:.0%}"


def word_errors(wanted: Sequence[str], heard: Sequence[str]) -> int:
    """Levenshtein distance in words."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(wanted, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1]


def believed(recordings: Sequence[Clip], heard: Sequence[str]) -> str:
    """How many recordings of something else were taken for the grammar's words."""
    return f"taken for words {sum(map(bool, heard))}/{len(recordings)}"


def row(name: str, result: str, run: Run) -> list[Cell]:
    """One line of the table."""
    latency = sorted(run.latency_ms)
    p95 = latency[min(len(latency) - 1, int(len(latency) * 0.95))]
    return [name, result, round(run.cpu_s / run.audio_s, 3), statistics.median(latency), p95]


async def measure(*, quick: bool) -> list[list[Cell]]:
    """Measure everything."""
    table: list[list[Cell]] = []
    limit = 6 if quick else None
    playbook = PlaybookModel("drink_orders")
    grammar = playbook.grammar()
    orders, menu = clips("orders", limit), clips("words", limit)
    digits = clips("digits")
    single = [clip for clip in digits if " " not in clip.text][:limit]
    strings = [clip for clip in digits if " " in clip.text]
    done = await recognise(orders, grammar=grammar)
    table.append(row("orders, playbook's grammar", slots_right(orders, done.heard), done))
    done = await recognise(orders, grammar=grammar, reject_below=None)
    table.append(row("orders, the same, nothing rejected", slots_right(orders, done.heard), done))
    done = await recognise(orders, phrases=playbook.phrases())
    table.append(row("orders, trigrams of its example phrases", slots_right(orders, done.heard), done))
    done = await recognise(orders)
    table.append(row("orders, general model", slots_right(orders, done.heard), done))
    done = await recognise(menu, grammar=rule(MENU))
    table.append(row("one of five menu words, grammar", words_right(menu, done.heard), done))
    done = await recognise(single, grammar=rule(DIGITS))
    table.append(row("single digits, grammar", words_right(single, done.heard), done))
    done = await recognise(strings, grammar=rule(DIGITS))
    table.append(row("strings of digits, grammar", words_right(strings, done.heard), done))
    prompts = clips("prompts-en", limit or 12)
    done = await recognise(prompts)
    table.append(row("dictation of prompts, general model", words_right(prompts, done.heard), done))
    for folder in ("words", "prompts-en", "endpoint", "prompts-es", "noise"):
        others = clips(folder, limit)
        done = await recognise(others, grammar=grammar)
        table.append(row(f"{folder}, playbook's grammar", believed(others, done.heard), done))
    return table


def run(*, quick: bool = False) -> Result:
    """Measure; ``quick``: six recordings of each kind."""
    if not (SPEECH / "manifest.csv").is_file():
        raise Skipped(NO_SPEECH)
    return {
        "title": "What the local recogniser understands of recorded telephone speech",
        "columns": ["search", "result", "CPU s per s", "p50 ms", "p95 ms"],
        "rows": asyncio.run(measure(quick=quick)),
        "notes": ["Latency: from the flush to the final words, the audio before it already decoded."],
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="six recordings of each kind")
    arguments = parser.parse_args(argv)
    show(run(quick=arguments.quick))


if __name__ == "__main__":
    main()
