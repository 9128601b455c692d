"""The page in a real browser, on a desk and in a hand: it renders, it fits, search and filter work."""

import html
import json
import re
from dataclasses import replace

import pytest

from browser import BROWSER, open_page
from report_run import NASTY, make_run, write_page

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium is installed")

SIZES = {"desk": (1200, 900), "phone": (390, 844)}
LAST = {"desk": 1200, "phone": 2300}
"""Pixels above which the predictions begin."""
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
MEASURE = """<script>
  for (const details of document.querySelectorAll("details")) details.open = true;
  const box = (element) => element.getBoundingClientRect();
  const wide = [...document.querySelectorAll("body *")].filter((e) =>
    !e.closest(".scroll") && !e.closest(".skip") && box(e).right > innerWidth + 0.5);
  const cut = [...document.querySelectorAll("svg text")].filter((t) =>
    box(t).left < box(t.closest("svg")).left - 1 || box(t).right > box(t.closest("svg")).right + 1);
  parent.postMessage({
    window: innerWidth,
    page: document.documentElement.scrollWidth,
    wide: wide.map((e) => e.outerHTML.slice(0, 80)),
    cut: cut.map((t) => t.textContent),
    documents: document.querySelectorAll("#results .document").length,
    blank: [...document.querySelectorAll("tr")].filter((row) => box(row).height > 160
      && [...row.cells].some((cell) => box(cell).left > innerWidth - 20)).map((row) => row.textContent.slice(0, 80)),
    predictions: Math.round(box(document.getElementById("predictions")).top + scrollY),
    charts: [...document.querySelectorAll("svg")].filter((svg) => box(svg).width > 0 && box(svg).height > 0).length,
    ink: getComputedStyle(document.body).color,
  }, "*");
</script>"""
FRAME = """<!doctype html>
<script>
  addEventListener("message", (e) => { document.querySelector("pre").textContent = JSON.stringify(e.data); });
</script>
<pre></pre><iframe src="report.html" width="WIDTH" height="HEIGHT" style="border: 0"></iframe>"""
"""A window of any width: a browser without a screen makes its own no narrower than 500 pixels."""
TYPE = """<script>
  const words = document.getElementById("words");
  words.value = "SPADE number 6";
  words.dispatchEvent(new Event("input", {bubbles: true}));
</script>"""
EVERY = ["0", "1", "3", "4", "5", "6", "7", "2"]
"""The documents, the most doubtful first; a person labelled the last."""
MORE = """<script>document.getElementById("more").click();</script>"""


@pytest.fixture
def page(diamond) -> str:
    return write_page(make_run(diamond))


@pytest.fixture
def load(tmp_path):
    """Return a function that shows a page, with a script of the test's own, and gives its elements."""

    def load_page(page: str, script: str = "", query: str = "") -> str:
        if script:  # the page's own policy would refuse it
            page = POLICY.sub("", page).replace("</body>", f"{script}</body>")
        path = tmp_path / "report.html"
        path.write_text(page, "utf-8")
        return open_page(f"{path.as_uri()}{query}", tmp_path / "browser", *SIZES["desk"])

    return load_page


def read_results(dom: str) -> tuple[str, list[str]]:
    """Return the line that counts the documents, and the ids of those that are shown."""
    (count,) = re.findall(r'<p id="count"[^>]*>([^<]*)</p>', dom)
    (results,) = re.findall(r'<ol class="documents" id="results">(.*?)</ol>', dom, re.DOTALL)
    return count, re.findall(r"document (\w+),", results)


@pytest.mark.parametrize("size", SIZES)
def test_page_renders_and_fits_the_window(diamond, tmp_path, size) -> None:
    width, height = SIZES[size]
    run = make_run(diamond, texts=[NASTY, "x" * 300, "y " * 300])
    run = replace(run, class_descriptions=run.class_descriptions.assign(description="words " * 80))
    page = write_page(run, "A run " + "z" * 100)
    (tmp_path / "report.html").write_text(POLICY.sub("", page).replace("</body>", f"{MEASURE}</body>"), "utf-8")
    (tmp_path / "frame.html").write_text(FRAME.replace("WIDTH", str(width)).replace("HEIGHT", str(height)), "utf-8")
    dom = open_page((tmp_path / "frame.html").as_uri(), tmp_path / "browser", width + 20, height + 20)
    measured = json.loads(html.unescape(re.findall(r"<pre>(.*?)</pre>", dom, re.DOTALL)[0]))
    assert measured.pop("charts") == page.count("<svg") == 8, "each takes up room"
    assert measured.pop("ink") == "rgb(28, 33, 38)", "the page's own style, #1c2126"
    assert measured.pop("predictions") < LAST[size], "what a person came for is on the first screens"
    assert measured == {"window": width, "page": width, "wide": [], "cut": [], "blank": [], "documents": 3}


def test_own_script_runs_under_the_pages_policy_and_no_other(page, load) -> None:
    stranger = page.replace("</body>", '<script>document.title = "owned"</script></body>')
    dom = load(stranger)
    assert read_results(dom)[0] == "8 of 8 documents on this page"
    assert "<title>A run: report</title>" in dom


def test_documents_come_the_most_doubtful_first_and_as_text(page, load) -> None:
    dom = load(page)
    assert read_results(dom)[1] == EVERY
    assert "document 1, expected F1 0.222, agreement of the views 0.222</span>" in dom
    assert "document 2, expected F1 0.333</span>" in dom
    assert "<img" not in dom
    assert NASTY.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in dom


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("#words=number+3", ["3", "4"]),  # an id counts as a word
        ("#words=PET%20beds", ["3", "7"]),
        ("#class=6", ["6", "2"]),
        ("#class=6&order=surest", ["2", "6"]),
        ("#decision=review", ["0", "1", "3"]),
        ("#decision=accept&order=surest", ["2", "7", "6", "5", "4"]),
        ("#source=a+person", ["2"]),
        ("#source=the+judge+(recorded)&decision=accept", []),
        ("#source=nobody", EVERY),
        ("#class=2&words=spade", ["3", "4", "7"]),
        ("#doubtful=1", ["0"]),
        ("#words=nothing", []),
        ("#class=99", EVERY),
        ("#predictions", EVERY),
    ],
)
def test_search_and_filter_follow_the_address(page, load, query, found) -> None:
    count, shown = read_results(load(page, query=query))
    assert shown == found
    assert count == f"{len(found)} of 8 documents on this page"


def test_typing_searches_and_changes_the_address(page, load) -> None:
    note = "<script>setTimeout(() => { document.body.dataset.at = location.hash; }, 500);</script>"
    dom = load(page, TYPE + note)
    assert read_results(dom)[1] == ["6", "7"]
    assert 'data-at="#words=SPADE+number+6"' in dom


def test_more_documents_are_shown_when_asked_for(diamond, load) -> None:
    page = write_page(make_run(diamond, texts=[f"spade {i}" for i in range(20)]))
    first, both = load(page), load(page, MORE)
    assert len(read_results(first)[1]) == 10
    assert len(read_results(both)[1]) == 20
    assert '<button id="more" type="button">' in first
    assert '<button id="more" type="button" hidden="">' in both


def test_any_document_is_found_by_a_word_of_its_whole_text_and_shown_where_it_stands(diamond, load) -> None:
    long = "start " + "filler " * 400 + "needle " + "more " * 400 + "end"
    page = write_page(make_run(diamond, texts=["short", long, "x", NASTY]))
    dom = load(page, query="#words=needle")
    assert read_results(dom) == ("1 of 4 documents on this page", ["1"])
    (shown,) = re.findall(r'<p class="text">(…[^<]*…)</p>', dom)
    assert "needle" in shown and len(shown) == 302
    assert f'<details class=""><summary class="">Full text</summary><p class="text">{long}</p></details>' in dom
    assert ">Full text<" not in load(page, query="#words=short")


def test_document_shows_who_labelled_it_the_decision_and_the_next_best_paths(page, load) -> None:
    (judged,) = re.findall(r'<li class="document">.*</li>(?=</ol>)', load(page, query="#source=the+judge+(recorded)"))
    text = re.sub(r"<[^>]*>", "|", judged)
    assert [part for part in text.split("|") if part.strip()] == [
        "spade number 0",
        *("animals > cats ".replace(">", "&gt;"), "0.222"),
        *("review", "may fit no class", "labels by the judge (recorded)"),
        "document 1, expected F1 0.222, agreement of the views 0.222",
        "Runner-up: animals &gt; dogs",
        *("animals &gt; dogs ", "2.500", "animals &gt; cats &gt; cat toys ", "2.000", "garden &gt; tools ", "1.000"),
    ]
