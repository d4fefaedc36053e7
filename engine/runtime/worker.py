"""The worker: makes calls, knows those that live, and lets them end in peace when it is told to go."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

from engine.agent import Agent, effective, to_policy
from engine.audio.silero import SileroModel
from engine.core.call import Call
from engine.core.events import Created, Drain
from engine.errors import EngineError
from engine.providers.silero_model import find_model
from engine.records.folder import CallFolder
from engine.records.record import CallFacts
from engine.runtime.admission import Admission, Refusal
from engine.runtime.carrier import CarrierLeg, StreamOnlyLeg, TwilioAccount, TwilioRest
from engine.runtime.lag import LoopLag
from engine.runtime.outfit import Outfit, Outfits
from engine.runtime.registry import Providers
from engine.runtime.session import Equipment, Listener, Session
from engine.runtime.tool_runs import ToolFunction
from engine.runtime.voice_votes import VoiceVotes

_log = logging.getLogger(__name__)

AFTER_DRAIN_S = 20.0
"""How long calls may take to say goodbye and hang up beyond the time they were given."""

MOST_LAG_S = 0.05
"""An interrupted agent falls silent 110 ms after the first sound; this much later is within 160 ms. Audio
that is being spoken bears far more: the carrier has a second of it in hand."""

SID, TOKEN = "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"
"""The environment variables that hold Twilio's account, the same that Twilio's own tools read."""

_OVERFLOW = re.compile(r"https?://.|sips?:.|\+[0-9]")

ChooseAgent = Callable[[str, str], Agent | None]
"""The agent for a call ``(to, from)``; None: nobody answers that number."""

Watch = Callable[[Session], Listener]
"""Called for each new call; what it returns is told of each of its steps."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker is told about the place it runs in. Raises `EngineError` where that does not do."""

    public_url: str = ""
    """The base under which Twilio reaches us: ``https://voice.example.com``. Needed unless ``insecure``."""
    account: TwilioAccount | None = None
    """Needed unless ``insecure``; with it the engine can hang up, transfer and press keys."""
    insecure: bool = False
    """Let in whoever connects from this machine, unsigned and without a token: for trying things out."""
    calls: Path | None = None
    """Where each call gets a folder with its files; None: nothing is written."""
    most_calls: int | None = None
    """Calls at a time, those among them that ring; None: as many as the event loop bears."""
    most_lag: float | None = MOST_LAG_S
    """Seconds by which the event loop may run late (p99 of the last five seconds) for a new call to be taken;
    None: however late."""
    refusal: str = ""
    """What a caller for whom there is no room hears before Twilio hangs up; empty: the busy tone, free."""
    overflow: str = ""
    """Where such a caller goes instead: a URL that answers with TwiML, a number (E.164), or ``sip:``."""
    farewell: str = ""
    """What a call says when it has to end because the worker goes down."""

    def __post_init__(self) -> None:
        account = self.account or TwilioAccount("", "")
        needed = {SID: account.sid, TOKEN: account.auth_token, "the public URL": self.public_url}
        missing = [name for name, value in needed.items() if not value]
        if missing and not self.insecure:
            raise EngineError(
                f"to tell Twilio from strangers, {' and '.join(missing)} must be set"
                " (the insecure mode lets in whoever connects from this machine)"
            )
        if self.overflow and not _OVERFLOW.match(self.overflow):
            raise EngineError(
                f"calls beyond the limit cannot go to {self.overflow!r}: that must be an https:// address,"
                " a number like +15550100 or a sip: address"
            )

    @classmethod
    def from_environment(
        cls,
        public_url: str = "",
        *,
        insecure: bool = False,
        calls: Path | None = None,
        most_calls: int | None = None,
        most_lag: float | None = MOST_LAG_S,
        refusal: str = "",
        overflow: str = "",
    ) -> Settings:
        """With the account of TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, which ``insecure`` leaves alone."""
        account = TwilioAccount(os.environ.get(SID, ""), os.environ.get(TOKEN, ""))
        return cls(
            public_url,
            None if insecure else account,
            insecure,
            calls,
            most_calls,
            most_lag,
            refusal=refusal,
            overflow=overflow,
        )


@dataclass(frozen=True, slots=True)
class Caller:
    """Who rings, what number was dialled, and by which carrier the call comes; empty where unknown."""

    from_number: str = ""
    to_number: str = ""
    carrier: str = ""


class Worker:
    """All calls of one event loop. Use as ``async with Worker(...) as worker``; leaving it ends all calls.

    ``agent`` is one agent for all numbers, or a function that chooses. ``tools`` are functions by name, over
    those that the agent names itself. ``providers`` replaces those that the agents name. ``watch`` are called
    for each new call and return a listener each. ``lag`` is told, twenty times a second, by how
    many seconds the event loop runs late.
    """

    def __init__(
        self,
        agent: Agent | ChooseAgent,
        settings: Settings,
        *,
        tools: Mapping[str, ToolFunction] | None = None,
        providers: Providers | None = None,
        watch: Sequence[Watch] = (),
        lag: Callable[[float], None] | None = None,
    ) -> None:
        self.settings = settings
        self.sessions: dict[str, Session] = {}
        """The calls that are not freed yet, by their id."""
        self.admission = Admission(settings.most_calls, settings.most_lag)
        self.rest: TwilioRest | None = None
        """Twilio's REST API, while the worker runs and where it has an account."""
        self._agent = agent
        self._outfits = Outfits(tools or {}, providers)
        self._making = asyncio.Lock()
        self._votes: VoiceVotes | None = None
        self._watch = list(watch)
        self._lag = lag
        self._sampler: LoopLag | None = None

    # --- life -----------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if isinstance(self._agent, Agent):  # so that what is wrong with it is said now, not on the first call
            self._equip(self._outfits.of(self._agent), StreamOnlyLeg())
            to_policy(self._agent, StreamOnlyLeg.traits)
        _check_writable(self.settings.calls)
        if self.settings.account is not None:
            self.rest = TwilioRest(self.settings.account)
        self._sampler = LoopLag(self._sample)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.drain(0)
        if self._sampler is not None:
            self._sampler.stop()
        if self._votes is not None:
            self._votes.close()
        await self._outfits.close()
        if self.rest is not None:
            await self.rest.close()

    async def drain(self, within: float) -> int:
        """Take no new calls, and let those that live go on for ``within`` seconds, then say goodbye.

        Returns how many are left when even the time for that is over; 0 as a rule.
        """
        self.admission.draining = True
        live = list(self.sessions.values())
        for session in live:
            session.dispatch(Drain(round(within * 1000), self.settings.farewell))
        if live:
            ends = [asyncio.ensure_future(session.wait_closed()) for session in live]
            _, left = await asyncio.wait(ends, timeout=within + AFTER_DRAIN_S)
            for end in left:
                end.cancel()
        return len(self.sessions)

    # --- calls ----------------------------------------------------------------------------------------

    @property
    def draining(self) -> bool:
        """Whether the worker takes no new calls because it was told to stop."""
        return self.admission.draining

    @property
    def refusal(self) -> Refusal | None:
        """Why a call that comes now would be refused; None: it would be taken."""
        return self.admission.refusal(len(self.sessions))

    @property
    def ringing(self) -> int:
        """How many slots are held for calls whose first stream has not come yet."""
        return sum(not session.joined for session in self.sessions.values())

    @property
    def now(self) -> int:
        """The loop's monotonic clock, ms."""
        return int(asyncio.get_running_loop().time() * 1000)

    async def agent_for(self, caller: Caller) -> Agent | None:
        """The agent that answers, all it needs made: for a new one in a thread, for it may take a second.

        None: no agent answers that number, or it cannot be run, which is logged.
        """
        try:
            agent = self._chosen(caller)
            if agent is not None and not self._outfits.has(agent):
                async with self._making:
                    await asyncio.to_thread(self._make, agent)
        except EngineError:
            _log.exception("a call could not be made")
            return None
        return agent

    def create(
        self, caller: Caller, make_leg: Callable[[str], CarrierLeg], agent: Agent | None = None
    ) -> Session | None:
        """Make a call, for which its providers open while the phone still rings.

        Whoever asks has seen to it that there is room (`refusal`), and who answers (`agent_for`): without an
        ``agent`` it is chosen here, and where it is a new one the event loop waits until it is made.
        ``make_leg`` is given the new call's id. None: no agent answers that number, or it cannot be run,
        which is logged.
        """
        call_id = secrets.token_hex(8)
        try:
            agent = agent or self._chosen(caller)
            if agent is None:
                return None
            session = self._start(call_id, agent, caller, make_leg(call_id))
        except EngineError:
            _log.exception("a call could not be made")
            return None
        session.dispatch(Created())
        return session

    def _sample(self, lag: float) -> None:
        self.admission.lag.add(lag)
        if self._lag is not None:
            self._lag(lag)

    def _chosen(self, caller: Caller) -> Agent | None:
        if isinstance(self._agent, Agent):
            return self._agent
        return self._agent(caller.to_number, caller.from_number)

    def _make(self, agent: Agent) -> None:
        """Have all that is shared by the agent's calls made."""
        if self._outfits.of(agent).providers.confirms:
            self._confirming()

    def _start(self, call_id: str, agent: Agent, caller: Caller, leg: CarrierLeg) -> Session:
        outfit = self._outfits.of(agent)
        policy = replace(to_policy(agent, leg.traits), alternatives=outfit.providers.alternatives)
        session = Session(call_id, Call(policy), self._equip(outfit, leg))
        if self.settings.calls is not None:
            facts = CallFacts(
                call_id,
                session.created,
                caller.from_number or None,
                caller.to_number or None,
                caller.carrier or None,
                configuration=effective(agent),
                metadata=agent.metadata,
                vendors=outfit.providers.names,
            )
            folder = CallFolder(self.settings.calls, facts, policy, recording=agent.record.audio)
            session.add_listener(folder.on_step)
            session.on_freed(partial(asyncio.to_thread, folder.close))
        for watch in self._watch:
            session.add_listener(watch(session))
        self.sessions[call_id] = session
        session.on_freed(lambda: self.sessions.pop(call_id, None))
        return session

    def _equip(self, outfit: Outfit, leg: CarrierLeg) -> Equipment:
        providers = outfit.providers
        line = None if providers.realtime is None else providers.realtime.line()
        return Equipment(
            transcribers=providers.transcribers if line is None else (line.transcriber,),
            models=providers.models,
            voices=providers.voices if line is None else (line.voice,),
            line=line,
            voice_cache=outfit.voice_cache,
            vad=providers.open_voice_activity(),
            leg=leg,
            tools=outfit.tools,
            functions=outfit.functions,
            votes=self._confirming() if providers.confirms else None,
        )

    def _confirming(self) -> VoiceVotes:
        """The better voice detector, loaded when the first agent wants it."""
        if self._votes is None:
            path = find_model()
            if path is None:
                raise EngineError("the Silero model is gone: pip install --no-deps silero-vad brings it")
            self._votes = VoiceVotes(SileroModel(path))
        return self._votes


def _check_writable(calls: Path | None) -> None:
    """Make the folder for the calls' folders. Raises `EngineError` if nothing can be written there."""
    if calls is None:
        return
    try:
        calls.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=calls):
            pass
    except OSError as error:
        raise EngineError(f"the folder for calls, {calls}, cannot be written to: {error.strerror}") from None
