"""The live view of a call in a terminal: one line for each thing that happens, as it happens.

It only ever appends lines, so it works as well on a dumb terminal, in a pipe and in a file, there without
colour. Needs rich (extra ``server``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from engine.core.effects import Effect
from engine.core.events import Event
from engine.core.notes import (
    ClockFired,
    Closed,
    Cut,
    Fault,
    Interrupted,
    Joined,
    KeysPressed,
    Leaving,
    Note,
    ReplyEnded,
    ReplyStage,
    ReplyText,
    SeamClosed,
    SeamOpened,
    SpeechStarted,
    Stayed,
    ToolEnded,
    ToolStarted,
    TurnAmended,
    TurnEnded,
    WordsRecognised,
)
from engine.errors import MissingExtra
from engine.observe.latency import answer_ms, reaction_ms, shares
from engine.observe.timeline import Timeline
from engine.observe.wording import STAGE_WORDS, interruption, turn_reason, words

if TYPE_CHECKING:
    from rich.console import Console

_CALLER = "bright_blue"
_AGENT = "yellow"

_INTERIM_PAUSE = 330
"""ms between two interims of the caller: a recogniser changes its mind faster than anyone can read."""


class LiveView:
    """A listener that prints a call. Give it every step; it keeps no more than the timeline."""

    def __init__(self, file: TextIO | None = None) -> None:
        """Print to ``file`` (default: standard output). Raises `MissingExtra` without rich."""
        try:
            from rich.console import Console
        except ImportError:
            raise MissingExtra("rich", "server") from None
        self._console: Console = Console(file=file, highlight=False, soft_wrap=True)
        self._timeline = Timeline()
        self._interim = ""
        """The interim that was printed last."""
        self._fresh = ""
        """The latest one, which may have to wait for its moment."""
        self._interim_at: int | None = None
        self._planned = (0, "")
        """The reply that is being planned, and how much of its text was printed."""

    def on_step(self, now: int, event: Event | None, effects: Sequence[Effect]) -> None:
        """Take one step of the call."""
        for effect in effects:
            if isinstance(effect, Note):
                self._timeline.add(effect)
                show = _SHOWS.get(type(effect))
                if show is not None:
                    show(self, effect)
        self._show_interim(now)

    def _line(self, at: int, who: str, style: str, text: str, text_style: str = "") -> None:
        """One line: time, who or what, and a text that may hold anything."""
        from rich.text import Text

        line = Text()
        line.append(f"{_stamp(at - self._timeline.origin)}  ", style="dim")
        line.append(f"{who:<7}", style=style)
        line.append(_printable(text), style=text_style)
        self._console.print(line)

    # --- what is said ---------------------------------------------------------------------------------

    def _joined(self, note: Joined) -> None:
        client = f", {note.client}" if note.client else ""
        self._line(note.at, "call", "bold", f"joined{client}")

    def _speech(self, note: SpeechStarted) -> None:
        self._line(note.at, note.who, _CALLER if note.who == "caller" else _AGENT, "speaks", "dim")

    def _words(self, note: WordsRecognised) -> None:
        self._fresh = "" if note.final else note.text
        if note.final:
            self._interim = ""
            if note.text:
                self._line(note.at, "caller", _CALLER, note.text, "bold")
        self._show_interim(note.at)

    def _show_interim(self, now: int) -> None:
        """Print the newest interim if it says something else than the last, and that was long enough ago."""
        if not self._fresh or self._fresh == self._interim:
            return
        if self._interim_at is None or now - self._interim_at >= _INTERIM_PAUSE:
            self._interim, self._interim_at = self._fresh, now
            self._line(now, "caller", _CALLER, f"{self._fresh} …", "dim")

    def _plan(self, note: ReplyText) -> None:
        reply, shown = self._planned
        fresh = note.text.removeprefix(shown) if reply == note.reply else note.text
        self._planned = (note.reply, note.text)
        if fresh.strip():
            self._line(note.at, "agent", _AGENT, f"{fresh.strip()} …", "dim")

    def _said(self, note: ReplyEnded) -> None:
        if note.how is not Cut.DROPPED:
            cut = "  (interrupted)" if note.how is Cut.CUT else ""
            self._line(note.at, "agent", _AGENT, note.heard + cut, "bold")

    def _keys(self, note: KeysPressed) -> None:
        self._line(note.at, "caller", _CALLER, f"keys {note.digits}", "bold")

    # --- what it means --------------------------------------------------------------------------------

    def _turn(self, note: TurnEnded) -> None:
        why = f": {turn_reason(note.why)}" if note.why else ""
        self._line(note.at, "turn", "cyan", f"over after {note.waited} ms of silence{why}")

    def _amended(self, note: TurnAmended) -> None:
        self._line(note.at, "turn", "cyan", f"goes on: {note.text}")

    def _stage(self, note: ReplyStage) -> None:
        turns = self._timeline.turns
        if note.stage != "first_heard" or not turns or turns[-1].reply != note.reply:
            return
        parts = shares(self._timeline, turns[-1])
        stages = " + ".join(f"{STAGE_WORDS[stage][0]} {ms}" for stage, ms in parts)
        waited = f"{answer_ms(self._timeline, turns[-1])} ms after the caller's last sound"
        self._line(note.at, "answer", "bold green", f"{waited} = {stages}" if stages else waited)

    def _interrupted(self, note: Interrupted) -> None:
        each = self._timeline.interruptions[-1]
        if note.action == "resume":
            what = "agent goes on"
        elif note.action == "stop":
            took = reaction_ms(each)
            what = interruption("stop", note.why).lower()
            what += "" if took is None else f", silent after {took} ms"
        else:
            waits = "falls silent" if note.action == "hold" else "speaks softly"
            what = f"agent {waits} {note.at - each.since} ms after the caller's first sound"
        why = f" ({note.why})" if note.why and each.by_sound else ""
        self._line(note.at, "barge", "magenta", what + why)

    def _clock(self, note: ClockFired) -> None:
        self._line(note.at, "clock", "bright_magenta", words(note.clock).lower())

    def _tool(self, note: ToolStarted) -> None:
        self._line(note.at, "tool", "green", f"{note.name}({note.arguments})")

    def _result(self, note: ToolEnded) -> None:
        failed, result = ("red", f"failed: {note.error}") if note.error else ("", note.value)
        self._line(note.at, "tool", "green", f"{note.name} → {result}", failed)

    def _fault(self, note: Fault) -> None:
        self._line(note.at, "error", "bold red", f"{note.role}: {note.reason}", "red")

    # --- the line -------------------------------------------------------------------------------------

    def _seam_opened(self, note: SeamOpened) -> None:
        self._line(note.at, "call", "bold", f"stream away, {note.why or 'waiting for the next'}")

    def _seam_closed(self, note: SeamClosed) -> None:
        self._line(note.at, "call", "bold", "stream back")

    def _leaving(self, note: Leaving) -> None:
        self._line(note.at, "call", "bold", f"saying goodbye ({words(note.reason).lower()})")

    def _stayed(self, note: Stayed) -> None:
        self._line(note.at, "call", "bold", "goes on after all")

    def _closed(self, note: Closed) -> None:
        detail = f", {self._timeline.detail}" if self._timeline.detail else ""
        lasted = f"{self._timeline.length / 1000:.1f} s"
        self._line(
            note.at, "call", "bold", f"ended after {lasted}: {words(note.reason).lower()}{detail}", "bold"
        )


def _stamp(ms: int) -> str:
    seconds = max(0, ms) / 1000
    return f"{int(seconds // 60):>2}:{seconds % 60:06.3f}"


def _printable(text: str) -> str:
    """The text without control characters: what is said on a call must not steer the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


_SHOWS: dict[type[Note], Callable[[LiveView, Any], None]] = {
    Joined: LiveView._joined,
    SpeechStarted: LiveView._speech,
    WordsRecognised: LiveView._words,
    ReplyText: LiveView._plan,
    ReplyEnded: LiveView._said,
    KeysPressed: LiveView._keys,
    TurnEnded: LiveView._turn,
    TurnAmended: LiveView._amended,
    ReplyStage: LiveView._stage,
    Interrupted: LiveView._interrupted,
    ClockFired: LiveView._clock,
    ToolStarted: LiveView._tool,
    ToolEnded: LiveView._result,
    Fault: LiveView._fault,
    SeamOpened: LiveView._seam_opened,
    SeamClosed: LiveView._seam_closed,
    Leaving: LiveView._leaving,
    Stayed: LiveView._stayed,
    Closed: LiveView._closed,
}
