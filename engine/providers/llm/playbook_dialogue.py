"""The dialogue of a playbook: what is known, what was asked, and what to say and do next.

A `Dialogue` is made anew for every reply and told everything that happened so far (`replay`); it is
never kept. A goal's steps are walked from the top each time: what is known is passed over, the first
step that lacks something speaks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.core.conversation import STILL_RUNNING, Message, ToolRequest
from engine.core.tools import BUILT_IN, HANG_UP, TRANSFER
from engine.providers.llm.playbook_format import Goal, Script, Step
from engine.providers.llm.playbook_matching import words
from engine.providers.llm.playbook_understanding import Reading, Understanding, choice_values, name_value
from engine.providers.llm.playbook_values import Value, speak

_GROUP = re.compile(r"\[([^\[\]]*)\]")
_PLACE = re.compile(r"\{([^{}]+)\}")
_LISTED_CHOICES = 8


@dataclass(frozen=True, slots=True)
class Reply:
    """What to say and which tools to call (name and arguments), in that order."""

    text: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()


@dataclass(frozen=True, slots=True)
class _Question:
    """What the last reply asked: ``slot``, ``confirm``, ``more``, ``person`` or nothing."""

    about: str = ""
    slot: str = ""
    step: int = -1


@dataclass
class Dialogue:
    """The state after everything told so far."""

    script: Script
    understanding: Understanding
    variables: Mapping[str, Any]
    can_transfer: bool
    """Whether the agent can put the caller through to anyone."""
    goal: str = ""
    last_goal: str = ""
    slots: dict[str, Value] = field(default_factory=dict)
    confirmed: dict[int, dict[str, Value]] = field(default_factory=dict)
    said: set[int] = field(default_factory=set)
    results: dict[str, Any] = field(default_factory=dict)
    latest: dict[str, Any] = field(default_factory=dict)
    question: _Question = _Question()
    misses: int = 0
    latest_text: str = ""
    spoken: str = ""
    """What is said again when the caller asks for it."""
    ended_by: str = ""

    def replay(self, messages: Sequence[Message]) -> Reply:
        """Tell everything that happened; the reply that is due now."""
        reply = self._out(self._line("greeting"))
        requests: dict[str, ToolRequest] = {}
        heard, caller = "", ""
        told = [message for message in messages if message.role in ("user", "assistant", "tool")]
        for i, message in enumerate(told):
            following = told[i + 1].role if i + 1 < len(told) else ""
            if message.role == "assistant":
                heard = f"{heard} {message.text}".strip()
                requests.update({request.tool_call: request for request in message.tool_requests})
                if not following:
                    reply = self._proceed()
            elif message.role == "user":
                caller = f"{caller} {message.text}".strip()
                if following != "user":
                    mine = self._is_mine(heard)
                    self.spoken = self.spoken if mine or not heard else heard
                    reply = self._caller(caller, live=mine)
                    heard, caller = "", ""
            else:
                self._learn(requests.get(message.tool_call), message.text)
                if following != "tool":
                    reply = self._after_tools()
        return reply

    # --- what the caller said ---------------------------------------------------------------------------

    def _is_mine(self, heard: str) -> bool:
        """Whether the last words the caller heard are the script's own last reply, or the start of it."""
        tail, mine = words(heard)[-3:], words(self.latest_text)
        return bool(tail) and any(mine[i : i + len(tail)] == tail for i in range(len(mine)))

    def _caller(self, text: str, *, live: bool) -> Reply:
        """Answer what the caller said; ``live``: the question before it was the script's own."""
        in_play = self._in_play()
        reading = self.understanding.read(text, in_play, self.question.slot)
        # A yes or no to a question that someone else asked in between ("are you still there?") is no answer.
        question = self.question if live or self.question.about == "slot" else _Question()
        misses, self.misses = self.misses, 0
        if reading.control == "person" or (question.about == "person" and reading.control == "yes"):
            if not self.can_transfer:
                return self._proceed(self._line("transfer_failed"))
            target = self._fill(self.script.transfer_target)
            return self._out(self._line("transfer"), calls=[(TRANSFER, {"target": target} if target else {})])
        if reading.answer:
            return self._proceed(self._fill(self.script.answers[reading.answer].say))
        if reading.values:
            return self._take(reading, question)
        reply = (
            self._steer(reading) or self._yes_or_no(reading, question) or self._bare_name(reading, question)
        )
        if reply is None:
            self.misses = misses + 1
            reply = self._reprompt()
        return reply

    def _in_play(self) -> list[str]:
        """The slots that may be filled now: the goal's, or without a goal all."""
        goals = [self.script.goals[self.goal]] if self.goal else list(self.script.goals.values())
        return list(dict.fromkeys(slot for goal in goals for slot in goal.slots()))

    def _take(self, reading: Reading, question: _Question) -> Reply:
        """Fill slots; outside a goal they begin the one they belong to, or correct the one just done."""
        if not self.goal:
            self._begin(self._goal_of(reading), keep=reading.control in ("change", "no"))
        before = dict(self.slots)
        self.slots.update(reading.values)
        if self.slots == before and reading.control == "yes":
            return self._yes_or_no(reading, question) or self._proceed()
        changed = any(name in before and before[name] != value for name, value in reading.values.items())
        return self._proceed(self._line("changed") if changed else "")

    def _goal_of(self, reading: Reading) -> str:
        """The goal that the words ask for, or else that most of the values belong to."""
        if reading.goal:
            return reading.goal
        goals = self.script.goals
        return max(goals, key=lambda name: len(reading.values.keys() & set(goals[name].slots())))

    def _begin(self, goal: str, *, keep: bool = False) -> None:
        """Start a goal; ``keep``: go on with the last one and its values, if no tool acted on them."""
        untouched = not any(step.tool for step in self.script.goals[goal].steps)
        if not (keep and goal == self.last_goal and untouched):
            self.slots = {}
            self.results = {}
            self.latest = {}
        self.goal = goal
        self.confirmed = {}
        self.said = set()

    def _steer(self, reading: Reading) -> Reply | None:
        """What the caller may say at any time."""
        if reading.control == "goodbye":
            return self._goodbye()
        if reading.control == "repeat":
            return self._out(self.spoken, question=self.question)
        if reading.control == "wait":
            return self._out(self._line("wait"), question=self.question, remember=False)
        if reading.control == "cancel":
            self.goal, self.last_goal, self.slots = "", "", {}
            return self._proceed(self._line("cancelled"))
        if reading.control == "change" and self.goal:
            for slot in reading.named:
                self.slots.pop(slot, None)
            if reading.named:
                return self._proceed()
            if self.question.about == "confirm":
                return self._ask_what_to_change()
        if reading.goal and reading.goal != self.goal:
            self._begin(reading.goal)
            return self._proceed()
        return self._proceed() if reading.goal else None

    def _yes_or_no(self, reading: Reading, question: _Question) -> Reply | None:
        """A yes, a no, or "that's all", as an answer to what was asked."""
        said, about = reading.control, question.about
        if said not in ("yes", "no", "nothing_else"):
            return None
        if about == "slot" and self.script.slots[question.slot].kind == "yes_no" and said != "nothing_else":
            self.slots[question.slot] = Value(said == "yes", said)
            return self._proceed()
        if about == "confirm" and said == "no":
            return self._ask_what_to_change()
        if about == "confirm":
            self.confirmed[question.step] = dict(self.slots)
            return self._proceed()
        if said == "nothing_else" or (about == "more" and said == "no"):
            return self._goodbye() if not self.goal else self._proceed()
        if about == "more":
            return self._out(self._line("what"))
        if about == "person" or self.question != question:
            return self._proceed()
        return None

    def _bare_name(self, reading: Reading, question: _Question) -> Reply | None:
        """A name that was asked for and is all that was said."""
        if question.about != "slot" or self.script.slots[question.slot].kind != "name":
            return None
        if reading.control or not 0 < len(reading.rest) <= 3:
            return None
        self.slots[question.slot] = name_value(reading.rest)
        return self._proceed()

    def _ask_what_to_change(self) -> Reply:
        step = self.script.goals[self.goal].steps[self.question.step]
        return self._out(self._fill(step.change), question=self.question)

    def _goodbye(self) -> Reply:
        self.goal = ""
        return self._out(self._line("goodbye"), calls=[(HANG_UP, {})])

    def _reprompt(self) -> Reply:
        """Ask again; the second time with what may be said, the third time offer a person."""
        if self.misses >= 3 and self.can_transfer:
            return self._out(self._line("offer_person"), question=_Question("person"))
        return self._proceed(self._line("not_understood"), self._help() if self.misses > 1 else "")

    def _help(self) -> str:
        """What may be said now."""
        replies, slot = self.script.replies, self.script.slots.get(self.question.slot)
        if self.question.about == "confirm":
            return self._line("yes_or_no")
        if slot is None:
            titles = [goal.title for goal in self.script.goals.values()]
            titles += [replies.choice_person] if self.can_transfer else []
            return self._fill(replies.choices.replace("{choices}", _either(titles)))
        values = list(dict.fromkeys(value.spoken for _, value in choice_values(slot)))
        if slot.help or not values or len(values) > _LISTED_CHOICES:
            return self._fill(slot.help)
        return self._fill(replies.say_one_of.replace("{choices}", _either(values)))

    # --- what comes next --------------------------------------------------------------------------------

    def _proceed(self, *before: str) -> Reply:
        """Walk the goal's steps and say, behind the texts ``before``, what the first open one wants."""
        texts = list(before)
        if not self.goal:
            asked_before = self.question.about or self.last_goal
            texts.append(self._line("anything_else" if asked_before else "what"))
            return self._out(*texts, question=_Question("more"))
        goal = self.script.goals[self.goal]
        for number, step in enumerate(goal.steps):
            if step.tool is not None:
                reply = self._tool_step(step, texts)
                if reply is not None:
                    return reply
            elif step.slot is not None and step.slot not in self.slots:
                return self._out(*texts, self._fill(step.ask), question=_Question("slot", step.slot, number))
            elif step.confirm is not None and self.confirmed.get(number) != self.slots:
                return self._out(*texts, self._fill(step.confirm), question=_Question("confirm", step=number))
            if step.say and step.tool is None and number not in self.said:
                self.said.add(number)
                texts.append(self._fill(step.say))
        return self._finish(goal, texts)

    def _finish(self, goal: Goal, texts: list[str]) -> Reply:
        self.last_goal, self.goal = self.goal, ""
        if not self.script.replies.anything_else:
            return self._out(*texts, self._fill(goal.done), calls=[(HANG_UP, {})])
        texts += [self._fill(goal.done), self._line("anything_else")]
        return self._out(*texts, question=_Question("more"))

    def _tool_step(self, step: Step, texts: list[str]) -> Reply | None:
        """Call the tool, or go by its result; None where the next step may follow."""
        assert step.tool is not None
        arguments = {name: self._argument(value) for name, value in step.arguments.items()}
        key = _key(step.tool, arguments)
        if key not in self.results:
            return self._out(*texts, self._fill(step.say), calls=[(step.tool, arguments)])
        result = self.latest[step.tool] = self.results[key]
        if result == json.loads(STILL_RUNNING):
            return self._out(*texts, self._line("still_working"), question=self.question, remember=False)
        if not _failed(result) and (not step.expect or _path(result, step.expect.split("."))):
            return None
        texts.append(self._fill(step.otherwise))
        for slot in step.forget:
            self.slots.pop(slot, None)
        if not step.forget:
            self.last_goal, self.goal = self.goal, ""
        return self._proceed(*texts)

    def _learn(self, request: ToolRequest | None, text: str) -> None:
        """Remember a tool's result under the call that asked for it."""
        if request is None:
            return
        try:
            result = json.loads(text)
            arguments = json.loads(request.arguments or "{}")
        except ValueError:
            result, arguments = {"error": text}, {}
        self.ended_by = request.name if request.name in BUILT_IN else ""
        self.results[request.name if self.ended_by else _key(request.name, arguments)] = result

    def _after_tools(self) -> Reply:
        """Go on after tool results; when one of the agent's own tools worked, all has been said."""
        if not self.ended_by:
            return self._proceed()
        if not _failed(self.results[self.ended_by]):
            return Reply()
        return self._proceed(self._line("transfer_failed") if self.ended_by == TRANSFER else "")

    # --- texts ------------------------------------------------------------------------------------------

    def _out(
        self,
        *texts: str,
        question: _Question = _Question(),
        calls: Sequence[tuple[str, dict[str, Any]]] = (),
        remember: bool = True,
    ) -> Reply:
        """Make a reply and remember what it said and asked."""
        text = " ".join(filter(None, texts))
        self.question = question
        self.latest_text = text
        if remember:
            self.spoken = text
        return Reply(text, tuple(calls))

    def _line(self, name: str) -> str:
        """One of the playbook's general replies."""
        return self._fill(getattr(self.script.replies, name))

    def _known(self, place: str) -> Any:
        """What stands for ``{place}``: a slot, a variable, a part of a tool's latest result, or None."""
        name, *rest = place.split(".")
        if name in self.slots:
            return self.slots[name]
        return _path(self.latest[name] if name in self.latest else self.variables.get(name), rest)

    def _spoken(self, place: str) -> str:
        known = self._known(place)
        return known.spoken if isinstance(known, Value) else "" if known is None else speak(known)

    def _fill(self, template: str) -> str:
        """A template as speech; a ``[group]`` is left out where one of its places is empty."""

        def group(match: re.Match[str]) -> str:
            return match[1] if all(self._spoken(place) for place in _PLACE.findall(match[1])) else ""

        text = _PLACE.sub(lambda match: self._spoken(match[1]), _GROUP.sub(group, template))
        return re.sub(r" +([.,?!])", r"\1", " ".join(text.split()))

    def _argument(self, template: Any) -> Any:
        """A tool's argument; ``"{slot}"`` alone keeps the slot's own value and type."""
        if isinstance(template, str) and (whole := _PLACE.fullmatch(template)):
            known = self._known(whole[1])
            return known.value if isinstance(known, Value) else known
        return self._fill(template) if isinstance(template, str) else template


def _either(options: Sequence[str]) -> str:
    """``a, b or c``."""
    return " or ".join([", ".join(options[:-1]), options[-1]] if len(options) > 1 else options)


def _key(tool: str, arguments: Mapping[str, Any]) -> str:
    """A tool call as one text, so that the same call is known again."""
    return f"{tool} {json.dumps(arguments, sort_keys=True)}"


def _path(value: Any, path: Sequence[str]) -> Any:
    """A part of a JSON value; None where it is not there."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _failed(result: Any) -> bool:
    """Whether a tool's result says that it failed."""
    return isinstance(result, dict) and bool(result.get("error"))
