"""Results as a table, as JSON and as a page that stands alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import report
from benchmarks.page import page, plot, write_page
from benchmarks.report import Result, distribution, percentile, save, show

RESULT: Result = {
    "title": "Waits & <delays>",
    "columns": ["system", "p50"],
    "rows": [["engine", 431.6], ["other", None]],
    "notes": ["One run."],
    "curves": {"engine": [[400.0, 50.0], [460.0, 100.0]], "other": [[800.0, 100.0]]},
    "x": "ms",
    "y": "%",
    "parts": [{"title": "A part", "columns": ["a"], "rows": [[1]], "notes": []}],
}


def test_a_percentile_is_one_of_the_values() -> None:
    assert [percentile([5, 1, 3, 2, 4], percent) for percent in (1, 50, 99)] == [1, 3, 5]
    assert percentile([], 50) is None
    assert distribution([20.0, 10.0]) == [[10.0, 50.0], [20.0, 100.0]]


def test_a_table_is_printed_with_its_parts(capsys: pytest.CaptureFixture[str]) -> None:
    show(RESULT)
    lines = capsys.readouterr().out.splitlines()
    assert "engine  432" in lines
    assert "other     -" in lines
    assert "A part" in lines


def test_a_result_is_kept_with_its_machine_and_without_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    text = save("waits", RESULT, 12.4).read_text()
    kept = json.loads(text)
    assert (kept["name"], kept["seconds"], kept["rows"]) == ("waits", 12, RESULT["rows"])
    assert {"processor", "cores", "python", "load"} <= set(kept["machine"])
    assert str(Path.home()) not in text
    assert str(Path(report.__file__).parent) not in text


def test_the_page_stands_alone_and_escapes_what_it_shows(tmp_path: Path) -> None:
    (tmp_path / "waits.json").write_text(json.dumps({"name": "waits", **RESULT}))
    (tmp_path / "last.json").write_text(json.dumps({"name": "last", **RESULT}))
    write_page(tmp_path, ["waits"])
    text = (tmp_path / "index.html").read_text()
    assert text.index('id="waits"') < text.index('id="last"')
    assert "Waits &amp; &lt;delays&gt;" in text
    assert not re.search(r'(src|href)="(?!#)', text)
    assert "url(" not in text and "<script" not in text


def test_a_curve_lies_inside_its_plot() -> None:
    svg, _, key = plot(RESULT).partition("</svg>")
    drawing = ElementTree.fromstring(svg + "</svg>")
    _, _, width, height = map(float, drawing.attrib["viewBox"].split())
    lines = drawing.findall("polyline")
    assert [line.findtext("title") for line in lines] == ["engine", "other"]
    for line in lines:
        for point in line.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 0 < x < width and 0 < y < height
    assert "engine" in key


def test_no_curves_no_plot() -> None:
    assert plot({"title": "", "curves": {}}) == ""
    assert "<svg" not in page([{"name": "n", "title": "t", "columns": [], "rows": [], "notes": []}])
