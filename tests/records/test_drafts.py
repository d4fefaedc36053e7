"""What drafts cost: made, dropped, and the tokens of those that nobody heard."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core.effects import StartModel
from engine.core.events import ModelDone, ModelText
from engine.core.notes import Note
from engine.core.policy import Policy, Turns
from engine.records.drafts import DraftFold, DraftsRecord
from engine.testing import Caller, ScriptedModel, World

POLICY = Policy(prompt="Take orders, and be brief.", turns=replace(Turns(), endpoint_delay=1_200))


def fold(world: World) -> DraftsRecord:
    drafts = DraftFold()
    for _, event, effects in world.log:
        drafts.step(event, effects)
    return drafts.record()


def hesitant(**model: int) -> World:
    """Somebody who goes on after a draft was made."""
    caller = Caller().says("A table please", at=1_000, lasts=900).says("for two", pause=900)
    return World(
        POLICY, caller=caller.hangs_up(at=9_000), model=ScriptedModel(["Yes, of course."], **model)
    ).run()


def test_a_draft_that_is_chosen_costs_nothing() -> None:
    caller = Caller().says("A table please", at=1_000, lasts=900).hangs_up(at=9_000)
    drafts = fold(World(POLICY, caller=caller).run())
    assert (drafts.made, drafts.dropped) == (1, 0)
    assert drafts.wasted_input_tokens == drafts.wasted_output_tokens == 0


def test_of_one_that_was_finished_the_models_own_count_is_wasted() -> None:
    world = hesitant(first_token_ms=50)
    drafts = fold(world)
    assert (drafts.made, drafts.dropped) == (2, 1)
    usage = next(event.usage for _, event, _ in world.log if isinstance(event, ModelDone))
    assert (drafts.wasted_input_tokens, drafts.wasted_output_tokens) == (usage.input_tokens, 4)


@pytest.mark.parametrize("first_token", [700, 5_000])
def test_of_one_that_was_cancelled_it_is_estimated(first_token: int) -> None:
    world = hesitant(first_token_ms=first_token, tokens_per_second=2)
    drafts, (_, asked) = fold(world), world.effects(StartModel)[0]
    assert drafts.dropped == 1
    assert drafts.wasted_input_tokens == -(-sum(len(message.text) for message in asked.messages) // 4)
    said = [e.text for now, e, _ in world.log if isinstance(e, ModelText) and e.reply == asked.reply]
    assert bool(said) == (first_token == 700)
    assert drafts.wasted_output_tokens == -(-len("".join(said)) // 4)


def test_notes_of_other_replies_count_nothing() -> None:
    world = World(
        replace(POLICY, turns=replace(Turns(), drafts=False)), caller=Caller().says("Hello", at=500)
    )
    drafts = fold(world.run(9_000))
    assert any(isinstance(effect, Note) for _, _, effects in world.log for effect in effects)
    assert (drafts.made, drafts.dropped, drafts.wasted_input_tokens) == (0, 0, 0)
