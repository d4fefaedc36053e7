"""The process in which pocketsphinx decodes, because it holds the interpreter lock while it does.

``python -m engine.providers.stt.pocketsphinx_worker`` speaks the frames of `pocketsphinx_frames`; it ends
when its standard input ends, that is, with its parent at the latest. One thread takes turns between the
streams, at most one piece of audio each, so a long backlog of one delays the others by milliseconds.

A stream costs a decoder only while someone speaks on it: an utterance opens when 3 of 5 frames of 20 ms
are speech (pocketsphinx' own copy of the WebRTC detector) and takes the 300 ms before along.
"""

from __future__ import annotations

import json
import math
import os
import re
import select
import signal
import tempfile
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pocketsphinx

from engine.audio import mulaw
from engine.providers.stt import pocketsphinx_frames as frames

FRAME_MS = 20
FRAME_BYTES = FRAME_MS * mulaw.BYTES_PER_MS
PREROLL_FRAMES = 15
ONSET_FRAMES, ONSET_SPEECH = 4, 3
"""So many of the frames before a frame, with it, must be speech for an utterance to open."""
FRAMES_A_TURN = 5
LONGEST_UTTERANCE_MS = 20_000
VAD_STRICT = 3
DECODER_FRAME_MS = 10
SCORE_WIDTH = 0.4
"""How fast the confidence rises around the rejection score (log units per frame)."""

USUAL_FLOOR = -4.4
LEAST_COVERED = 0.4
"""Share of the speech frames that words must take to be believed."""

_IN, _OUT = 0, 1


class Fatal(Exception):  # noqa: N818 - it is a report to the parent, not an error to handle
    """The worker cannot work with its settings; the text says why."""


class Decoders:
    """A bounded pool of pocketsphinx decoders, made when they are first needed."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._most = int(config["decoders"])
        self._made = 0
        self._lm_file: str | None = None
        self._free: list[Any] = []
        if config["phrases"]:
            self._lm_file = _trigram_file(config["phrases"])
        self.give(self._make())

    def take(self) -> Any | None:
        """A free decoder, or None where all are in use."""
        if self._free:
            return self._free.pop()
        return self._make() if self._made < self._most else None

    def give(self, decoder: Any) -> None:
        """Take a decoder back."""
        self._free.append(decoder)

    def _make(self) -> Any:
        """A new decoder. Raises `Fatal`."""
        config = self._config
        grammar = config["grammar"]
        settings: dict[str, Any] = {"samprate": 16000, "loglevel": "FATAL", "bestpath": False}
        settings.update({key: config[key] for key in ("hmm", "dict") if config[key]})
        lm = self._lm_file or config["lm"]
        if grammar or lm:
            settings["lm"] = lm if not grammar else None
        try:
            decoder = pocketsphinx.Decoder(**settings)
            for word, phones in config["pronunciations"].items():
                _teach(decoder, word, phones)
            if grammar:
                _check_grammar(decoder, grammar)
                decoder.add_jsgf_string("grammar", grammar)
                decoder.activate_search("grammar")
        except (RuntimeError, ValueError) as error:
            raise Fatal(f"pocketsphinx refuses its settings: {error}") from error
        self._made += 1
        return decoder


def _teach(decoder: Any, word: str, phones: str) -> None:
    """Add a pronunciation: the first, or one more (``word(2)``) where the dictionary has the word."""
    name, number = word, 1
    while decoder.lookup_word(name) is not None:
        number += 1
        name = f"{word}({number})"
    decoder.add_word(name, phones, True)


def _check_grammar(decoder: Any, grammar: str) -> None:
    """Raise `Fatal` for a word or a rule that the recogniser would silently never hear."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/|\{[^}]*\}|/[\d.]+/", " ", grammar, flags=re.DOTALL)
    rules = dict(re.findall(r"<([^<>]+)>\s*=([^;]*);", text))
    used = {name for body in rules.values() for name in re.findall(r"<([^<>]+)>", body)}
    unknown = sorted(used - rules.keys() - {"NULL", "VOID"})
    if unknown and "import" not in text:
        raise Fatal(f"the grammar has no rule for: {', '.join(unknown)}")
    bare = " ".join(re.sub(r"<[^<>]*>|[\[\]()|*+]", " ", body) for body in rules.values())
    unheard = sorted(word for word in set(bare.split()) if decoder.lookup_word(word) is None)
    if unheard:
        raise Fatal(
            f"the dictionary has no pronunciation for: {', '.join(unheard)} (give them in pronunciations)"
        )


def _trigram_file(sentences: list[str]) -> str:
    """A small trigram model of the sentences, as an ARPA file that ends with the process."""
    from pocketsphinx.lm import ArpaBoLM

    model = ArpaBoLM(text="\n".join(sentences), add_start=True)
    model.compute()
    handle, name = tempfile.mkstemp(suffix=".lm")
    os.close(handle)
    model.write_file(name)
    return name


@dataclass
class Stream:
    """One caller: frames and requests that wait, and the open utterance. Times are media time, ms."""

    number: int
    waiting: deque[bytes | int] = field(default_factory=deque)
    """µ-law frames of 20 ms, a positive number of ms that are missing, or 0 for a flush."""
    frames_waiting: int = 0
    rest: bytes = b""
    """The last audio, less than a frame."""
    position: int = 0
    preroll: deque[tuple[bytes, bool]] = field(default_factory=lambda: deque(maxlen=PREROLL_FRAMES))
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=ONSET_FRAMES))
    decoder: Any = None
    """Set while an utterance is open."""
    started: int = 0
    speech: list[bool] = field(default_factory=list)
    """Of each frame of the utterance: is it speech."""
    silence: int = 0
    last_interim: int = 0
    interim: str = ""
    lost: int = 0
    """Ms that are missing in the open utterance."""


class Worker:
    """All streams, and the work on them."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._decoders = Decoders(config)
        self._vad = pocketsphinx.Vad(mode=VAD_STRICT, sample_rate=8000, frame_length=FRAME_MS / 1000)
        self._streams: dict[int, Stream] = {}

    def take(self, kind: int, number: int, body: bytes) -> None:
        """Take one frame of the parent's; nothing is decoded yet."""
        if kind == frames.OPEN:
            self._streams[number] = Stream(number)
            return
        stream = self._streams[number]
        if kind == frames.AUDIO:
            audio = stream.rest + body
            end = len(audio) - len(audio) % FRAME_BYTES
            stream.waiting.extend(audio[at : at + FRAME_BYTES] for at in range(0, end, FRAME_BYTES))
            stream.frames_waiting += end // FRAME_BYTES
            stream.rest = audio[end:]
            self._bound(stream)
        elif kind == frames.SKIP:
            stream.waiting.append(int(json.loads(body)))
        elif kind == frames.FLUSH:
            stream.waiting.append(0)
        elif kind == frames.CLOSE:
            if stream.decoder is not None:
                self._release(stream)
            del self._streams[number]

    def step(self) -> bool:
        """Work a little on every stream; False where none could go on."""
        worked = False
        for stream in self._streams.values():
            for _ in range(FRAMES_A_TURN):
                if not stream.waiting or not self._work(stream, stream.waiting[0]):
                    break
                stream.waiting.popleft()
                worked = True
        return worked

    def _bound(self, stream: Stream) -> None:
        """Drop the oldest audio of a stream that lags too far, and say so."""
        too_many = stream.frames_waiting - self._config["max_lag_ms"] // FRAME_MS
        if too_many <= 0:
            return
        stream.frames_waiting -= too_many
        dropped = 0
        for index, item in enumerate(stream.waiting):
            if dropped < too_many and isinstance(item, bytes):
                stream.waiting[index] = FRAME_MS
                dropped += 1
        _send(frames.pack_json(frames.DROPPED, stream.number, dropped * FRAME_MS))

    def _work(self, stream: Stream, item: bytes | int) -> bool:
        """Do a stream's oldest item; False where it must wait for a decoder."""
        if isinstance(item, bytes):
            return self._hear(stream, item)
        if item:
            stream.position += item
            stream.lost += item
            stream.preroll.clear()
        elif stream.decoder is None:
            _send_final(stream, "", stream.position, stream.position, 0.0)
        else:
            self._finish(stream)
        return True

    def _hear(self, stream: Stream, frame: bytes) -> bool:
        """Take one frame; False where speech begins and no decoder is free."""
        pcm = mulaw.decode(frame)
        speech = bool(self._vad.is_speech(pcm))
        if stream.decoder is None and sum(stream.recent) + speech >= ONSET_SPEECH:
            decoder = self._decoders.take()
            if decoder is None:
                return False
            self._begin(stream, decoder)
        stream.recent.append(speech)
        stream.frames_waiting -= 1
        stream.position += FRAME_MS
        if stream.decoder is None:
            stream.preroll.append((pcm, speech))
        else:
            self._decode(stream, pcm, speech)
        return True

    def _begin(self, stream: Stream, decoder: Any) -> None:
        """Open an utterance with the audio just before it."""
        stream.decoder = decoder
        stream.started = stream.position - FRAME_MS * len(stream.preroll)
        stream.silence = stream.lost = 0
        stream.interim = ""
        stream.last_interim = stream.position
        decoder.start_utt()
        stream.speech = [speech for _, speech in stream.preroll]
        if stream.preroll:
            decoder.process_raw(_to_16k(b"".join(pcm for pcm, _ in stream.preroll)), False, False)
        stream.preroll.clear()

    def _decode(self, stream: Stream, pcm: bytes, speech: bool) -> None:
        """Decode one frame of an open utterance; end it after enough silence, or when it is too long."""
        stream.decoder.process_raw(_to_16k(pcm), False, False)
        stream.speech.append(speech)
        stream.silence = 0 if speech else stream.silence + FRAME_MS
        length = stream.position - stream.started
        if stream.silence >= self._config["end_silence_ms"] or length >= LONGEST_UTTERANCE_MS:
            self._finish(stream)
        elif speech and stream.position - stream.last_interim >= self._config["interim_ms"]:
            stream.last_interim = stream.position
            text = self._result(stream)[0]
            if text and text != stream.interim:
                stream.interim = text
                _send(frames.pack_json(frames.INTERIM, stream.number, text))

    def _finish(self, stream: Stream) -> None:
        """End the open utterance and send its words."""
        stream.decoder.end_utt()
        text, start, end, confidence = self._result(stream)
        length = max(1, stream.position - stream.started)
        _send_final(stream, text, start, end, confidence * (1 - min(1.0, stream.lost / length)))
        self._free(stream)

    def _release(self, stream: Stream) -> None:
        """Give up the open utterance."""
        stream.decoder.end_utt()
        self._free(stream)

    def _free(self, stream: Stream) -> None:
        self._decoders.give(stream.decoder)
        stream.decoder = None
        stream.recent.clear()

    def _result(self, stream: Stream) -> tuple[str, int, int, float]:
        """The utterance's words (none where they are rejected), their start and end in ms, the confidence.

        pocketsphinx scores a frame against the best state of all at that frame, so the mean log score of
        the frames that words take says how well these words explain the sound: telephone orders lie near
        -2.9, speech outside the grammar near -5. And they must take enough of the frames that are speech: a
        small grammar explains a foreign sentence by one short word and much noise.
        """
        hypothesis = stream.decoder.hyp()
        words = [s for s in stream.decoder.seg() if s.word[0] not in "<[(+"] if hypothesis else []
        if not words:
            return "", stream.started, stream.position, 0.0
        taken = {frame for word in words for frame in range(word.start_frame, word.end_frame + 1)}
        score = 1000 * sum(math.log(max(word.ascore, 1e-300)) for word in words) / len(taken)
        speech = [at for at, is_speech in enumerate(stream.speech) if is_speech]
        covered = sum(at * FRAME_MS // DECODER_FRAME_MS in taken for at in speech) / max(1, len(speech))
        floor = self._config["reject_below"]
        confidence = 1 / (
            1 + math.exp(min(50.0, ((USUAL_FLOOR if floor is None else floor) - score) / SCORE_WIDTH))
        )
        start = stream.started + words[0].start_frame * DECODER_FRAME_MS
        end = stream.started + (words[-1].end_frame + 1) * DECODER_FRAME_MS
        rejected = floor is not None and (score < floor or covered < LEAST_COVERED)
        return (
            "" if rejected else hypothesis.hypstr.strip(),
            start,
            end,
            confidence * min(1.0, covered / LEAST_COVERED),
        )


def _to_16k(pcm: bytes) -> bytes:
    """8 kHz PCM as 16 kHz, each sample twice: as good as a resampler for this recogniser, and free."""
    doubled = bytearray(2 * len(pcm))
    for byte in range(4):
        doubled[byte::4] = pcm[byte % 2 :: 2]
    return bytes(doubled)


def _send_final(stream: Stream, text: str, start: int, end: int, confidence: float) -> None:
    value = {"text": text, "start": max(0, start), "end": end, "confidence": round(confidence, 3)}
    _send(frames.pack_json(frames.FINAL, stream.number, value))


def _send(frame: bytes) -> None:
    """Write a frame to the parent, which always reads."""
    while frame:
        frame = frame[os.write(_OUT, frame) :]


def main() -> None:
    """Serve the parent until it closes standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to act on
    unpacker = frames.Unpacker()
    worker: Worker | None = None
    busy = False
    while True:
        if not busy or select.select([_IN], [], [], 0)[0]:
            data = os.read(_IN, 1 << 16)
            if not data:
                return
            for kind, stream, body in unpacker.feed(data):
                if worker is not None:
                    worker.take(kind, stream, body)
                    continue
                try:
                    worker = Worker(json.loads(body))
                except Fatal as error:
                    _send(frames.pack_json(frames.FATAL, 0, str(error)))
                    return
                _send(frames.pack(frames.READY))
        busy = worker is not None and worker.step()


if __name__ == "__main__":
    main()
