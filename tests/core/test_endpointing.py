"""How much silence ends a turn: the words, what was asked, the votes; and the wait on a whole call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.endpointing import Evidence, judge
from engine.core.events import FinalWords, InterimWords, TurnVote, Vote
from engine.core.notes import SpeechEnded, TurnEnded
from engine.core.policy import Turns
from engine.testing import Caller, Phone, ScriptedModel, ScriptedTranscriber, run_call
from tests.core.turn_scenes import by_hand, policy, turns, waits

DEFAULT = Turns()


def wait(text: str, asked: str = "", language: str = "en", over: bool = False, extra: int = 0) -> int:
    return judge(Evidence(text, language, asked, over, extra, latest=text), DEFAULT).wait


@pytest.mark.parametrize(
    ("text", "asked", "expected"),
    [
        ("", "", 600),
        ("I would like a table", "", 600),
        ("I would like a table.", "", 480),
        ("Is that so?", "", 480),
        ("Are they?", "", 480),
        ("I would like a.", "", 1_500),
        ("I would like", "", 1_500),
        ("Well, that's", "", 1_500),
        ("I would like a table and", "", 1_500),
        ("I would like a", "", 1_500),
        ("Um", "", 1_500),
        ("Tomorrow, or ...", "", 1_500),
        ("On Friday,", "", 1_500),
        ("Just a second", "", 1_500),
        ("Hold on, let me get my card.", "", 1_500),
        ("Hello. Could you bear with me while I look for it", "", 1_500),
        ("Can you hold on?", "", 480),
        ("One moment. I have it here.", "", 480),
        ("five five five", "", 1_500),
        ("My number is", "", 1_500),
        ("five five five one two three four five six seven", "", 500),
        ("5551234567", "What is your phone number?", 500),
        ("555", "What is your phone number?", 1_500),
        ("I do not have it", "What is your phone number?", 600),
        ("Yes.", "Shall I put your name on it? Is that right?", 1_500),
        ("John", "What is your name, please?", 1_500),
        ("John Miller", "What is your name, please?", 500),
        ("j o h n", "Could you spell that?", 1_500),
        ("john at example.com", "Could you spell your email?", 500),
        ("12 Long Road in York", "What is your address?", 500),
        ("Long Road", "What is your address?", 1_500),
    ],
)
def test_the_words_decide(text: str, asked: str, expected: int) -> None:
    assert wait(text, asked) == expected


@pytest.mark.parametrize(
    ("text", "over", "expected"),
    [("I would like a table", True, 350), ("I would like a table.", True, 230), ("and", True, 1_500)],
)
def test_a_vote_shortens_the_wait_for_words_that_can_be_all(text: str, over: bool, expected: int) -> None:
    assert wait(text, over=over) == expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("de-DE", "Ich möchte einen", 1_500),
        ("fr", "je voudrais un", 1_500),
        ("xx", "I want a", 600),
        ("de", "Einen Moment, ich hole meine Karte.", 1_500),
        ("de", "Im Moment nicht.", 480),
    ],
)
def test_each_language_has_its_own_words(language: str, text: str, expected: int) -> None:
    assert wait(text, language=language) == expected


@given(st.text(max_size=60), st.text(max_size=60), st.booleans(), st.integers(0, 600))
def test_the_wait_keeps_to_its_bounds(text: str, asked: str, over: bool, extra: int) -> None:
    evidence = Evidence(text, "en", asked, over, extra)
    assert 200 <= judge(evidence, DEFAULT).wait <= 2_500
    assert judge(evidence, DEFAULT) == judge(evidence, DEFAULT)


@given(st.integers(400, 1_200), st.sampled_from(("a table", "a table.", "a", "555")))
def test_the_delay_moves_every_wait_by_the_same_amount(delay: int, text: str) -> None:
    moved = judge(Evidence(text), Turns(endpoint_delay=delay)).wait
    assert moved - judge(Evidence(text), Turns(endpoint_delay=400)).wait == delay - 400


# --- on a call ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["A table please", "A table please.", "A table and"])
@pytest.mark.parametrize("moved", [-100, 100, 400])
def test_the_delay_moves_every_answer_by_the_same_amount(text: str, moved: int) -> None:
    delays = []
    for delay in (600, 600 + moved):
        rules = policy("Hello.", endpoint_delay=delay, drafts=False)
        caller = Caller().after_agent(text, pause=500).hangs_up(at=9_000)
        delays += run_call(rules, caller).answer_delays
    assert delays[1] - delays[0] == moved


@pytest.mark.parametrize("delay", [700, 900, 1_200])
def test_with_drafts_the_answer_comes_when_the_turn_ends(delay: int) -> None:
    """Model and voice have done their work in the pause: nothing is left of it but the turn's own wait."""
    caller = Caller().after_agent("A table please", pause=500, lasts=900).hangs_up(at=9_000)
    assert run_call(policy("Hello.", endpoint_delay=delay), caller).answer_delays == [delay]


def test_who_asks_for_time_gets_it_once() -> None:
    caller = (
        Caller().says("Just a second", at=1_000, lasts=900).says("a table for two", pause=1_400, lasts=900)
    )
    world = run_call(policy(), caller.hangs_up(at=9_000))
    assert turns(world) == ["Just a second a table for two"] and waits(world) == [600]


def test_a_stall_of_the_process_shortens_no_silence() -> None:
    caller = Caller().says("A table please for two", at=1_000, pauses=[(650, 300)]).hangs_up(at=9_000)
    for begins in range(1_400, 2_400, 100):
        world = run_call(policy(), caller, loop_stalls=[(begins, 300)])
        assert turns(world) == ["A table please for two"]
        assert waits(world)[0] >= 600 or world.times(TurnEnded)[0] >= caller.spoken[0][2] + 600


@pytest.mark.parametrize("stall", [60, 200, 299, 300, 500])
def test_a_wake_that_comes_before_the_late_frames_ends_no_turn(stall: int) -> None:
    """After a stall the timer may run first, and the frames that arrived meanwhile only after it."""
    world = by_hand(policy(), Caller().says("A table for two", at=1_000, pauses=[(400, 100)], lasts=1_600))
    world.at(1_450, FinalWords("A table.")).run(1_490)
    call, frozen = world.call, 1_490
    call.wake(frozen + stall)
    assert turns(world) == [] and call.caller.turn.open


def test_lost_frames_are_silence_and_the_turn_ends_in_time() -> None:
    caller = Caller().says("A table please", at=1_000).hangs_up(at=9_000)
    transcriber = ScriptedTranscriber(final_delay=50)
    world = run_call(policy(), caller, phone=Phone(losses=[(2_000, 400)]), transcriber=transcriber)
    assert waits(world) == [600]


def test_a_vote_of_the_transcriber_ends_the_turn_sooner() -> None:
    def ended(*votes: Vote) -> int:
        world = by_hand(policy(), Caller().says("A table please", at=1_000, lasts=900).hangs_up(at=9_000))
        world.at(1_900, FinalWords("A table please"))
        for vote in votes:
            world.at(1_950, TurnVote(vote))
        return world.run().times(TurnEnded)[0] - 1_900

    assert ended() == 600
    assert ended(Vote.END) == 350
    assert ended(Vote.END, Vote.RESUMED) == 600


def test_a_short_answer_that_came_too_early_makes_the_next_wait_longer() -> None:
    caller = Caller().says("My order was", at=1_000).says("quite late", pause=1_800)
    caller.says("what now", pause=6_000).hangs_up(at=20_000)
    world = run_call(policy(), caller, model=ScriptedModel(["Hm."], first_token_ms=2_000))
    assert waits(world) == [1_500, 750, 735]


def test_what_was_asked_counts_for_the_next_words_even_if_they_are_the_same() -> None:
    rules = policy("What can I do for you?", drafts=False)
    caller = Caller().after_agent("John", pause=500).after_agent("John", pause=1_500).hangs_up(at=20_000)
    world = by_hand(rules, caller, model=ScriptedModel(["And what is your name?", "Thanks."]))
    world.run(lambda w: bool(caller.spoken))
    world.at(caller.spoken[0][2] - 10, InterimWords("John")).at(caller.spoken[0][2] + 200, FinalWords("John"))
    world.run(lambda w: len(caller.spoken) == 2)
    world.at(caller.spoken[1][2] - 10, InterimWords("John")).at(caller.spoken[1][2] + 200, FinalWords("John"))
    assert waits(world.run()) == [600, 1_500]


def test_words_without_a_sound_that_was_noticed_are_a_turn_too() -> None:
    world = by_hand(policy(), Caller().hangs_up(at=9_000)).at(2_000, FinalWords("Hello there."))
    assert turns(world.run()) == ["Hello there."]
    assert world.times(TurnEnded) == [2_480]


def test_speech_that_stops_with_its_frames_ends_all_the_same() -> None:
    world = by_hand(policy(), Caller().says("A table please", at=1_000, lasts=8_000))
    world.at(1_900, FinalWords("A table please."))
    world.run(2_000)
    world.caller.close_line()
    world.run(6_000)
    assert turns(world) == ["A table please."]
    assert [note.at for note in world.notes(SpeechEnded) if note.who == "caller"] == [2_000]
