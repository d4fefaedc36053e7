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
    tones: str = ""
    """Keypad digits to be played instead of text."""
    words: list[SpokenWord] = field(default_factory=list)


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
        self.keep = False
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
        """The piece the voice is working on."""
        return next((i for i, piece in enumerate(self.pieces) if piece.asked and not piece.done), None)

    @property
    def voiced(self) -> bool:
        """All pieces have their audio, and no more text is to come."""
        return self.text_done and all(piece.done for piece in self.pieces)

    def split(self, index: int) -> None:
        """The voice broke off in a piece: its whole words stay, the rest becomes a piece of its own.

        Audio of a word that is not whole no longer belongs to the piece; see `Piece.samples`.
        """
        piece = self.pieces[index]
        texts, words = piece.text.split(), self._words(piece, USUAL_PACE)
        ends = [word.start for word in words[1:]]
        ends += [word.start + len(word.text) * SLOW_PACE * BYTES_PER_MS for word in words[-1:]]
        whole = sum(end <= piece.samples for end in ends)
        if whole < len(words):
            piece.samples = min(piece.samples, words[whole].start)
        piece.text = " ".join(texts[:whole])
        piece.words = piece.words[:whole]
        piece.done = True
        if texts[whole:]:
            self.pieces.insert(index + 1, Piece(" ".join(texts[whole:])))

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

    def _words(self, piece: Piece, pace: int = SLOW_PACE) -> list[SpokenWord]:
        """The piece's words with their positions: the voice's own, or else by their share of characters.

        ``pace`` (ms a character) is what to reckon with while the length of the audio is not known.
        """
        if piece.words:
            return piece.words
        total = max(len(piece.text), 1)
        samples = piece.samples if piece.done else total * pace * BYTES_PER_MS
        words, at = [], 0
        for text in piece.text.split():
            words.append(SpokenWord(text, samples * at // total))
            at += len(text) + 1
        return words
