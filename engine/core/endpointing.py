"""Is the caller's turn over? One pure function weighs all evidence and answers with the silence to wait for.

The wait starts from the policy's ``endpoint_delay`` and each piece of evidence moves it, so that a change of
the delay moves every answer by the same amount. Nothing here is a timer: whoever asks compares the answer
with the silence so far, on every event, and the first event that completes the case ends the turn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from engine.core import words as lists
from engine.core.policy import Turns
from engine.core.words import base_language, has_phrase, phrase_words, strip_phrases, words_of

_MAIL = re.compile(r"\.[a-z]{2,6}[.]?\s*$")
"""A spelled-out address ends in a top-level domain."""
_SENTENCE_END = re.compile(r"[.!?]\s+|[。！？]")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about the caller's turn at this moment."""

    text: str = field(repr=False)
    """The words so far, finals and interim."""
    language: str = "en"
    asked: str = field(default="", repr=False)
    """What the agent last said: it may have asked for a number, a spelling, an address or a name."""
    voted_over: bool = False
    """The transcriber's own end-of-turn model says over."""
    adaptation: int = 0
    """Extra wait learned from answers that came too early (ms)."""
    trusted: bool = False
    """This caller's finished sentences have been whole turns so far."""
    latest: str = field(default="", repr=False)
    """Of the words, those that the transcriber understood last, in one go."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``wait`` is the silence in ms after which the turn is over; ``why`` names what moved it."""

    wait: int
    why: str
    likely: bool
    """The turn may well be over: a draft is worth its cost."""
    finished: bool = False
    """The words can be a finished sentence."""


def judge(evidence: Evidence, turns: Turns) -> Verdict:
    """Weigh the evidence. A pure function: the same evidence gives the same verdict."""
    language = base_language(evidence.language)
    spoken = words_of(evidence.text)
    wait = turns.endpoint_delay + evidence.adaptation
    dictated = dictation(spoken, language, evidence.asked)
    likely, finished = bool(spoken), False
    if not spoken:
        why = "no words"
    elif dictated:
        complete = is_complete(dictated, spoken, language, evidence.text)
        wait += turns.dictation_complete if complete else turns.dictation
        why = f"{dictated} {'complete' if complete else 'incomplete'}"
        likely = complete
    elif _asks_for_time(evidence.latest, language):
        wait += turns.unfinished
        why, likely = "asked for time", False
    elif _cannot_end(spoken, language, evidence.text) or _trails_off(evidence.text):
        wait += turns.unfinished
        why, likely = "unfinished", False
    elif _is_whole(evidence.text, spoken, language):
        wait += turns.finished + (turns.finished_trusted if evidence.trusted else 0)
        why, finished = "finished", True
    else:
        why = "silence"
    if evidence.voted_over and likely:
        wait += turns.voted_over
        why += ", voted over"
    return Verdict(max(turns.endpoint_floor, min(wait, turns.endpoint_ceiling)), why, likely, finished)


def dictation(spoken: tuple[str, ...], language: str, asked: str) -> str:
    """What is being dictated: ``digits``, ``spelling``, ``address``, ``name``, or nothing (empty)."""
    if (
        has_phrase(spoken, lists.DICTATING["digits"].get(language, ()))
        or _run_of_digits(spoken, language) >= 3
    ):
        return "digits"
    if has_phrase(spoken, lists.DICTATING["spelling"].get(language, ())) or _run_of_letters(spoken) >= 3:
        return "spelling"
    if has_phrase(spoken, lists.DICTATING["address"].get(language, ())):
        return "address"
    wanted = asked_for(asked, language)
    if wanted == "digits" and not any(_is_number(word, language) for word in spoken):
        return ""
    if wanted == "name" and len(spoken) > 4:
        return ""
    return wanted


def asked_for(asked: str, language: str) -> str:
    """What the agent's last question wants dictated; empty if it asks for nothing of the kind."""
    question = words_of(_last_sentences(asked))
    for kind in ("spelling", "digits", "address", "name"):
        if has_phrase(question, lists.ASKED_FOR[kind].get(language, ())):
            return kind
    return ""


def is_complete(kind: str, spoken: tuple[str, ...], language: str, text: str) -> bool:
    """Whether what is being dictated can be all of it."""
    if kind == "digits":
        return _count_digits(spoken, language) >= 10
    if kind == "spelling":
        return text.rstrip().endswith((".com", ".org", ".net", ".de")) or has_phrase(
            spoken, ("dot com", "that's it")
        )
    if kind == "name":
        return len(spoken) >= 2 and spoken[-1] not in ("is", "name")
    return any(char.isdigit() for char in text) and len(spoken) >= 4


def _is_number(word: str, language: str) -> bool:
    return word.isdigit() or word in lists.NUMBER_WORDS.get(language, ())


def _count_digits(spoken: tuple[str, ...], language: str) -> int:
    return sum(len(word) if word.isdigit() else 1 for word in spoken if _is_number(word, language))


def _run_of_digits(spoken: tuple[str, ...], language: str) -> int:
    """Digits at the end of what was said: a number that may go on."""
    run = 0
    for word in reversed(spoken):
        if not _is_number(word, language):
            break
        run += len(word) if word.isdigit() else 1
    return run


def _run_of_letters(spoken: tuple[str, ...]) -> int:
    run = 0
    for word in reversed(spoken):
        if len(word) != 1 or not word.isalpha():
            break
        run += 1
    return run


def _cannot_end(spoken: tuple[str, ...], language: str, text: str) -> bool:
    """Whether no sentence ends on these words. A full stop behind them says nothing: transcribers put one at
    every pause. A question ("Are they?") may end on more of them than they know of."""
    if text.rstrip().endswith(("?", "？")):
        return False
    if spoken[-1] in lists.UNFINISHED.get(language, ()):
        return True
    openings = map(phrase_words, lists.UNFINISHED_PHRASES.get(language, ()))
    return any(spoken[-len(opening) :] == opening for opening in openings)


def _asks_for_time(text: str, language: str) -> bool:
    """Whether the last sentence asks the agent to wait: "just a second", "hold on while I get my card".

    What was said before a pause asked for that pause, and not for another one.
    """
    if text.rstrip().endswith(("?", "？")):
        return False
    sentence = _SENTENCE_END.split(text.rstrip(" .!。！"))[-1]
    return has_phrase(words_of(sentence), lists.HOLDING.get(language, ()))


def _is_whole(text: str, spoken: tuple[str, ...], language: str) -> bool:
    """Whether the words can be all: by their punctuation, or because they are nothing but answers."""
    if text.rstrip().endswith((".", "!", "?", "。", "？", "！")):
        return True
    return not strip_phrases(spoken, lists.ANSWERS.get(language, ()))


def _trails_off(text: str) -> bool:
    return text.rstrip().endswith((",", "…", "...", "-", "–"))


def _last_sentences(text: str, most: int = 160) -> str:
    """The question is at the end of what the agent said."""
    return text[-most:]
