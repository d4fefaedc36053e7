"""The keypad (F77): digits in become the caller's words, digits out can be decoded from what is heard."""

from __future__ import annotations

import pytest

from engine.audio.tones import DtmfListener
from engine.core.effects import AudioHeard, SendDigits
from engine.core.keypad import Keypad as Entry
from engine.core.keypad import plan
from engine.core.notes import KeysPressed, SeamClosed, SeamOpened
from engine.core.policy import Carrier, Idle, Keypad, LadderStep, Opening, Policy
from engine.core.step import Step
from engine.testing import Caller, ScriptedCarrier, ToolUse, World, agent_speaking
from tests.core.clock_scenes import GREETING, LONG, NO_CLOCKS, fired, model, roles, spoken, when

PLAIN = Policy(idle=NO_CLOCKS)


# --- the machine alone ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "pressed"),
    [
        ("5", "5"), ("12w#", "12w#"), ("(415) 555-01.00", "4155550100"), ("*0#ABCDabcd", "*0#ABCDABCD"),
        ("", ""), ("   ", ""), ("12x", ""), ("five", ""), ("1" * 64, "1" * 64), ("1" * 65, ""),
    ],
)  # fmt: skip
def test_only_keys_are_pressed(asked: str, pressed: str) -> None:
    assert plan(asked) == pressed


@pytest.mark.parametrize(
    ("rules", "keys", "entries"),
    [
        (Keypad(), "12#34#", ["12", "34"]),
        (Keypad(), "#", ["#"]),
        (Keypad(terminator="*"), "1#2*", ["1#2"]),
        (Keypad(most=3), "123456", ["123", "456"]),
        (Keypad(most=1), "12", ["1", "2"]),
    ],
)
def test_an_entry_is_complete_at_its_terminator_or_when_it_is_long_enough(
    rules: Keypad, keys: str, entries: list[str]
) -> None:
    entry, step = Entry(), Step(Policy(keypad=rules))
    assert [whole for key in keys if (whole := entry.press(step, key))] == entries
    assert not entry.collecting and step.deadlines.next is None


def test_each_key_gives_the_entry_its_whole_gap_again() -> None:
    entry, step = Entry(), Step(Policy(keypad=Keypad(gap=1_500)))
    entry.press(step, "1")
    step.now = 1_400
    entry.press(step, "2")
    assert step.deadlines.next == 2_900
    assert entry.take(step) == "12" and step.deadlines.next is None


# --- keys in --------------------------------------------------------------------------------------------


def test_a_pressed_5_is_in_the_model_s_next_input() -> None:
    world = World(PLAIN, caller=Caller().presses("5", at=1_000), model=model("Five.")).run(6_000)
    assert world.times(KeysPressed) == [2_500]
    assert world.model.requests[-1].messages[-1].text == "[keypad: 5]"
    assert spoken(world)[-1][0] == "Five."


def test_keys_in_a_row_are_one_entry_and_a_pause_makes_two() -> None:
    caller = Caller().presses("415", at=1_000, every=1_400).presses("9#", at=9_000)
    world = World(PLAIN, caller=caller, model=model("Thanks.", "Good.")).run(15_000)
    assert [(note.at, note.digits) for note in world.notes(KeysPressed)] == [(5_300, "415"), (9_200, "9")]


def test_a_key_silences_the_agent() -> None:
    policy = Policy(opening=Opening(message=LONG), idle=NO_CLOCKS)
    world = World(policy, caller=Caller().presses("1", at=2_000), model=model("One.")).run(9_000)
    assert world.phone.ear.silence_after(1_900) == 2_000
    assert roles(world)[1:] == [("user", "[keypad: 1]"), ("assistant", "One.")]


def test_unless_keys_do_not_interrupt() -> None:
    policy = Policy(opening=Opening(message=LONG), idle=NO_CLOCKS, keypad=Keypad(interrupts=False))
    world = World(policy, caller=Caller().presses("1", at=2_000), model=model("One.")).run(12_000)
    assert [text for text, _, _ in spoken(world)] == [LONG, "One."]


def test_an_entry_that_is_complete_at_once_comes_after_what_was_heard() -> None:
    caller = Caller().says("Read it to me.", at=200).presses("#", at=4_000)
    world = World(PLAIN, caller=caller, model=model(LONG, "As you wish.")).run(12_000)
    assert [role for role, _ in roles(world)] == ["user", "assistant", "user", "assistant"]
    assert roles(world)[2] == ("user", "[keypad: #]")


def test_keys_are_activity_and_the_clocks_wait_for_the_entry() -> None:
    idle = Idle(("Hello?",), 2_000, 1, (LadderStep(4_000, "Still there?"),), dead_air=6_000)
    caller = Caller().presses("1234", at=2_500, every=1_400)
    world = World(Policy(opening=GREETING, idle=idle), caller=caller, model=model("Got it.")).run(14_000)
    (_, _, answered) = spoken(world)[1]
    assert fired(world)[0] == ("awaiting_response", answered + 2_000)


def test_keys_that_wait_for_the_gap_when_the_caller_leaves_are_kept() -> None:
    world = World(PLAIN, caller=Caller().presses("12", at=1_000).hangs_up(at=1_500)).run()
    assert roles(world) == [("user", "[keypad: 12]")]


# --- keys out -------------------------------------------------------------------------------------------


def tones_heard(world: World) -> str:
    """The keys that the ear could decode."""
    heard, end = bytearray(), 0
    for span in world.phone.ear.spans:
        heard += b"\xff" * (span.start - end)
        heard += span.payload if span.place is None else b"\xff" * len(span.payload)
        end = span.end
    return "".join(DtmfListener().feed(bytes(heard) + b"\xff" * 800))


@pytest.mark.parametrize("digits", ["5", "1234567890", "*0#", "1w2"])
@pytest.mark.parametrize("words", ["", "I press it now."])
def test_digits_out_can_be_decoded_from_what_is_heard(digits: str, words: str) -> None:
    reply: list[str | ToolUse] = [*([words] if words else []), ToolUse("send_digits", {"digits": digits})]
    caller = Caller().says("Press the key.", at=200)
    world = World(PLAIN, caller=caller, model=model(reply, "Done.")).run(15_000)
    assert tones_heard(world) == digits.replace("w", "")
    listener, decoded = DtmfListener(), ""
    for _, effect in world.effects(AudioHeard):
        decoded += "".join(listener.feed(effect.payload))
    assert decoded == digits.replace("w", "")
    assert roles(world)[-1] == ("assistant", f"{words} Done.".strip())


def test_digits_that_are_none_are_an_error_to_the_model() -> None:
    replies = model(ToolUse("send_digits", {"digits": "five"}), "I cannot.")
    world = World(PLAIN, caller=Caller().says("Press five.", at=200), model=replies).run(9_000)
    assert "digits must be" in dict(roles(world))["tool"]
    assert tones_heard(world) == ""


def test_keys_are_pressed_or_refused_in_a_call_in_text_too() -> None:
    world = World(
        Policy(idle=NO_CLOCKS, medium="text"),
        caller=Caller().says("Press five.", at=200),
        model=model(ToolUse("send_digits", {"digits": "5"}), "Done."),
    ).run(9_000)
    refused = "error" in dict(roles(world))["tool"]
    assert refused or tones_heard(world) == "5"


OUT_OF_BAND = Policy(idle=NO_CLOCKS, carrier=Carrier(digits_in_band=False))


@pytest.mark.parametrize(
    "words",
    [
        "I press it.",
        pytest.param(""),
    ],
)
def test_a_carrier_that_presses_keys_itself_makes_a_seam_that_the_call_survives(words: str) -> None:
    reply: list[str | ToolUse] = [*([words] if words else []), ToolUse("send_digits", {"digits": "1w2"})]
    caller = Caller().says("Press it.", at=200).says("Thank you.", at=9_000)
    replies = model(reply, "" if not words else "So.", "Welcome.")
    world = World(OUT_OF_BAND, caller=caller, model=replies, carrier=ScriptedCarrier(seam_ms=1_500)).run(
        15_000
    )
    ((asked, effect),) = world.effects(SendDigits)
    assert effect.digits == "1w2"
    assert (world.times(SeamOpened), world.times(SeamClosed)) == ([asked], [asked + 1_500])
    assert spoken(world)[-1][0] == "Welcome." and world.reason is None


def test_digits_of_a_reply_that_was_interrupted_are_not_pressed_behind_the_caller_s_back() -> None:
    caller = Caller().says("Press it.", at=200).says("no wait stop", when=agent_speaking(1_000))
    replies = model([LONG, ToolUse("send_digits", {"digits": "1"})], "So.", "Okay.")
    world = World(OUT_OF_BAND, caller=caller, model=replies).run(15_000)
    assert when(world, SendDigits) == []
