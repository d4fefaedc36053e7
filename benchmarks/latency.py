"""How long a caller waits for an answer, and where the time goes: ``python -m benchmarks.latency``

The whole loop over real sockets: phones in a process of their own ring the worker, which talks to stand-ins
of Deepgram, OpenAI and ElevenLabs in another process with set delays (`benchmarks.vendors`). Where the keys
of all three vendors are in the environment, the vendors themselves are measured too (one call).

====================  ==================================================================================
answer                last voiced frame of the caller sent, to the first sample of the agent at the ear
engine                what the engine added: the answer, less the time that nobody could have saved. That is
                      the vendors' set delays, one after the other (final words, first token and the tokens
                      of the first sentence, first audio), or the silence that the policy demands before it
                      takes the turn as over, whichever is longer: a draft thinks during that silence
early                 turns in which the agent was heard before the caller had finished the utterance
first, again          the median answer to a call's first turn, and to the same sentence at its end
====================  ==================================================================================
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.lines import Said, lines
from benchmarks.report import Cell, Result, distribution, percentile, percentiles, show
from benchmarks.scene import Heard, play
from benchmarks.subjects.engine_app import AGENT
from benchmarks.vendors import PROFILES, Profile
from benchmarks.waterfall import STAGES, Turn, read_turns

COMMAND = (sys.executable, "-m", "benchmarks.subjects.engine_app")
CALLS = (1, 25)
KEYS = ("DEEPGRAM_API_KEY", "OPENAI_API_KEY", "ELEVENLABS_API_KEY")
BUDGET = (
    "Budget, reference profile at 25 calls: answer 440 ms p50 and 600 ms p99, engine 3 ms p50 and 15 ms p99,"
    " no early answer to a caller who pauses 300 to 460 ms."
)


def run(
    profiles: Sequence[str] = tuple(PROFILES),
    calls: Sequence[int] = CALLS,
    turns: int = 5,
    pausing: int = 5,
) -> Result:
    """Measure all profiles at all numbers of calls; ``pausing``: calls of callers who pause, 0 for none."""
    script, about = lines("finished")
    script = _repeated(script, turns)
    measured = []
    for name in profiles:
        for count in calls:
            heard = play(COMMAND, script, count, profile=name, notes=True)
            measured.append(_Measured(f"{name}, {count}", PROFILES[name], heard))
    if all(os.environ.get(key) for key in KEYS):
        heard = play(COMMAND, script, 1, profile=None, notes=True)
        measured.append(_Measured("the vendors themselves, 1", None, heard))
    paused_about = ""
    if pausing:
        broken, paused_about = lines("pausing")
        heard = play(COMMAND, broken, pausing, notes=True)
        measured.append(_Measured(f"reference, {pausing}, pausing", PROFILES["reference"], heard))
    notes = [
        "ms, p50 / p90 / p99. Answer: last voiced frame sent to first sample heard. Engine: the answer less"
        " the vendors' set delays or the silence that the policy demands, whichever is longer.",
        *(profile.described for profile in map(PROFILES.__getitem__, profiles)),
        about,
        paused_about,
        "The worker has one core, phones and stand-ins share another; no TLS, no network. Up to 1 ms for each"
        " of the stand-ins' three timers is in the figures, and so is what other programs took of the cores:"
        " waited is the share of the time in which the worker stood ready and something else had its core.",
        BUDGET,
    ]
    return {
        "title": "How long a caller waits for an answer",
        "columns": [
            "vendors, calls", "turns", "failed", "early", "answer p50", "p90", "p99", "engine p50", "p90",
            "p99", "first", "again", "CPU ms/call-s", "waited %",
        ],
        "rows": [each.row() for each in measured],
        "notes": [note for note in notes if note],
        "curves": {each.name: distribution(each.answers) for each in measured if each.answers},
        "x": "answer, ms",
        "y": "share of turns, %",
        "parts": [_waterfall(measured), _connections(measured)],
    }  # fmt: skip


class _Measured:
    """One run: its turns, judged."""

    def __init__(self, name: str, profile: Profile | None, heard: Heard) -> None:
        self.name = name
        self.heard = heard
        self.turns: list[Turn] = read_turns(heard, profile, AGENT)
        good = [turn for turn in self.turns if turn.answer is not None and not turn.early]
        self.answers = [turn.answer for turn in good if turn.answer is not None]
        self.good = good

    def row(self) -> list[Cell]:
        """The line of the table."""
        engine = [turn.engine for turn in self.good if turn.engine is not None]
        last = max((turn.number for turn in self.turns), default=0)
        first = [turn.answer for turn in self.good if turn.number == 0 and turn.answer is not None]
        again = [turn.answer for turn in self.good if turn.number == last and turn.answer is not None]
        return [
            self.name,
            len(self.turns),
            self.heard.failed,
            sum(turn.early for turn in self.turns),
            *percentiles(self.answers),
            *percentiles(engine),
            percentile(first, 50),
            percentile(again, 50),
            round(self.heard.cpu_ms, 2),
            round(self.heard.waited, 1),
        ]

    def stages(self) -> list[Cell]:
        """Each stage's moment, p50 and p99."""
        cells: list[Cell] = [self.name]
        for stage in STAGES:
            moments = [turn.stages[stage] for turn in self.good if stage in turn.stages]
            low, high = percentile(moments, 50), percentile(moments, 99)
            cells.append("-" if low is None or high is None else f"{low:.0f} / {high:.0f}")
        return cells


def _waterfall(measured: Sequence[_Measured]) -> Result:
    return {
        "title": "The waterfall of an answer",
        "columns": ["vendors, calls", *STAGES],
        "rows": [each.stages() for each in measured],
        "notes": [
            "ms after the last voiced frame of the caller, p50 / p99, of the reply that was heard. A draft"
            " asks the model before the turn is decided.",
        ],
    }


def _connections(measured: Sequence[_Measured]) -> Result:
    rows: list[list[Cell]] = []
    for each in measured:
        seen: dict[str, Any] = each.heard.connections
        if not seen:
            continue
        greeting = AGENT["opening"]["message"]
        rows.append(
            [
                each.name,
                len(each.heard.calls),
                seen["transcriber_connections"],
                seen["voice_connections"],
                seen["model_connections"],
                seen["model_requests"],
                seen["model_requests"] - len(each.turns),
                sum(text.strip() == greeting for text in seen["voiced"]),
            ]
        )
    return {
        "title": "Connections and what was asked of the vendors",
        "columns": [
            "vendors, calls", "calls", "to transcriber", "to voice", "to model", "model requests",
            "of them unheard drafts", "greeting voiced",
        ],
        "rows": rows,
        "notes": ["The transcriber and the voice have a socket a call; the model's connections are shared."],
    }  # fmt: skip


def _repeated(script: Sequence[Said], turns: int) -> list[Said]:
    """So many turns, of which the last is the first one's sentence again: to compare them."""
    return [script[at % len(script)] for at in range(turns - 1)] + [script[0]]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--profile", action="append", choices=PROFILES, help="only this; may be repeated")
    parser.add_argument("--calls", type=int, action="append", help="calls at a time; may be repeated")
    parser.add_argument("--turns", type=int, default=5, help="turns of each call")
    parser.add_argument("--pausing", type=int, default=5, help="calls of callers who pause; 0: none")
    given = parser.parse_args(argv)
    show(run(given.profile or tuple(PROFILES), given.calls or CALLS, given.turns, given.pausing))


if __name__ == "__main__":
    main()
