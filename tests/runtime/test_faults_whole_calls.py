"""Whole calls in which a vendor fails, a handful of `fixtures.fault_table`'s, and what that table notices."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from engine.core.notes import EndReason, Fault
from engine.settings import VendorSettings
from fixtures.fault_calls import LINES, REPLIES, SORRY, VENDORS, Case, Outcome, hold
from fixtures.fault_table import KINDS, cases, spoken, violations, way

pytest.importorskip("soxr")

HELD = {
    ("deepgram", "drop", "mid-utterance", "another"),
    ("deepgram", "429", "connect", "alone"),
    ("deepgram", "401", "connect", "for good"),
    ("deepgram", "silent", "mid-utterance", "alone"),
    ("deepgram", "malformed", "mid-utterance", "alone"),
    ("deepgram-flux", "drop", "mid-utterance", "another"),
    ("openai", "stall", "mid-utterance", "another"),
    ("openai", "silent", "first turn", "hedged"),
    ("openai", "401", "first turn", "for good"),
    ("openai", "401", "first turn", "handed over"),
    ("openai-responses", "malformed", "mid-utterance", "alone"),
    ("elevenlabs", "stall", "first turn", "another"),
    ("elevenlabs", "half frame", "mid-utterance", "another"),
    ("elevenlabs", "429", "connect", "alone"),
    ("elevenlabs", "401", "first turn", "handed over"),
    ("playht", "drop", "mid-utterance", "another"),
    ("openai-realtime", "refuse", "connect", "alone"),
    ("openai-realtime", "429", "first turn", "alone"),
    ("openai-realtime", "drop", "mid-utterance", "alone"),
    ("openai-realtime", "drop", "first turn", "for good"),
    ("openai-realtime", "malformed", "mid-utterance", "alone"),
    ("openai-realtime", "401", "first turn", "for good"),
    ("openai-realtime", "401", "first turn", "handed over"),
}
ENDED = {
    "deepgram, 401, for good": EndReason.PROVIDER_ERROR,
    "openai, 401, for good": EndReason.PROVIDER_ERROR,
    "openai, 401, handed over": EndReason.TRANSFERRED,
    "elevenlabs, 401, handed over": EndReason.TRANSFERRED,
    "openai-realtime, drop, for good": EndReason.PROVIDER_ERROR,
    "openai-realtime, 401, for good": EndReason.PROVIDER_ERROR,
    "openai-realtime, 401, handed over": EndReason.TRANSFERRED,
}


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*VendorSettings.__annotations__, "ENGINE_SETTINGS"):
        monkeypatch.delenv(name.upper(), raising=False)


async def test_calls_go_on_or_end_for_the_right_reason() -> None:
    wanted = [
        case for case in cases(tuple(VENDORS)) if (case.vendor, case.kind, case.point, way(case)) in HELD
    ]
    assert len(wanted) == len(HELD)
    at_once = zip(wanted, await asyncio.gather(*map(hold, wanted)), strict=True)
    # The deadlines are tight for a busy machine: a call that broke a promise is held once more by itself.
    outcomes = [await hold(case) if violations(case, outcome) else outcome for case, outcome in at_once]
    assert [violations(*pair) for pair in zip(wanted, outcomes, strict=True)] == [[]] * len(wanted)
    ended = {
        f"{case.vendor}, {case.kind}, {way(case)}": outcome.reason
        for case, outcome in zip(wanted, outcomes, strict=True)
        if outcome.reason is not EndReason.CALLER_HUNG_UP
    }
    assert ended == ENDED


CASE = Case("voice", "elevenlabs", "drop", "mid-utterance", (KINDS["drop"],), another=True, lasts=True)
GOOD = Outcome(
    EndReason.CALLER_HUNG_UP,
    silences=[600, 600],
    heard=[[len(word) for word in reply.split()] for reply in REPLIES],
    caller=" ".join(LINES).split(),
    agent=list(REPLIES),
    faults=[Fault(0, "voice", "broke")],
)
FIRST, SECOND = GOOD.heard
BAD = [
    (replace(GOOD, silences=[600, 2020]), "silence of 2020 ms"),
    (replace(GOOD, heard=[FIRST, [*SECOND[:3], *SECOND[1:]]]), "said twice: bread today,"),
    (replace(GOOD, heard=[FIRST[:-1], SECOND]), "never heard: afternoon."),
    (replace(GOOD, heard=[FIRST]), f"never heard: {REPLIES[1]}"),
    (replace(GOOD, caller=GOOD.caller[:-1]), "caller's words lost: bread"),
    (replace(GOOD, caller=[*GOOD.caller, "add"]), "caller's words doubled: add"),
    (replace(GOOD, caller=[*GOOD.caller, "tea"]), "never said by the caller: tea"),
    (replace(GOOD, faults=[Fault(0, "model", "broke")]), "not on the record"),
    (replace(GOOD, reason=EndReason.PROVIDER_ERROR), "ended: provider_error"),
]


@pytest.mark.parametrize(("outcome", "told"), BAD)
def test_what_the_table_notices(outcome: Outcome, told: str) -> None:
    assert violations(CASE, GOOD) == []
    assert violations(CASE, outcome) == [told]


def test_a_call_without_an_answer_must_end() -> None:
    sorry = [len(word) for word in SORRY.split()]
    unanswered = replace(GOOD, heard=[FIRST, sorry], agent=[REPLIES[0], SORRY])
    alone = replace(CASE, another=False)
    assert violations(alone, unanswered) == ["not answered, and not ended"]
    assert violations(alone, replace(unanswered, reason=EndReason.PROVIDER_ERROR)) == []


def test_a_word_that_was_begun_anew_is_told_apart_from_one_said_twice() -> None:
    for tones in ([3, 5, 2, *FIRST[2:]], [3, 5, 6, *FIRST[3:]], [3, 5, 5, *FIRST[3:]]):
        told = spoken(replace(GOOD, heard=[tones, SECOND]))
        assert (told.restarted, told.twice, told.missing) == (["pour"], [], [])


def test_a_word_that_an_apology_cut_off_is_not_taken_for_another() -> None:
    apology = [len(word) for word in SORRY.split()]
    told = spoken(replace(GOOD, heard=[[3, 5, 4, 3, *apology], SECOND]))
    assert (told.restarted, told.twice) == ([], [])
    assert told.missing == ["coffee", "tomorrow", "afternoon."]
