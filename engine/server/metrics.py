"""A worker's figures for Prometheus: folds over what its calls tell about themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from engine.core.effects import Effect
from engine.core.events import CallerAudio, Event
from engine.core.notes import Closed, Fault, Note, ReplyStage
from engine.errors import MissingExtra
from engine.observe.latency import answer_ms
from engine.observe.timeline import Timeline
from engine.runtime.admission import Refusal
from engine.runtime.session import Listener, Session
from engine.runtime.worker import Worker

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ANSWER_BUCKETS = (0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0)
_LAG_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1.0)


class Metrics:
    """One worker's metrics, in a registry of their own. Raises `MissingExtra` without prometheus-client."""

    def __init__(self) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
        except ImportError:
            raise MissingExtra("prometheus-client", "server") from None
        self.registry: CollectorRegistry = CollectorRegistry()
        self._live = Gauge("engine_calls_live", "Calls that are up", registry=self.registry)
        self._calls = Counter("engine_calls", "Calls that ended", ["reason"], registry=self.registry)
        self._frames = Counter("engine_frames", "Frames of callers' audio", registry=self.registry)
        self._frames_seen = 0
        """Those that are not in the counter yet: its lock is too dear for every frame."""
        self._faults = Counter(
            "engine_faults", "Failures that were handled", ["role"], registry=self.registry
        )
        self._answer = Histogram(
            "engine_answer_seconds",
            "From the caller's last sound to the first sound of the answer at the caller's ear",
            buckets=_ANSWER_BUCKETS,
            registry=self.registry,
        )
        self._lag = Histogram(
            "engine_loop_lag_seconds",
            "How late the event loop runs",
            buckets=_LAG_BUCKETS,
            registry=self.registry,
        )

    def watch(self, session: Session) -> Listener:
        """Count one more call; the listener for it."""
        self._live.inc()
        timeline = Timeline()

        def step(now: int, event: Event | None, effects: Sequence[Effect]) -> None:
            if type(event) is CallerAudio:
                self._frames_seen += 1
            for effect in effects:
                if isinstance(effect, Note):
                    timeline.add(effect)
                    self._take(timeline, effect)

        return step

    def follow(self, worker: Worker) -> None:
        """Show a worker's slots, lag and refusals, too, as they are whenever the figures are asked for."""
        self.registry.register(_Room(worker))

    def lag(self, seconds: float) -> None:
        """Take one measurement of the event loop's lateness."""
        self._lag.observe(seconds)

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        from prometheus_client import generate_latest

        self._frames.inc(self._frames_seen)
        self._frames_seen = 0
        return generate_latest(self.registry)

    def _take(self, timeline: Timeline, note: Note) -> None:
        if isinstance(note, Closed):
            self._live.dec()
            self._calls.labels(note.reason.value).inc()
        elif isinstance(note, Fault):
            self._faults.labels(note.role).inc()
        elif isinstance(note, ReplyStage) and note.stage == "first_heard" and timeline.turns:
            turn = timeline.turns[-1]
            answer = answer_ms(timeline, turn)
            if turn.reply == note.reply and answer is not None:
                self._answer.observe(answer / 1000)


def merged(texts: Mapping[int, bytes]) -> bytes:
    """The figures of several workers by number, all in Prometheus' text format; each gets its ``worker``."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.parser import text_string_to_metric_families

    families: dict[str, Metric] = {}
    for number, text in sorted(texts.items()):
        for family in text_string_to_metric_families(text.decode()):
            samples = [s._replace(labels={"worker": str(number), **s.labels}) for s in family.samples]
            family.samples = (
                [*families[family.name].samples, *samples] if family.name in families else samples
            )
            families[family.name] = family
    registry = CollectorRegistry()
    registry.register(_Families(list(families.values())))
    return generate_latest(registry)


class _Families:
    """Figures that are there already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        """For the registry."""
        return self._families


class _Room:
    """What a worker knows itself about how much room it has."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        worker = self._worker
        yield GaugeMetricFamily("engine_slots_taken", "Calls that hold a slot", len(worker.sessions))
        yield GaugeMetricFamily(
            "engine_slots_reserved", "Slots of calls whose stream has not come yet", worker.ringing
        )
        if worker.settings.most_calls is not None:
            yield GaugeMetricFamily("engine_slots", "Slots in all", worker.settings.most_calls)
        yield GaugeMetricFamily(
            "engine_loop_lag_p99_seconds", "What admission goes by", worker.admission.lag.p99
        )
        yield GaugeMetricFamily("engine_admitting", "1: a new call would be taken", worker.refusal is None)
        refused = CounterMetricFamily("engine_refusals", "Calls that were not taken", labels=["reason"])
        for reason in Refusal:
            refused.add_metric([reason], worker.admission.refused[reason])
        yield refused
