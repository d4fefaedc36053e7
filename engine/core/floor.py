"""Who has the floor: the caller's turn meets the agent's reply.

All evidence meets here, on every event: a frame, words, a vote, an alarm. Whichever completes the case
decides in that same step: the turn is over, a draft may start or must go, the agent falls silent, goes on,
or is cut.
"""

from __future__ import annotations

from engine.core import endpointing
from engine.core import words as lists
from engine.core.agent import Agent, AgentState
from engine.core.assumed import Assumed, without
from engine.core.bargein import (
    BRIEF,
    BRIEF_HUSH,
    LISTENING_HUSH,
    NO_WORDS,
    QUIET,
    BargeIn,
    Means,
    meaning,
)
from engine.core.caller import Caller, CallerTurn
from engine.core.conversation import Conversation
from engine.core.drafts import Drafts
from engine.core.endpointing import Evidence, Verdict
from engine.core.events import FinalWords
from engine.core.flushing import Flushing
from engine.core.habits import Habits
from engine.core.hands import Hands
from engine.core.line import Line
from engine.core.notes import MessageAdded, TurnAmended, TurnEnded, WordsRecognised
from engine.core.replies import Kind, Reply
from engine.core.step import Step
from engine.core.words import strip_phrases, words_of

ENDPOINT = "endpoint"
GREETING = "greeting"
SPEECH = 300
"""ms of voice about which a transcriber has something to say, if only that there were no words."""
LOST = 1_000
"""ms without frames after which speech that was going on is taken to have stopped."""
LATE = 40
"""ms since the last frame up to which the next one is on time."""
QUICK = 20
"""ms of silence from which a transcriber's finished sentence is worth a draft: a frame without voice."""
STALL = 300
"""ms without frames after which silence is counted by the clock; before that they are only late."""


class Floor:
    """Turn-taking of one call."""

    def __init__(
        self, caller: Caller, agent: Agent, conversation: Conversation, line: Line, hands: Hands
    ) -> None:
        self._caller = caller
        self._agent = agent
        self._conversation = conversation
        self._line = line
        self._hands = hands
        self._bargein = BargeIn(caller, agent)
        self._habits = Habits()
        self._drafts = Drafts()
        self._early = False
        """What the caller is saying goes on with a turn whose answer had only just begun."""
        self._assumed = Assumed()
        self._last_final: FinalWords | None = None
        self._waiting = ""
        """What the caller said into something of the agent's that goes on: written when it is over."""
        self._noise = False
        """The sound that is going on has no words and is taken for noise."""
        self._judged: tuple[Evidence, Verdict] | None = None
        self._flushing = Flushing(caller)
        self._owed = False
        """The answer to the last turn was dropped unheard."""
        self.pending = False
        """A turn of the caller waits for its answer until the agent has finished."""
        self.spoke = False
        """Words of the caller came in this step."""
        self.unanswered = 0
        """Stretches of speech in a row of which the transcriber said nothing at all."""

    # --- what the caller does --------------------------------------------------------------------------

    def sound(self, step: Step, was_speaking: bool) -> None:
        """A frame was heard: the agent may have to fall silent."""
        caller = self._caller
        if caller.speaking and not was_speaking:
            self._began(step)
        if not caller.sounding:
            self._noise = False
        reply = self._agent.live
        if reply is None or not caller.burst:
            return
        if not reply.chosen:
            if caller.speaking and not caller.since_loud:
                self._drop(step, reply)
        elif self._noise or not self._interruptible(step, reply):
            return
        elif self._agent.state is AgentState.SPEAKING:
            self._bargein.touch(step)

    def interim(self, step: Step, text: str) -> None:
        """What the transcriber believes of the words since its last final."""
        self.unanswered = 0
        text = self._assumed.strip(step, text.strip())
        if self._is_echo(text):
            return
        self._caller.turn.interim = text
        self._heard_words(step, text, final=False)

    def final(self, step: Step, words: FinalWords) -> None:
        """Words that the transcriber will not change any more."""
        self.unanswered = 0
        if words.start is not None and words == self._last_final:
            return
        self._last_final = words
        turn, text = self._caller.turn, words.text.strip()
        assumed = self._assumed.pop(step, words)
        if assumed and not turn.open and self._amends(step, assumed, text):
            return
        text = without(text, assumed)
        turn.interim = ""
        if turn.asked:
            turn.asked -= 1
        else:
            turn.flush_answered = True
        if self._is_echo(text):
            self.remark(step, text)
            return
        if text:
            turn.finals.append(text)
        self._heard_words(step, text, final=True)

    def _heard_words(self, step: Step, text: str, *, final: bool) -> None:
        if not text:
            return
        step.emit(WordsRecognised(step.now, text, final))
        self._caller.turn.words_at = step.now
        self.spoke = True
        self._noise = False
        self._weigh(step)

    def remark(self, step: Step, text: str) -> None:
        """Words that are kept, but are no turn."""
        step.emit(MessageAdded(step.now, "remark", text))

    def silence_agent(self, step: Step, why: str) -> None:
        """Something other than sound interrupts: a key, or a text from outside."""
        reply = self._agent.live
        if reply is not None and (not reply.chosen or self._interruptible(step, reply)):
            self._stop(step, why)

    def expire_hold(self, step: Step) -> None:
        """The sound has held the agent for as long as a sound without words may."""
        self._noise = self._bargein.expire(step)

    def forget_sound(self, step: Step) -> None:
        """The stream is gone: what a sound did to the agent is of no interest any more."""
        self._bargein.release(step)

    def go_deaf(self) -> None:
        """The transcriber's stream was lost: nothing is heard until the next one takes audio."""
        self._flushing.deaf = True

    def listen_again(self) -> None:
        """A fresh transcriber was given the last words again: ask it to finish, as the lost one was."""
        self._flushing.deaf = False
        self._caller.turn.flushed = False
        self._caller.turn.waiting_since = None

    # --- deciding --------------------------------------------------------------------------------------

    def consider(self, step: Step) -> None:
        """Weigh everything once more; called at the end of every step."""
        caller, turn = self._caller, self._caller.turn
        self._let_go(step)
        if not turn.open:
            step.deadlines.cancel(ENDPOINT)
            self._bargein.let_go(step)
        elif caller.speaking:
            self._think_ahead(step)
            self._bound(step)
        else:
            silence = self._silence(step, caller.silence)
            self._flushing.pause(step, silence)
            if self._bargein.active and self._goes_on(step, silence):
                return
            self._decide(step, silence)
        self._open_mouth(step)

    @property
    def talking(self) -> bool:
        """The caller is saying something, or pausing in it, that is not mere noise."""
        caller = self._caller
        return (caller.speaking or caller.turn.opened_at is not None) and not self._noise

    def _open_mouth(self, step: Step) -> None:
        agent = self._agent
        reply = agent.live
        if reply is None:
            return
        begun = agent.playout.sent > 0
        mouth_open = self._line.live and (begun or not self.talking or reply.uninterruptible)
        if mouth_open is not agent.mouth_open:
            agent.mouth_open = mouth_open
            agent.advance(step)

    def _bound(self, step: Step) -> None:
        """A caller who talks on is answered in the end, and sound without words is noise in the end."""
        turns, turn = step.policy.turns, self._caller.turn
        last = self._caller.last_frame_at or 0
        if step.now - last >= LOST:
            self._caller.lose(step, self._caller.media_end, step.now - last)
            self._decide(step, self._silence(step, self._caller.silence))
            return
        step.deadlines.set(ENDPOINT, last + LOST)
        assert turn.opened_at is not None
        reply = self._agent.live
        held = (reply is not None and reply.chosen) or self._line.leaving is not None
        self._flushing.speech(step, held=held, undecided=self._bargein.active)
        if not turn.text and not self._noise:
            limit = self._flushing.noise_from(step)
            if limit is not None and step.now >= limit:
                self._noise = True
            elif limit is not None:
                step.deadlines.set(ENDPOINT, min(limit, last + LOST))
        elif turn.text and step.now >= turn.opened_at + turns.longest_turn:
            self._end_turn(step, 0, "longest turn")

    def _silence(self, step: Step, heard: int) -> int:
        """How long the caller has been silent, which in media time is ``heard``: in that, unless the frames
        have stopped coming."""
        caller, turn = self._caller, self._caller.turn
        if turn.opened_at is None:
            return step.now - (turn.words_at if turn.words_at is not None else step.now)
        late = step.now - (caller.last_frame_at or 0)
        if late <= LATE:
            return heard + late
        return heard if late < STALL else max(heard, step.now - turn.speech_ended_at)

    def _ask_again(self, step: Step, wait: int) -> None:
        """Set the alarm for ``wait`` ms more of silence; frames that are late get their time to come."""
        at = step.now + max(1, wait)
        last = self._caller.last_frame_at
        if self._caller.turn.opened_at is not None and last is not None and step.now - last > LATE:
            at = max(at, last + STALL)
        step.deadlines.set(ENDPOINT, at)

    def _verdict(self, step: Step) -> Verdict:
        turn = self._caller.turn
        asked = self._conversation.last_said
        habits = self._habits
        evidence = Evidence(
            turn.text,
            step.policy.language,
            asked,
            turn.voted_over,
            habits.adaptation,
            habits.trusted,
            turn.latest,
        )
        if self._judged is None or self._judged[0] != evidence:
            self._judged = (evidence, endpointing.judge(evidence, step.policy.turns))
        return self._judged[1]

    def _decide(self, step: Step, silence: int) -> None:
        turns, turn, caller = step.policy.turns, self._caller.turn, self._caller
        verdict = self._verdict(step)
        pending = self._flushing.words_pending(step)
        if (verdict.likely or turn.eager) and not pending and silence >= turns.flush_after:
            self._draft(step)
        if caller.burst and turn.opened_at is not None:
            self._ask_again(step, turns.onset)
            return
        # Behind words that can be all, faint voice is the fall of their end; behind others it may be more.
        waited = self._silence(step, caller.since_loud if verdict.finished else caller.since_faint)
        if waited < verdict.wait:
            wait = verdict.wait - waited
            if turn.opened_at is not None and not turn.flushed:
                wait = min(wait, turns.flush_after - silence)
            self._ask_again(step, wait)
            return
        if pending:
            if turn.waiting_since is None:
                turn.waiting_since = step.now
            limit = turn.waiting_since + self._flushing.wait(step)
            if step.now < limit:
                step.deadlines.set(ENDPOINT, limit)
                return
        self._end_turn(step, waited, verdict.why)

    def _end_turn(self, step: Step, waited: int, why: str) -> None:
        turn = self._caller.take()
        self._early = False
        step.deadlines.cancel(ENDPOINT)
        if turn.voiced >= SPEECH and not turn.text and not turn.flush_answered:
            self.unanswered += 1
        self._assumed.take(step, turn.interim, self._caller.media_end)
        text = turn.text
        if not text or self._is_remark(step, turn):
            if text:
                self.remark(step, text)
            self._no_turn(step, "listening" if text else NO_WORDS)
            return
        step.emit(TurnEnded(step.now, text, turn.speech_ended_at, waited, why))
        self._habits.turn_over(step, finished=self._judged is not None and self._judged[1].finished)
        self.turn(step, text)
        self._bargein.resume(step, "too few words")

    def _is_remark(self, step: Step, turn: CallerTurn) -> bool:
        """Whether the caller's words are no turn: too short, or a mere sign of listening to the agent."""
        if turn.opened_at is not None and turn.voiced < step.policy.turns.shortest_turn:
            return True
        reply = self._agent.live
        if (reply is None or not reply.chosen) and self._line.leaving is None:
            return False
        return self._meaning(step, turn.text) is Means.LISTENING

    def _no_turn(self, step: Step, why: str) -> None:
        """What the caller did was no turn: everything goes on as if it had not been."""
        reply = self._agent.live
        if reply is not None and not reply.chosen:
            self._drop(step, reply)
        if why == NO_WORDS:
            self._bargein.nothing_said(step)
        self._bargein.resume(step, why)
        if self._owed:
            self.pending = True
            self._owed = False

    def turn(self, step: Step, text: str) -> None:
        """The caller has said ``text``: it joins the conversation and is answered, now or when it can be."""
        reply = self._agent.live
        drafted = reply is not None and not reply.chosen
        self.pending = True
        self._owed = False
        if self._greets_back(step, text):
            self._write(step, text)
            self.pending = False
            return
        if reply is not None and not drafted and not self._unheard_answer(reply):
            self._waiting = f"{self._waiting} {text}".strip()
            return
        self._write(step, text)
        if reply is not None and drafted and reply.draft_text == self._conversation.open_turn:
            self.pending = False
            self._agent.choose(step)
            self._hands.chosen(step)
        elif reply is not None:
            self._drop(step, reply)
            self._owed = False

    def _greets_back(self, step: Step, text: str) -> bool:
        """Whether this is the "hello?" of someone who has not heard the greeting: that is its answer."""
        reply = self._agent.live
        coming = reply is not None and reply.kind is Kind.GREETING and not self._agent.audible
        if not coming and not self.greeting_due(step):
            return False
        hellos = lists.GREETINGS.get(lists.base_language(step.policy.language), ())
        return not strip_phrases(words_of(text), hellos)

    def greeting_due(self, step: Step) -> bool:
        """The greeting waits for its delay."""
        return GREETING in step.deadlines

    def owe(self) -> None:
        """What was dropped unheard for something else is to be said after it."""
        self.pending = self.pending or self._owed
        self._owed = False

    def write_waiting(self, step: Step) -> None:
        """What the caller said while the agent went on speaking: it stands after the agent's words."""
        text, self._waiting = self._waiting, ""
        if text:
            self._write(step, text)

    def _write(self, step: Step, text: str) -> None:
        so_far = self._conversation.open_turn
        if so_far is None:
            self._conversation.caller_said(text)
            step.emit(MessageAdded(step.now, "user", text))
        else:
            self._amend(step, f"{so_far} {text}")

    def _amend(self, step: Step, text: str) -> None:
        self._conversation.amend_turn(text)
        step.emit(TurnAmended(step.now, text))
        step.emit(MessageAdded(step.now, "user", text, amended=True))

    def _unheard_answer(self, reply: Reply) -> bool:
        return reply.kind is Kind.ANSWER and not self._agent.audible

    # --- drafts ----------------------------------------------------------------------------------------

    def _think_ahead(self, step: Step) -> None:
        """A transcriber that found the end by itself is quicker than the hangover: what it made final may be
        all, so the model's time begins now."""
        caller, turn = self._caller, self._caller.turn
        whole = turn.words_at is not None and turn.words_at >= turn.speech_ended_at and not turn.interim
        if whole and caller.since_loud >= QUICK and self._verdict(step).finished:
            self._draft(step)

    def _draft(self, step: Step) -> None:
        turn = self._caller.turn
        text = " ".join(part for part in (self._conversation.open_turn, turn.text) if part)
        reply = self._agent.live
        if reply is not None and not reply.chosen and reply.draft_text != text:
            self._drop(step, reply)
            reply = None
        if reply is not None or not self._drafts.allowed(step, turn):
            return
        if self._line.leaving is not None or self.pending or self.greeting_due(step):
            return
        self._drafts.made(step, turn)
        draft = self._agent.begin(step, Kind.ANSWER, draft=True)
        draft.draft_text = text
        self._agent.think(step, self._conversation.with_turn(text))

    def _drop(self, step: Step, reply: Reply) -> None:
        """Stop a reply for good. A caller's turn that it was to answer, unheard, is still owed an answer."""
        if reply.kind is Kind.ANSWER and reply.chosen and not self._agent.audible:
            self._owed = True
        self._hands.dropped(step, reply)
        self._agent.cut(step)

    # --- interruption ----------------------------------------------------------------------------------

    def _interruptible(self, step: Step, reply: Reply) -> bool:
        return step.policy.turns.interruptible and not reply.uninterruptible

    def _began(self, step: Step) -> None:
        """Speech began: soon after the end of a turn, that end came too early."""
        finished = bool(self._caller.turn.text) and self._verdict(step).finished
        early = self._habits.went_on(step, finished=finished)
        heard = self._caller.burst_at - self._agent.playout.begun_at
        self._early = self._early or (early and heard <= step.policy.turns.take_back)

    def _weigh(self, step: Step) -> None:
        """Words came: what do they mean for a reply that is there?"""
        reply = self._agent.live
        turn = self._caller.turn
        if reply is None:
            return
        if not reply.chosen:
            if turn.text and not reply.draft_text.endswith(turn.text):
                self._drop(step, reply)
            return
        if not self._agent.audible and reply.kind is not Kind.ANSWER:
            return
        if self._interruptible(step, reply) and self._meaning(step, turn.text) is Means.INTERRUPTING:
            self._stop(step, "words")

    def _meaning(self, step: Step, text: str) -> Means:
        reply = self._agent.live
        leaving = self._line.leaving is not None or (reply is not None and reply.leave is not None)
        turns, language = step.policy.turns, step.policy.language
        unfinished = bool(self._caller.turn.interim) or (not turns.interims and self._caller.speaking)
        return meaning(text, turns, language, leaving=leaving, unfinished=unfinished)

    def cut(self, step: Step) -> None:
        """Stop the agent for good, whatever it is doing."""
        self._bargein.release(step)
        if self._agent.live is not None:
            self._drop(step, self._agent.live)
        self._owed = False

    def _stop(self, step: Step, why: str) -> None:
        reply = self._agent.live
        if reply is None:
            return
        self._bargein.stop(step, why)
        if self._early and why == "words" and reply.kind is Kind.ANSWER:
            self._conversation.take_back()
        self._drop(step, reply)

    def _let_go(self, step: Step) -> None:
        """The agent goes on as soon as what touched it was no interruption so far; words may still stop it.

        A caller who goes on with half a turn is no such sound, however brief.
        """
        caller, turn = self._caller, self._caller.turn
        if not self._bargein.active or self._early or caller.hush < LISTENING_HUSH:
            return
        if turn.text:
            if self._meaning(step, turn.text) is Means.LISTENING:
                caller.end_burst()
                self._bargein.resume(step, "listening")
            return
        brief = self._bargein.brief(step)
        over = caller.hush >= BRIEF_HUSH if brief else turn.flush_answered and caller.quiet >= QUIET
        if over:
            caller.end_burst()
            self._bargein.nothing_said(step)
            self._bargein.resume(step, BRIEF if brief else NO_WORDS)

    def _goes_on(self, step: Step, silence: int) -> bool:
        """Whether the held agent goes on now, because what held it was no interruption."""
        turns, turn = step.policy.turns, self._caller.turn
        if silence < turns.resume_after:
            self._ask_again(step, turns.resume_after - silence)
            return True
        if self._flushing.words_pending(step) and silence < turns.resume_after + turns.transcript_wait:
            return False
        if turn.text and self._meaning(step, turn.text) is not Means.LISTENING:
            return False
        self._end_turn(step, silence, "listening")
        return True

    # --- words that are not what they seem ---------------------------------------------------------------

    def _is_echo(self, text: str) -> bool:
        """The agent's own words, heard back: no sound of the caller was there, only the agent's."""
        reply = self._agent.live
        if not text or reply is None or not self._agent.audible or self._caller.turn.open:
            return False
        said = set(words_of(reply.text))
        return bool(said) and set(words_of(text)) <= said

    def _amends(self, step: Step, assumed: str, text: str) -> bool:
        """A late final for words that were taken as they stood: it may change the turn that is over."""
        if words_of(text) == words_of(assumed) or not text:
            return True
        so_far = self._conversation.open_turn
        if so_far is None or not so_far.endswith(assumed):
            return False
        step.emit(WordsRecognised(step.now, text, True))
        self._amend(step, so_far.removesuffix(assumed) + text)
        reply = self._agent.live
        if reply is not None and self._unheard_answer(reply):
            self._drop(step, reply)
            self._owed = False
            self.pending = True
        return True
