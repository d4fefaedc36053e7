"""One thing that the agent says: its pieces, and which of their words were heard."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from engine.core.continuation import Continuation
from engine.core.conversation import ToolRequest
from engine.core.events import SpokenWord
from engine.core.notes import EndReason
from engine.core.playout import BYTES_PER_MS, Playout
from engine.core.policy import Policy
from engine.core.speakable import Segmenter, clean

USUAL_PACE = 65
"""Speaking time of a character, ms, where nothing better is known: about 15 characters a second."""
SLOW_PACE = 120
"""The same for a slow voice: who must not claim a word that was not heard reckons with it."""


class Kind(StrEnum):
    """Why the agent speaks."""

    GREETING = "greeting"
    ANSWER = "answer"
    AWAITING = "awaiting_response"
    INACTIVITY = "inactivity"
    SAY = "say"
    APOLOGY = "apology"
    FAREWELL = "farewell"
    RETURNED = "returned"
    """To a caller whom a failed transfer gave back."""


@dataclass(frozen=True, slots=True)
class Leave:
    """What follows when the reply has been heard: the call ends for ``reason``, or moves to ``transfer``."""

    reason: EndReason
    strict: bool = False
    transfer: str = field(default="", repr=False)


@dataclass(slots=True)
class Piece:
    """A speakable piece of the reply and, once its audio came, where it lies in the ledger (samples)."""

    text: str
    start: int | None = None
    samples: int = 0
    done: bool = False
    asked: bool = False
    keep: bool = False
    """The text is fixed: its audio is worth keeping for other calls."""
    tones: str = ""
    """Keypad digits to be played instead of text."""
    words: list[SpokenWord] = field(default_factory=list)
    attempt: int = 0
    """The request to the model whose own speech this is; 0: a voice speaks it."""
    early: bytearray = field(default_factory=bytearray)
    """Of a model's own speech: what came while something before it was still being voiced."""


class Reply:
    """One thing that the agent says. Its ``id`` is the epoch against which every late byte is checked."""

    def __init__(
        self, reply_id: int, kind: Kind, policy: Policy, *, draft: bool = False, silent: bool = False
    ) -> None:
        self.id = reply_id
        self.kind = kind
        self.pieces: list[Piece] = []
        self.attempts: dict[int, int] = {}
        """The requests to the model that may still answer: attempt -> vendor. Text of another one is late."""
        self.tries = 0
        """Failed requests to the model since one gave a piece of text."""
        self.voice_tries = 0
        """Failed requests to the voice since one gave a word."""
        self.text_done = False
        self.fixed = False
        self.uninterruptible = False
        self.leave: Leave | None = None
        self.model_done = False
        """The model has said all of this round."""
        self.answered = False
        """The model has given text since the caller, or its last tool, was heard: more than "let me see"."""
        self.failed = ""
        """The role that failed for good when there was something to be heard already."""
        self.chosen = not draft
        """It may be heard and may act; a draft, made in a pause of the caller, may do neither."""
        self.round_written = False
        """The round's tool calls are part of the conversation."""
        self.rounds = 0
        """How often the model was asked to go on after its tools."""
        self.round: list[ToolRequest] = []
        """The tools called since the model was last asked."""
        self.held_back: list[ToolRequest] = []
        """Those of them that a draft may not run."""
        self.digits = ""
        """Keys that the carrier presses when the reply has been heard."""
        self.draft_text = ""
        """The caller's words that a draft answers."""
        self.silent = silent
        """The agent's medium is text: the reply is delivered, not spoken."""
        self.broken = False
        """A request broke off after it had said something, and another one goes on."""
        self.stages: set[str] = set()
        self._continuation: Continuation | None = None
        self._segmenter = Segmenter(policy.replies.first_piece, policy.replies.longest_piece)

    @property
    def text(self) -> str:
        """All text so far, as it is to be spoken."""
        return " ".join(piece.text for piece in self.pieces if piece.text)

    def say(self, text: str) -> None:
        """Make the reply this fixed text, in pieces."""
        self.fixed = self.text_done = True
        text = clean(text)
        self._add([*self._segmenter.feed(text), *self._segmenter.finish()])
        for piece in self.pieces:
            piece.keep = True

    def feed(self, text: str) -> bool:
        """Text from the model. Returns whether a new piece is ready."""
        if self._continuation is not None:
            text = self._continuation.feed(text)
        return self._add(self._segmenter.feed(text))

    def finish(self, *, truncated: bool = False) -> bool:
        """The model has no more text for now. Returns whether a new piece is ready."""
        if self._continuation is not None and (rest := self._continuation.finish()):
            self._add(self._segmenter.feed(rest))
        return self._add(self._segmenter.finish(truncated=truncated))

    def break_off(self) -> None:
        """The model broke in its text: its whole pieces stay, and another request goes on after them."""
        self._segmenter.drop()
        self.broken = bool(self.text)
        self._continuation = Continuation(self.text)

    def _add(self, texts: list[str]) -> bool:
        self.pieces += [Piece(text) for text in texts]
        return bool(texts)

    # --- voice ----------------------------------------------------------------------------------------

    def next_piece(self) -> int | None:
        """The first piece that the voice has not been asked for."""
        return next((index for index, piece in enumerate(self.pieces) if not piece.asked), None)

    @property
    def voicing(self) -> int | None:
        """The first of the pieces that the voice is working on."""
        unfinished = (i for i, piece in enumerate(self.pieces) if piece.asked and not piece.done)
        return next((i for i in unfinished if not self.pieces[i].attempt), None)

    @property
    def coming(self) -> list[Piece]:
        """The pieces of which audio is still to come, from the voice or from the model."""
        return [piece for piece in self.pieces if piece.asked and not piece.done]

    @property
    def voiced(self) -> bool:
        """All pieces have their audio, and no more text is to come."""
        return self.text_done and all(piece.done for piece in self.pieces)

    def split(self, index: int, pace: float) -> None:
        """The voice broke off in a piece: its whole words stay, the rest becomes a piece of its own.

        What the voice was asked for behind it has to be asked for again.
        ``pace`` is the voice's speaking time of a character, ms, where it does not tell where its words lie.
        Audio of a word that is not whole no longer belongs to the piece; see `Piece.samples`.
        """
        for behind in self.pieces[index + 1 :]:
            behind.asked = behind.asked and (behind.done or bool(behind.attempt))
        piece = self.pieces[index]
        texts, words = piece.text.split(), self._words(piece, pace)
        ends = [word.start for word in words[1:]]
        last = pace if piece.attempt else SLOW_PACE
        ends += [word.start + round(len(word.text) * last * BYTES_PER_MS) for word in words[-1:]]
        whole = sum(end <= piece.samples for end in ends)
        if whole < len(words):
            piece.samples = min(piece.samples, words[whole].start)
        piece.text = " ".join(texts[:whole])
        piece.words = piece.words[:whole]
        piece.done = True
        if texts[whole:]:
            self.pieces.insert(index + 1, Piece(" ".join(texts[whole:])))

    # --- speech of the model's own ----------------------------------------------------------------------

    def own_speech(self, attempt: int) -> Piece:
        """The piece that a model speaks itself in answer to this request."""
        spoken = [piece for piece in self.pieces if piece.attempt == attempt]
        if not spoken:
            spoken = [Piece("", asked=True, attempt=attempt)]
            self.pieces += spoken
        return spoken[0]

    def finish_speech(self, attempt: int) -> None:
        """The model has spoken. What it wrote without speaking it is left to the voice."""
        for piece in self.pieces:
            if piece.attempt == attempt:
                piece.text = piece.text.strip()
                if piece.samples or piece.early or not piece.text:
                    piece.done = True
                else:
                    piece.attempt, piece.asked = 0, False

    def break_speech(self, pace: float) -> Piece | None:
        """The model broke off in its speech: its whole words stay, and the voice says what it still wrote.

        ``pace`` is as in `split`. Returns the piece that broke off, if there is one.
        """
        for index, piece in enumerate(self.pieces):
            if piece.attempt and not piece.done:
                piece.early.clear()
                self.split(index, pace)
                return piece
        return None

    def pour(self, playout: Playout) -> None:
        """Hand the ledger what the model has spoken, as soon as all before it is there."""
        for piece in self.pieces:
            if piece.early:
                if piece.start is None:
                    piece.start = playout.given
                piece.samples += len(piece.early)
                playout.give(bytes(piece.early))
                piece.early.clear()
            if not piece.done:
                return

    # --- what was heard -------------------------------------------------------------------------------

    def heard(self, playout: Playout, tolerance: int) -> str:
        """The words that were heard in full, by the ledger; ``tolerance`` ms may be missing of the last."""
        heard = playout.heard + tolerance * BYTES_PER_MS
        texts = []
        for piece in self.pieces:
            if piece.start is None and piece.done:
                continue
            if piece.start is None or piece.start > heard:
                break
            words = self._words(piece)
            count = self._count(piece, words, playout, heard)
            texts += [word.text for word in words[:count]]
            if count < len(words):
                break
        return " ".join(texts)

    def cut_word(self, playout: Playout, tolerance: int) -> int:
        """Where to go on after a hold: the start of the first word that was not heard in full, in samples."""
        heard = playout.heard + tolerance * BYTES_PER_MS
        for piece in self.pieces:
            if piece.start is None and piece.done:
                continue
            if piece.start is None:
                break
            words = self._words(piece)
            count = self._count(piece, words, playout, heard)
            if count < len(words):
                return min(piece.start + words[count].start, playout.heard)
        return playout.heard

    def _count(self, piece: Piece, words: list[SpokenWord], playout: Playout, heard: int) -> int:
        """How many of the piece's words end before ``heard``."""
        assert piece.start is not None
        for index, word in enumerate(words):
            start = piece.start + word.start
            known = index + 1 < len(words)
            end = piece.start + (words[index + 1].start if known else piece.samples)
            if (not known and not piece.done) or end > playout.given:
                return index
            if start > heard or (end > heard and playout.audible_end(start, end) > heard):
                return index
        return len(words)

    def _words(self, piece: Piece, pace: float = SLOW_PACE) -> list[SpokenWord]:
        """The piece's words with their positions: the voice's own, or else by their share of characters.

        ``pace`` (ms a character) is what to reckon with while the length of the audio is not known.
        """
        if piece.words:
            return piece.words
        total = max(len(piece.text), 1)
        samples = piece.samples if piece.done else round(total * pace * BYTES_PER_MS)
        words, at = [], 0
        for text in piece.text.split():
            words.append(SpokenWord(text, samples * at // total))
            at += len(text) + 1
        return words
