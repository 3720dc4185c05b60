"""The page: small, whole, escaped; and driven in a browser where there is one."""

from __future__ import annotations

import html as entities
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from compret.report.page import Page
from compret.report.whole import whole
from compret.report.write import write

Made = Callable[..., Path]
NASTY = "</script><script>document.title = 'broken'</script><img src=x onerror=alert({0})> & \"{0}\" dog"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def logs(maker: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    maker(folder / "baseline", quality=0.4, texts=NASTY.format)
    maker(folder / "structneg", quality=0.3, separation=0.9, texts=NASTY.format)
    maker(folder / "<b>mine<&b>", quality=0.5, texts=NASTY.format)
    return folder


@pytest.fixture(scope="module")
def page(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("page") / "out"
    write(whole([str(logs)]), out, ["html"])
    return out / "index.html"


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_it_needs_nothing_else_and_is_small(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(text) < 2_000_000
    tags = Tags(text).seen
    assert [tag for tag, _ in tags].count("script") == 2
    outside = [attrs[key] for _, attrs in tags for key in ("src", "href", "action") if key in attrs]
    assert all(str(link).startswith(("#", "data:")) for link in outside)
    assert "default-src 'none'" in text
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {str(link)[1:] for link in outside if str(link).startswith("#")} <= set(ids)


def test_texts_and_names_are_escaped(page: Path) -> None:
    tags = Tags(page.read_text(encoding="utf-8")).seen
    assert not [tag for tag, _ in tags if tag == "img"]
    assert "onerror" not in {key for _, attrs in tags for key in attrs}
    stored = re.search(r'id="pairs">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    assert stored is not None
    assert any(pair["anchor"] == NASTY.format(0) for pair in json.loads(stored[1])["pairs"])


def test_every_run_says_where_its_numbers_come_from(page: Path, logs: Path) -> None:
    text = entities.unescape(page.read_text(encoding="utf-8"))
    for name in ("baseline", "structneg", "<b>mine<&b>"):
        assert str(logs / name / "version_0") in text


def test_what_there_is_no_room_for_is_named(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compret.report.page._TABLES", 4000)
    text = Page("t", whole([str(logs)])).render()
    assert "no room on this page, see --format csv,svg: " in text
    assert "encoder_NanoBEIR_tests" in text


DRIVER = """<script>
const out = { errors: [] };
window.addEventListener("error", (event) => out.errors.push(event.message));
window.addEventListener("load", () => {
  const table = document.querySelector("#nearmiss_tests table"), button = table.querySelectorAll("thead button")[4];
  const visible = () => [...table.tBodies[0].rows].filter((row) => !row.hidden);
  const column = () => visible().map((row) => Number(row.cells[4].dataset.value));
  button.click(); out.falling = column();
  button.click(); out.rising = column();
  const filter = table.closest("figure").querySelector("input");
  filter.value = "spatial structneg"; filter.dispatchEvent(new Event("input"));
  out.filtered = visible().map((row) => row.cells[3].textContent);
  const category = document.getElementById("of-category");
  category.value = "spatial"; category.dispatchEvent(new Event("input", { bubbles: true }));
  document.getElementById("next").click();
  out.place = document.getElementById("place").textContent;
  const example = document.getElementById("example");
  out.example = example.querySelectorAll("p")[2].textContent;
  out.marked = [...example.querySelectorAll("p:nth-of-type(3) mark")].map((mark) => mark.textContent);
  out.systems = [...example.querySelectorAll("tbody th")].map((cell) => cell.textContent);
  out.images = document.images.length;
  out.requests = performance.getEntriesByType("resource").map((entry) => entry.name);
  out.wide = document.documentElement.scrollWidth > window.innerWidth;
  out.title = document.title;
  const pre = document.createElement("pre");
  pre.id = "driven"; pre.textContent = JSON.stringify(out); document.body.append(pre);
});
</script>"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on the path")
def test_a_browser_sorts_filters_and_opens_an_example(page: Path, tmp_path: Path) -> None:
    """Driven by a script within the page, so that no package is needed; the browser's log is read for errors."""
    driven = tmp_path / "driven.html"
    driven.write_text(page.read_text(encoding="utf-8").replace("<body>", f"<body>{DRIVER}"), encoding="utf-8")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--window-size=390,844",
        "--enable-logging=stderr",
        "--v=0",
    ]
    command = [str(BROWSER), *options, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", driven.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'<pre id="driven">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None, done.stderr[-2000:]
    out = json.loads(entities.unescape(found[1]))
    assert "CONSOLE" not in done.stderr
    assert (out["errors"], out["requests"], out["images"], out["wide"]) == ([], [], 0, False)
    assert out["falling"] == sorted(out["falling"], reverse=True)
    assert out["rising"] == sorted(out["falling"])
    assert len(out["rising"]) > 2
    assert out["filtered"] == ["spatial"]
    assert out["place"].startswith("2 of ")
    assert out["marked"][:1] == ["not"]
    assert out["example"].startswith("not </script>")
    assert out["systems"] == ["<b>mine<&b>", "baseline", "structneg"]
    assert out["title"] == "out"
