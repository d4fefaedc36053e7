"""The report says what the call was, needs nothing else, and runs nothing that was said."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser

import orjson
import pytest

from engine.core import notes as nt
from engine.observe.report import Report, render
from engine.observe.timeline import Timeline
from engine.observe.waveform import Waveform
from engine.records.record import RecordFold
from engine.records.transcript import Line
from tests.observe.sample_call import ATTACK, FACTS, sample_steps


class Page(HTMLParser):
    """What a browser would make of the page: elements by tag, and all text that is shown."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.shown: list[str] = []
        self._hidden = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.shown.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.shown).split())

    def kinds(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for _, attrs in self.elements if name in (attrs.get("class") or "").split()]


def sample_report() -> Report:
    fold = RecordFold(FACTS)
    for _, event, effects in sample_steps():
        fold.step(event, effects)
    wave = Waveform(bytes(range(200)) * 2, bytes(400), b"RIFF-audio")
    return Report(
        "call-1", "inbound", "today", [("From", "+15550100")], fold.timeline, fold.transcript.lines(), wave
    )


@pytest.fixture(scope="module")
def html() -> str:
    return render(sample_report())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_the_facts_are_there(page: Page) -> None:
    for fact in (
        "Inbound call",
        "Agent hung up",
        "Duration 0:29.0",
        "Turns 3",
        "Typical answer 730 ms",
        "Slowest answer 1 320 ms",
        "Interruptions 1",
        "Errors 1",
        "From +15550100",
        "Answer 730 1320 1320 3",
        "Error, model: 503 Service Unavailable",
        "0:23.1 Clock: Awaiting response",
        "Caller interrupted the agent, silent after 120 ms",
        "One latte. What size would you interrupted",
        'look_up({"drink": "latte"}) → {"price": 4}',
        "End: Agent hung up (goodbye)",
    ):
        assert fact in page.text.replace("\u202f", " "), fact


def test_items_stand_at_their_seconds(page: Page) -> None:
    assert [tint["style"] for tint in page.kinds("tint")][:2] == [
        "--s:3.600;--d:1.200",
        "--s:5.200;--d:1.300",
    ]
    assert [gap["style"] for gap in page.kinds("gap")] == [
        "--s:6.500;--d:0.660",
        "--s:11.000;--d:1.320",
        "--s:26.800;--d:0.730",
    ]
    assert [over["style"] for over in page.kinds("over")] == ["--s:9.600;--d:0.120", "--s:13.080;--d:0.120"]
    assert [pin["style"] for pin in page.kinds("clock")] == ["--s:23.100"]
    assert len(page.kinds("turn")) == 3 + 3 and len(page.kinds("fill")) == 18


def test_what_was_said_is_text_and_never_markup(html: str, page: Page) -> None:
    assert f"I would like {ATTACK} please" in page.text
    assert "<script>alert" not in html
    assert [attrs.get("id") for tag, attrs in page.elements if tag == "script"] == [
        "peaks",
        "recording",
        None,
    ]
    said = [say["data-tip"] for say in page.kinds("say")]
    assert f"I would like {ATTACK} please" in said


def test_every_caption_holds_its_words_and_can_be_reached_with_the_keyboard(html: str, page: Page) -> None:
    captions = re.findall(r'class="at say (\w+)[^>]*><span tabindex="0">([^<]+)</span></div>', html)
    assert len(captions) == len(page.kinds("say")) == 8
    assert ("agent", "Are you still there?") in captions and (
        "caller",
        "no that is all thank you",
    ) in captions


def test_a_message_without_words_has_no_caption() -> None:
    report = sample_report()
    lines = [Line(role="user", text=" ", start=1, end=2), Line(role="assistant", text="Hi", start=2, end=3)]
    assert len(Page(render(replace(report, lines=lines))).kinds("say")) == 1


def test_an_answer_is_the_sum_of_what_its_stages_added(page: Page) -> None:
    assert "end of turn 600 + hand-over 2 + carrier 58 = 660 ms" in page.text


def test_stages_and_reasons_are_explained(page: Page) -> None:
    tips = [str(attrs["data-tip"]) for _, attrs in page.elements if "data-tip" in attrs]
    assert any(tip.startswith("Thinking: from asking the model") for tip in tips)
    assert any("Taken as over after 600 ms of silence: the usual wait" in tip for tip in tips)


def test_a_key_or_a_message_from_outside_is_no_interruption_by_the_caller() -> None:
    line = Timeline()
    for note in (nt.Joined(0), nt.Interrupted(500, "stop", 500, "key"), nt.Closed(900)):
        line.add(note)
    text = Page(render(Report("call-4", "inbound", "today", [], line, []))).text
    assert "Interruptions 0" in text and "A key interrupted the agent" in text and "silent after" not in text


def page_where_everyone_says(text: str) -> Page:
    line = Timeline()
    for note in (
        nt.Joined(0),
        nt.TurnEnded(900, text, 100, 800, text),
        nt.Fault(900, text, text),
        nt.ClockFired(900, text),
        nt.KeysPressed(900, text),
        nt.ToolStarted(900, "t", text, text),
        nt.ToolEnded(950, "t", text, text),
        nt.Interrupted(900, "stop", 800, text),
        nt.Ending(1_000, nt.EndReason.AGENT_HUNG_UP, text),
        nt.Closed(1_000, nt.EndReason.AGENT_HUNG_UP),
    ):
        line.add(note)
    said = Line(role="tool", text=text, start=0.1, end=0.2, name=text, arguments=text)
    wave = Waveform(b"\x01", b"\x01", b"")
    return Page(render(Report(text, text, text, [(text, text)], line, [said], wave, text)))


@pytest.mark.parametrize(
    "hostile", ['"><img src=x onerror=alert(1)>', "</script><b>", "' onclick='x", "{{script}}"]
)
def test_hostile_text_anywhere_adds_no_element(hostile: str) -> None:
    page, tame = page_where_everyone_says(hostile), page_where_everyone_says("hello")
    assert [(tag, list(attrs)) for tag, attrs in page.elements] == [
        (tag, list(attrs)) for tag, attrs in tame.elements
    ]
    assert hostile in page.text


def test_only_the_pages_own_script_may_run(html: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL)
    assert policy is not None and script is not None
    allowed = f"script-src 'sha256-{b64encode(sha256(script[1].encode()).digest()).decode()}'"
    assert allowed in policy[1] and "default-src 'none'" in policy[1]


def test_nothing_is_loaded_from_elsewhere(html: str, page: Page) -> None:
    assert not [attrs for _, attrs in page.elements if "src" in attrs or "href" in attrs]
    assert not re.search(r"https?://|@import|url\(", html)


def test_peaks_and_recording_are_inside(html: str) -> None:
    peaks = re.search(r'id="peaks">(.*?)<', html)
    recording = re.search(r'id="recording">(.*?)<', html)
    assert peaks is not None and recording is not None
    data = orjson.loads(peaks[1])
    assert data["rate"] == 100 and b64decode(data["caller"]) == bytes(range(200)) * 2
    assert b64decode(recording[1]) == b"RIFF-audio"


def test_a_long_recording_is_played_from_the_file_beside_the_page() -> None:
    report = sample_report()
    report = replace(report, waveform=Waveform(b"\x01", b"\x01", b""), audio_file="recording.wav")
    (audio,) = [attrs for tag, attrs in Page(render(report)).elements if tag == "audio"]
    assert audio["src"] == "recording.wav"


def test_a_call_without_anything_still_has_a_page() -> None:
    line = Timeline()
    line.add(nt.Closed(30_000, nt.EndReason.UNJOINED))
    text = Page(render(Report("call-2", "outbound", "today", [], line, []))).text
    assert "Outbound call Unjoined" in text and "Nobody said anything." in text and "Typical answer –" in text


def test_a_living_call_says_so() -> None:
    line = Timeline()
    line.add(nt.Joined(0))
    assert "Inbound call Live" in Page(render(Report("call-3", "inbound", "today", [], line, []))).text
