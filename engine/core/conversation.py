"""The conversation: the only thing a model ever sees, written only from what was said and heard."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A tool call as it stands in an assistant message."""

    tool_call: str
    name: str
    arguments: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``role``: ``system``, ``user``, ``assistant`` or ``tool``.

    An assistant message may carry ``tool_requests``; a tool message answers the one named by
    ``tool_call``.
    """

    role: str
    text: str = field(default="", repr=False)
    tool_requests: tuple[ToolRequest, ...] = ()
    tool_call: str = ""


STILL_RUNNING = '{"status": "still running"}'
"""What stands for the result of a tool that a model is asked about before it has answered."""


class _Exchange:
    """Tool calls made at once, and their results as they come: always adjacent in the conversation."""

    __slots__ = ("requests", "results")

    def __init__(self, requests: tuple[ToolRequest, ...]) -> None:
        self.requests = requests
        self.results: dict[str, str] = {}

    def messages(self) -> list[Message]:
        """The assistant's message and a tool message for each call."""
        results = [
            Message("tool", self.results.get(request.tool_call, STILL_RUNNING), tool_call=request.tool_call)
            for request in self.requests
        ]
        return [Message("assistant", tool_requests=self.requests), *results]


class Conversation:
    """What was said and heard so far, in the order in which it was."""

    def __init__(self, prompt: str, initial: tuple[Message, ...]) -> None:
        head = (Message("system", prompt),) if prompt else ()
        self._entries: list[Message | _Exchange] = [*head, *initial]
        self._turn: int | None = None
        self._taken_back = False
        """The agent's words after the caller's last turn were an answer to half of it."""

    @property
    def messages(self) -> tuple[Message, ...]:
        """All messages, as a model sees them."""
        out: list[Message] = []
        for entry in self._entries:
            out += entry.messages() if isinstance(entry, _Exchange) else [entry]
        return tuple(out)

    def view(self, in_the_mouth: str = "") -> tuple[Message, ...]:
        """What a model is asked with. ``in_the_mouth``: text of the reply that goes on after its tools.

        That text is on its way to the caller; it stands with the tool calls that it came with, so that the
        model does not say it again, and never becomes part of the conversation this way.
        """
        messages = list(self.messages)
        last = len(messages) - 1
        while last >= 0 and messages[last].role == "tool":
            last -= 1
        if in_the_mouth and last >= 0 and messages[last].tool_requests:
            messages[last] = replace(messages[last], text=in_the_mouth)
        return tuple(messages)

    @property
    def last_said(self) -> str:
        """The agent's last words that were heard: what the caller answers to."""
        for entry in reversed(self._entries[:-1] if self._reopened else self._entries):
            if isinstance(entry, Message) and entry.role == "assistant" and entry.text:
                return entry.text
        return ""

    def caller_said(self, text: str) -> None:
        """A turn of the caller."""
        self._turn = len(self._entries)
        self._taken_back = False
        self._entries.append(Message("user", text))

    @property
    def open_turn(self) -> str | None:
        """The caller's last turn as long as nothing counts that was heard after it: it may still go on."""
        last = len(self._entries) - 1 - self._reopened
        if self._turn is None or self._turn != last:
            return None
        entry = self._entries[self._turn]
        return entry.text if isinstance(entry, Message) else None

    def with_turn(self, text: str) -> tuple[Message, ...]:
        """The conversation as it will be when the caller's turn, with what is open of it, is ``text``."""
        messages = list(self.messages)
        if self.open_turn is not None:
            del messages[len(messages) - 1 - self._reopened :]
        return (*messages, Message("user", text))

    def amend_turn(self, text: str) -> None:
        """The open turn of the caller is now ``text``."""
        assert self._turn is not None
        entry = self._entries[self._turn]
        assert isinstance(entry, Message)
        self._entries[self._turn :] = [replace(entry, text=text)]
        self._taken_back = False

    def take_back(self) -> None:
        """The agent has answered half a turn, and the caller goes on with it: the turn is open again.

        What was heard of that answer is forgotten when the turn is amended.
        """
        self._taken_back = True

    @property
    def _reopened(self) -> bool:
        """After the caller's last turn there are only the agent's words that were taken back."""
        last = self._entries[-1] if self._entries else None
        answered = isinstance(last, Message) and last.role == "assistant"
        return self._taken_back and answered and self._turn == len(self._entries) - 2

    def agent_said(self, text: str) -> None:
        """Words of the agent that the caller heard."""
        self._entries.append(Message("assistant", text))

    def told(self, text: str) -> None:
        """Something the model should know that neither side said."""
        self._entries.append(Message("system", text))

    def tools_called(self, requests: tuple[ToolRequest, ...]) -> None:
        """The agent called tools."""
        self._entries.append(_Exchange(requests))

    def tool_answered(self, tool_call: str, value: str) -> None:
        """The one result of a tool call."""
        for entry in reversed(self._entries):
            if isinstance(entry, _Exchange) and any(r.tool_call == tool_call for r in entry.requests):
                entry.results.setdefault(tool_call, value)
                return
