"""The record of a call: the facts of a whole call, of a living one, and of one that died."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from engine.core import events as ev
from engine.core import notes as nt
from engine.errors import EngineError
from engine.observe.journal import JournalHead, JournalWriter
from engine.records.record import END_REASONS, CallFacts, CallRecord, RecordFold, record_from_journal
from tests.observe.real_call import POLICY as REAL_POLICY
from tests.observe.real_call import real_steps
from tests.observe.sample_call import CREATED, FACTS, JOINED, POLICY, sample_steps


def fold_of(steps: list) -> RecordFold:
    fold = RecordFold(FACTS)
    for _, event, effects in steps:
        fold.step(event, effects)
    return fold


def journal_of(path: Path, steps: list, about: dict | None = None) -> Path:
    with path.open("wb") as file:
        writer = JournalWriter(
            file, JournalHead("call-1", CREATED, POLICY, FACTS.about() if about is None else about)
        )
        for now, event, effects in steps:
            writer.step(now, event, effects)
        writer.flush()
    return path


def test_the_sample_call() -> None:
    record = fold_of(sample_steps()).record(["record.json"])
    assert (record.call_id, record.direction, record.carrier_call_id) == ("call-1", "inbound", "CA1")
    assert record.client == "twilio/1.0"
    assert record.phone is not None and record.phone.from_number == "+15550100"
    assert record.joined == CREATED + timedelta(milliseconds=JOINED)
    assert record.ended == CREATED + timedelta(milliseconds=29_400)
    assert record.duration == 29.0
    assert record.end is not None
    assert (record.end.reason, record.end.detail) == ("agent_hung_up", "goodbye")
    assert (record.end.voiceos, record.end.ultravox) == ("agent_ended", "agent_hangup")
    assert record.error_count == 1 and record.faults[0].role == "model" and record.faults[0].at == 11.7
    assert [turn.answer_ms for turn in record.turns] == [660, 1_320, 730]
    assert record.turns[0].stages["turn end"] == 600 and record.turns[0].speech_ended == 6.5
    assert [each.outcome for each in record.interruptions] == ["stop", "resume"]
    assert record.interruptions[0].silent_after_ms == 120
    assert [clock.clock for clock in record.clocks] == ["awaiting_response"]
    assert [(tool.name, tool.value, tool.ended) for tool in record.tools] == [
        ("look_up", '{"price": 4}', 6.93)
    ]
    assert record.usage.model_requests == 3 and record.usage.input_tokens == 360
    assert record.usage.output_tokens == 60 and record.usage.voice_characters == 90
    assert record.usage.cached_tokens == 300
    assert record.usage.transcriber_seconds == pytest.approx(28.9)
    assert record.configuration == {"prompt": "Take drink orders.", "turns": {"endpoint_delay": 0.6}}
    assert record.metadata == {"campaign": "spring"} and record.files == ["record.json"]


def test_a_record_comes_back_from_its_json() -> None:
    record = fold_of(sample_steps()).record()
    assert CallRecord.model_validate_json(record.model_dump_json()) == record


def test_a_record_is_right_at_any_moment() -> None:
    fold = RecordFold(FACTS)
    before = fold.record()
    assert (before.joined, before.ended, before.end, before.duration) == (None, None, None, 0)
    for now, event, effects in sample_steps():
        if now > 12_000:
            break
        fold.step(event, effects)
    living = fold.record()
    assert living.end is None and living.ended is None and living.error_count == 0
    assert len(living.turns) == 2 and living.turns[1].answer_ms is None
    assert living.duration == pytest.approx(11.46, abs=0.2)


def test_every_end_reason_is_mapped() -> None:
    assert set(END_REASONS) == set(nt.EndReason)


@pytest.mark.parametrize("reason", nt.EndReason)
def test_every_end_is_told_in_all_words(reason: nt.EndReason) -> None:
    fold = RecordFold(CallFacts("c", CREATED))
    fold.add(nt.Ending(900, reason, "why"))
    fold.add(nt.Closed(1_000, reason))
    end = fold.record().end
    assert end is not None and (end.reason, end.detail) == (reason, "why")
    assert (end.voiceos, end.ultravox) == END_REASONS[reason]


def test_a_web_call_has_no_phone_details() -> None:
    assert RecordFold(CallFacts("c", CREATED)).record().phone is None


def test_the_direction() -> None:
    fold = RecordFold(FACTS)
    fold.step(ev.Created("outbound"), [])
    assert fold.record().direction == "outbound"


def test_the_journal_gives_the_same_record(tmp_path: Path) -> None:
    for steps in (sample_steps(), real_steps()):
        journal = journal_of(tmp_path / "journal.jsonl", steps)
        assert record_from_journal(journal) == fold_of(steps).record()


def test_a_call_that_died_has_a_record_up_to_its_last_step(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "journal.jsonl", [step for step in sample_steps() if step[0] <= 12_000])
    record = record_from_journal(journal)
    assert record.end is not None and record.end.reason is nt.EndReason.ENGINE_ERROR
    assert record.end.detail == "the process died during the call"
    assert record.ended == CREATED + timedelta(seconds=12) and record.duration == 11.6
    assert len(record.turns) == 2


def test_a_call_that_died_while_ending_keeps_its_reason(tmp_path: Path) -> None:
    steps = [step for step in sample_steps() if step[0] < 29_400]
    record = record_from_journal(journal_of(tmp_path / "journal.jsonl", steps))
    assert record.end is not None and (record.end.reason, record.end.detail) == ("agent_hung_up", "goodbye")


def test_a_journal_without_the_facts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="does not hold the facts"):
        record_from_journal(journal_of(tmp_path / "journal.jsonl", [], about={"mood": "good"}))


def test_the_real_call_used_what_the_shell_gave() -> None:
    record = fold_of(real_steps()).record()
    assert record.error_count == 0 and REAL_POLICY.opening.message
    assert record.usage.output_tokens == 9 * record.usage.model_requests > 0
    assert [turn.text for turn in record.turns] == ["a large latte please", "no wait make it small"]
    assert all(turn.answer_ms is not None for turn in record.turns)
