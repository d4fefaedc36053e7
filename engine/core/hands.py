"""The agent's hands: its tools, the transfer of the caller, keys pressed towards the far end."""

from __future__ import annotations

import json

from engine.core import keypad
from engine.core.agent import Agent
from engine.core.conversation import Conversation, ToolRequest
from engine.core.effects import SendDigits, Transfer
from engine.core.events import ModelToolCall
from engine.core.line import Line
from engine.core.notes import Cut, EndReason, Fault
from engine.core.policy import Carrier, ToolKind
from engine.core.replies import Leave, Piece, Reply
from engine.core.step import Step
from engine.core.tools import BUILT_IN, HANG_UP, SEND_DIGITS, TRANSFER, Tools, arguments_of

TAKEN = "stream_taken"
TRANSFER_GRACE = 10_000
"""ms after the ringing time of a transfer in which the carrier may say how it went."""
DONE = json.dumps({"status": "ok"})


class Hands:
    """What the model does besides talking."""

    def __init__(self, agent: Agent, tools: Tools, conversation: Conversation, line: Line) -> None:
        self._agent = agent
        self._tools = tools
        self._conversation = conversation
        self._line = line
        self._results: dict[str, str] = {}
        """Results for the live reply's round, until the round is written down."""
        self.seam_expected = False
        """The carrier was asked for something for which it takes the stream away."""
        self._pressing = 0
        """Playing time of the keys that the carrier presses, ms."""

    # --- tools -------------------------------------------------------------------------------------------

    def on_tool_call(self, step: Step, event: ModelToolCall) -> None:
        """The model wants a tool run."""
        reply = self._agent.live
        wanted = self._agent.thinking.expects(event.reply, event.attempt)
        if reply is None or not wanted or not self._tools.is_new(event.tool_call):
            return
        if any(request.tool_call == event.tool_call for request in reply.round):
            return
        self._agent.thinking.settle_on(step, reply, event.attempt)
        request = ToolRequest(event.tool_call, event.name, event.arguments)
        reply.round.append(request)
        if reply.chosen or self._tools.kind(event.name) is ToolKind.READ:
            self._run(step, reply, request)
        else:
            reply.held_back.append(request)

    def _run(self, step: Step, reply: Reply, request: ToolRequest) -> None:
        """Have the tool run, or do at once what needs no running."""
        if self._tools.kind(request.name) is None or request.name in BUILT_IN:
            self._results[request.tool_call] = self._own(step, reply, request)
        else:
            self._tools.start(step, reply.id, request, speculative=not reply.chosen)

    def _own(self, step: Step, reply: Reply, request: ToolRequest) -> str:
        """Do what a built-in tool says, as far as it can be done."""
        value, error = DONE, ""
        arguments = arguments_of(request)
        strict = step.policy.ending.strict
        if request.name == HANG_UP:
            reply.leave = Leave(EndReason.AGENT_HUNG_UP, strict)
            reply.uninterruptible = reply.uninterruptible or strict
        elif request.name == TRANSFER:
            target = str(arguments.get("target") or step.policy.transfer_target)
            error = _cannot_transfer(target, step.policy.carrier)
            if not error:
                reply.leave = Leave(EndReason.TRANSFERRED, transfer=target)
        elif request.name == SEND_DIGITS:
            digits = keypad.plan(str(arguments.get("digits", "")))
            if reply.silent and step.policy.carrier.digits_in_band:
                error = "keys cannot be pressed while the agent only writes"
            elif not digits:
                error = "digits must be 0-9, *, #, A-D or w for a pause"
            elif step.policy.carrier.digits_in_band:
                reply.pieces.append(Piece("", tones=digits))
            else:
                reply.digits += digits
        else:
            error = f"there is no tool named {request.name}"
        return self._tools.answer(step, request, value=value, error=error)

    def model_done(self, step: Step) -> None:
        """The model has said all of this round; its tools may have answered already."""
        reply = self._agent.live
        if reply is None or not reply.round or reply.round_written:
            return
        if reply.chosen and reply.model_done:
            self._write_round(reply)
            self._go_on(step, reply)

    def chosen(self, step: Step) -> None:
        """The draft became the answer: what it may not do as a draft is done now."""
        reply = self._agent.live
        if reply is None:
            return
        self._tools.adopt(reply.id)
        held_back, reply.held_back = reply.held_back, []
        for request in held_back:
            self._run(step, reply, request)
        if reply.model_done:
            reply.text_done = not reply.round or reply.leave is not None
            self.model_done(step)
            self._agent.advance(step)

    def dropped(self, step: Step, reply: Reply) -> None:
        """The reply is cut: what ran for a draft is not waited for; what an answer started goes on."""
        self._tools.forget(step, reply.id)

    def on_result(self, step: Step, tool_call: str, *, value: str = "", error: str = "") -> None:
        """A tool answered, or failed."""
        running = self._tools.finish(step, tool_call, value=value, error=error)
        if running is not None:
            self._take(step, running.reply, tool_call, running.result)

    def on_alarm(self, step: Step, name: str) -> None:
        """An alarm of a tool."""
        if self._tools.is_alarm(name):
            running = self._tools.expire(step, name)
            if running is not None:
                self._take(step, running.reply, running.request.tool_call, running.result)

    def _take(self, step: Step, reply_id: int, tool_call: str, result: str) -> None:
        self._results[tool_call] = result
        self._conversation.tool_answered(tool_call, result)
        reply = self._agent.live
        if reply is not None and reply.id == reply_id and reply.round_written:
            self._go_on(step, reply)

    def _write_round(self, reply: Reply) -> None:
        reply.round_written = True
        self._conversation.tools_called(tuple(reply.round))
        for request in reply.round:
            if request.tool_call in self._results:
                self._conversation.tool_answered(request.tool_call, self._results[request.tool_call])

    def _go_on(self, step: Step, reply: Reply) -> None:
        """All results are in: the model goes on with the same reply."""
        if reply.leave is not None or any(request.tool_call not in self._results for request in reply.round):
            return
        self._results.clear()
        reply.rounds += 1
        if reply.rounds > step.policy.replies.tool_rounds:
            step.emit(Fault(step.now, "model", "calls tools again and again"))
            self._agent.cut(step, failed="model")
            return
        reply.answered = False
        self._agent.think(step, self._conversation.view(reply.text))

    def reply_over(self, step: Step, reply: Reply, how: Cut) -> None:
        """The reply ended: tools it called stay called, and keys it wanted pressed are pressed."""
        if reply.round and reply.chosen and not reply.round_written:
            self._write_round(reply)
        heard_out = how is Cut.DONE or (reply.chosen and not reply.text)
        if heard_out and reply.digits and not self._line.over:
            self.seam_expected = True
            self._pressing = keypad.duration(reply.digits)
            step.emit(SendDigits(reply.digits))
        self._results.clear()

    # --- transfer and keys -------------------------------------------------------------------------------

    def transfer(self, step: Step, target: str) -> None:
        """Connect the caller to ``target``."""
        self._line.transferring = True
        self.seam_expected = True
        step.emit(Transfer(target, step.policy.limits.transfer))
        step.deadlines.set("transfer", step.now + step.policy.limits.transfer + TRANSFER_GRACE)

    def transferred(self, step: Step, outcome: str) -> bool:
        """The carrier's word on the transfer. Returns whether the caller is somebody else's now."""
        step.deadlines.cancel("transfer")
        self._line.transferring = self.seam_expected = False
        if outcome == "ok":
            return True
        step.emit(Fault(step.now, "transfer", outcome))
        self._conversation.told(f"The transfer failed: {outcome}. The caller is still on the line with you.")
        return False

    def seam_limit(self, step: Step) -> int:
        """How long the stream may be away, ms."""
        limits = step.policy.limits
        if self._line.transferring:
            return limits.transfer + TRANSFER_GRACE
        return limits.seam + self._pressing

    def rejoined(self, step: Step) -> None:
        """The stream is back from what it was taken away for."""
        if not self._line.transferring:
            self.seam_expected = False
            self._pressing = 0
            step.deadlines.cancel(TAKEN)

    def digits_sent(self, step: Step, outcome: str) -> None:
        """The carrier took the request. Its answer and the end of the stream come in any order."""
        if outcome == "ok":
            if self.seam_expected and self._line.live:
                step.deadlines.set(TAKEN, step.now + step.policy.limits.seam)
            return
        step.emit(Fault(step.now, "digits", outcome))
        self.rejoined(step)


def _cannot_transfer(target: str, carrier: Carrier) -> str:
    if not carrier.transfers:
        return "this line cannot transfer calls"
    return "" if target else "nobody is set whom the call could be transferred to"
