"""What a caller may say to a playbook, for a recogniser: as a JSGF grammar, or as example sentences.

The grammar is deliberately loose: any of a goal's values in any order, each behind the words that may
announce it. It is one grammar for the whole call, because the caller may correct, interrupt or say
goodbye at any point.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from engine.providers.llm import playbook_patterns as patterns
from engine.providers.llm.playbook_format import Goal, Script, Slot
from engine.providers.llm.playbook_matching import spoken_number, spoken_time
from engine.providers.llm.playbook_understanding import CONTROLS, choice_values
from engine.providers.llm.playbook_values import DAYS, GRAMMARS, SHARED_RULES

LEAD_INS = (
    "(I | we) (want | need)",
    "(I'd | I would | we'd) like [to (have | get | order)]",
    "(can | could | may) (I | we) [please] (have | get)",
    "(can | could) you [please] (get | give | make) me",
    "[please] (give | get | make) me",
    "I'll (have | take)",
)
"""Ways to begin a request; a playbook's ``lead_ins`` add to them."""

_CORRECTIONS = ("no", "wait", "change")
"""Intents that a value may follow in one breath ("no, wait, make it large")."""


def jsgf(script: Script) -> str:
    """The grammar, as JSGF text with one public rule. Words are lower case."""
    rules = dict(SHARED_RULES)
    rules["filler"] = "um | uh | well | so | hello | hi"
    rules["lead_in"] = _alternatives([*LEAD_INS, *script.lead_ins])
    rules["polite"] = "please | thanks | thank you"
    for name, phrases in CONTROLS.items():
        rules[f"{name}_"] = _alternatives([*phrases, *getattr(script.intents, name)])
    for name, slot in script.slots.items():
        before = f"[{patterns.parse(slot.before).jsgf()}] " if slot.before else ""
        rules[f"slot_{name}"] = before + _value_rule(slot)
    rules["correction"] = "[<yes_> | <no_>] [<wait_>] [<change_>]"
    sayings = [f"<{name}_>" for name in CONTROLS]
    sayings.append("(<no_> | <nothing_else_>) <goodbye_>")
    for name, goal in script.goals.items():
        if goal.slots():
            rules[f"values_{name}"] = " | ".join(f"<slot_{slot}>" for slot in goal.slots())
            sayings.append(f"<correction> [<lead_in>] <values_{name}>+")
        if goal.phrases:
            rules[f"goal_{name}"] = _alternatives(goal.phrases)
            sayings.append(f"[<lead_in>] <goal_{name}>" + (f" <values_{name}>*" if goal.slots() else ""))
    if script.answers:
        rules["question"] = _alternatives(
            phrase for answer in script.answers.values() for phrase in answer.phrases
        )
        sayings.append("<question>")
    lines = [f"<{name}> = {body};" for name, body in rules.items()]
    public = f"public <utterance> = [<filler>] ({' | '.join(sayings)}) [<polite>];"
    return "\n".join(["#JSGF V1.0;", "grammar playbook;", public, *lines, ""])


def sentences(script: Script, count: int = 2000) -> list[str]:
    """Example sentences of the same language, the same ones each time: text for a small trigram LM."""
    chance = random.Random(count)
    leads = _variants([*LEAD_INS, *script.lead_ins])
    controls = {name: _variants([*said, *getattr(script.intents, name)]) for name, said in CONTROLS.items()}
    found = [" ".join(said) for variants in controls.values() for said in variants]
    found += [" ".join(said) for answer in script.answers.values() for said in _variants(answer.phrases)]
    goals = list(script.goals.values())
    while len(found) < count:
        said: list[str] = []
        if chance.random() < 0.1:
            said += chance.choice(controls[chance.choice(_CORRECTIONS)])
        if chance.random() < 0.6:
            said += chance.choice(leads)
        said += _goal_words(chance.choice(goals), script, chance)
        if chance.random() < 0.2:
            said.append("please")
        found.append(" ".join(said))
    return found


def _goal_words(goal: Goal, script: Script, chance: random.Random) -> list[str]:
    """One way to ask for a goal: its phrase, or some of its values."""
    slots = goal.slots()
    if goal.phrases and (not slots or chance.random() < 0.3):
        return list(chance.choice(_variants(goal.phrases)))
    said: list[str] = []
    for name in chance.sample(slots, chance.randint(1, len(slots))):
        slot = script.slots[name]
        if slot.before and chance.random() < 0.5:
            said += chance.choice(patterns.parse(slot.before).variants())
        said += _example(slot, chance)
    return said


def _example(slot: Slot, chance: random.Random) -> Iterable[str]:
    """One value of a slot as it is said."""
    if slot.kind == "yes_no":
        return (chance.choice(("yes", "no")),)
    if slot.kind == "number":
        return spoken_number(chance.randrange(100)).split()
    if slot.kind == "digits":
        return [spoken_number(chance.randrange(10)) for _ in range(slot.length or 4)]
    if slot.kind == "day":
        return (chance.choice(DAYS),)
    if slot.kind == "time":
        return spoken_time(chance.randrange(1, 13), chance.choice((0, 0, 15, 30, 45))).split()
    values = choice_values(slot)
    return chance.choice(values)[0] if values else ()


def _value_rule(slot: Slot) -> str:
    """The grammar of a slot's values."""
    if slot.kind in GRAMMARS:
        return GRAMMARS[slot.kind]
    if slot.kind == "yes_no":
        return "(<yes_> | <no_>)"
    names = list(slot.values) if isinstance(slot.values, dict) else []
    phrases = (
        [phrase for group in slot.values.values() for phrase in group]
        if isinstance(slot.values, dict)
        else slot.values
    )
    return f"({_alternatives([*phrases, *names])})" if phrases or names else "<VOID>"


def _alternatives(phrases: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(patterns.parse(phrase).jsgf() for phrase in phrases))


def _variants(phrases: Iterable[str]) -> list[tuple[str, ...]]:
    return [said for phrase in phrases for said in patterns.parse(phrase).variants()]
