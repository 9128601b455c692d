"""The page in a real browser, on a desk and in a hand: what comes first, that it fits, that search and filter work."""

from dataclasses import replace

import pytest

from browser import Page
from report_run import NASTY, make_run, write_page

DESK, PHONE = (1280, 900), (390, 844)
TOPS = """Object.fromEntries([...document.querySelectorAll("h1, h2, #words, #count, .document")].reverse().map((e) =>
    [e.id || e.className || "title", Math.round(e.getBoundingClientRect().top + scrollY)]))"""
"""Where each section, the field for words and the first document begin, in pixels from the top."""
MEASURE = """(() => {
    for (const details of document.querySelectorAll("details")) details.open = true;
    const box = (element) => element.getBoundingClientRect();
    const out = (element, whole) => box(element).left < whole.left - 1 || box(element).right > whole.right + 1;
    const lines = (element) => {
        const found = [], texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT), range = new Range();
        while (texts.nextNode()) {
            range.selectNode(texts.currentNode);
            found.push(...range.getClientRects());
        }
        return found.filter((r) => r.width && r.right < innerWidth);
    };
    const blank = (row) => {
        let [end, most] = [box(row).top, 0];
        for (const line of lines(row).sort((a, b) => a.top - b.top)) {
            most = Math.max(most, line.top - end);
            end = Math.max(end, line.bottom);
        }
        return Math.max(most, box(row).bottom - end);
    };
    const rows = [...document.querySelectorAll("tbody tr")];
    const all = [...document.querySelectorAll("body *")];
    return {
        window: innerWidth,
        page: document.documentElement.scrollWidth,
        wide: all.filter((e) => !e.closest(".scroll, .skip") && box(e).right > innerWidth + 1).map((e) => e.outerHTML),
        cut: [...document.querySelectorAll("svg text")].filter((t) => out(t, box(t.closest("svg")))).length,
        charts: [...document.querySelectorAll("svg")].filter((svg) => box(svg).width && box(svg).height).length,
        blank: rows.filter((row) => blank(row) > 30).map((row) => row.textContent),
        ink: getComputedStyle(document.body).color,
    };
})()"""
CELLS = """[...document.querySelectorAll("section:has(#classes) tbody tr")].map((row) =>
    [...row.cells].map((cell) => [cell.innerText, cell.getBoundingClientRect()]).map(([text, box]) =>
        [text, box.left, box.right]))"""
SHOWN = """[...document.querySelectorAll("#results .document")].map((e) => e.innerText.replace(/\\n+/g, "\\n"))"""
IDS = """[...document.querySelectorAll("#results .facts")].map((e) => e.innerText.match(/document (\\w+),/)[1])"""
COUNT = 'document.getElementById("count").innerText'
EVERY = ["0", "1", "3", "4", "5", "6", "7", "2"]
"""The documents, the most doubtful first; a person labelled the last."""


@pytest.fixture(scope="module")
def page(diamond) -> str:
    return write_page(make_run(diamond))


@pytest.fixture
def show(tab, tmp_path):
    """Return a function that shows a page in the browser, and gives the tab."""

    def show_page(page: str, query: str = "", size: tuple[int, int] = DESK) -> Page:
        path = tmp_path / "report.html"
        path.write_text(page, "utf-8")
        return tab.show(f"{path.as_uri()}{query}", *size)

    return show_page


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_predictions_with_their_search_are_on_the_first_screen_and_the_machinery_is_last(page, show, size) -> None:
    tops = show(page, size=size).read(TOPS)
    assert sorted(tops, key=tops.__getitem__) == [
        *("title", "predictions", "words", "count", "document", "classes", "worth", "annotations", "trust", "scores"),
        *("input", "stages", "silver", "starved", "training", "studies", "settings"),
    ]
    assert tops["document"] < size[1], "the most doubtful document is seen at once"


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_page_fits_the_window_and_no_row_is_blank(diamond, show, size) -> None:
    run = make_run(diamond, texts=[NASTY, "x" * 300, "y " * 300])
    run = replace(run, class_descriptions=run.class_descriptions.assign(description="words " * 80))
    page = write_page(run, "A run " + "z" * 100)
    measured = show(page, size=size).read(MEASURE)
    assert measured.pop("charts") == page.count("<svg") == 8, "each takes up room"
    assert measured.pop("ink") == "rgb(28, 33, 38)", "the page's own style, #1c2126"
    assert measured == {"window": size[0], "page": size[0], "wide": [], "cut": 0, "blank": []}


def test_rows_of_the_class_table_have_their_texts_on_a_phone(page, show) -> None:
    tab = show(page, size=PHONE)
    tab.read("document.querySelector('section:has(#classes) details').open = true")
    rows = tab.read(CELLS)
    assert [row[0][0].split("\n")[0] for row in rows][:3] == ["animals", "garden", "animals > dogs"]
    puppies = [text for text, _, _ in rows[2]]
    assert puppies[1:5] == ["4", "3", "0", "puppy, leash"] and puppies[5].startswith(f"dogs {NASTY[:9]}")
    assert all(text.strip() and 0 <= left < right <= PHONE[0] for row in rows for text, left, right in row)


def test_number_of_a_class_leads_to_its_predictions(page, show) -> None:
    tab = show(page)
    tab.read("document.querySelector('a[href=\"#class=6\"]').click()")
    tab.wait_for(f'{COUNT} === "2 of 8 documents on this page"')
    assert tab.read(IDS) == ["6", "2"]
    assert all("garden > tools" in shown for shown in tab.read(SHOWN))


def test_own_script_runs_under_the_pages_policy_and_no_other(page, show) -> None:
    tab = show(page.replace("</body>", '<script>document.title = "owned"</script></body>'))
    assert tab.read(COUNT) == "8 of 8 documents on this page"
    assert tab.read("document.title") == "A run: report"


def test_documents_come_the_most_doubtful_first_and_as_text(page, show) -> None:
    tab = show(page)
    assert tab.read(IDS) == EVERY
    shown = tab.read(SHOWN)
    assert "document 1, expected F1 0.222, agreement of the views 0.222" in shown[1]
    assert shown[7].endswith("document 2, expected F1 0.333\nRunner-up: animals > dogs")
    assert tab.read("document.querySelectorAll('img').length") == 0
    assert tab.read("document.querySelector('.text').textContent") == NASTY


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
def test_search_and_filter_follow_the_address(page, show, query, found) -> None:
    tab = show(page, query)
    assert tab.read(IDS) == found
    assert tab.read(COUNT) == f"{len(found)} of 8 documents on this page"


def test_typing_searches_and_changes_the_address(page, show) -> None:
    tab = show(page)
    tab.type("#words", "SPADE number 6")
    tab.wait_for('location.hash === "#words=SPADE+number+6"')
    assert tab.read(IDS) == ["6", "7"]


def test_more_documents_are_shown_when_asked_for(diamond, show) -> None:
    tab = show(write_page(make_run(diamond, texts=[f"spade {i}" for i in range(20)])))
    assert len(tab.read(IDS)) == 10
    assert tab.read("document.getElementById('more').offsetHeight") > 30, "in reach of a thumb"
    tab.read("document.getElementById('more').click()")
    assert len(tab.read(IDS)) == 20
    assert tab.read("document.getElementById('more').offsetHeight") == 0


def test_any_document_is_found_by_a_word_of_its_whole_text_and_shown_where_it_stands(diamond, show) -> None:
    long = "start " + "filler " * 400 + "needle " + "more " * 400 + "end"
    page = write_page(make_run(diamond, texts=["short", long, "x", NASTY]))
    tab = show(page, "#words=needle")
    assert tab.read(COUNT) == "1 of 4 documents on this page"
    assert tab.read(IDS) == ["1"]
    texts = tab.read("[...document.querySelectorAll('#results .text')].map((e) => e.textContent)")
    assert texts[0][0] == texts[0][-1] == "…" and "needle" in texts[0] and len(texts[0]) == 302
    assert texts[1:] == [long], "in full below it"
    tab = show(page, "#words=short")
    assert "Full text" not in tab.read(SHOWN)[0]


def test_document_shows_who_labelled_it_the_decision_and_the_next_best_paths(page, show) -> None:
    tab = show(page, "#source=the+judge+(recorded)")
    tab.read("document.querySelector('#results details').open = true")
    (judged,) = tab.read(SHOWN)
    assert judged.split("\n") == [
        "spade number 0",
        "animals > cats 0.222",
        *("review", "may fit no class", "labels by the judge (recorded)"),
        "document 1, expected F1 0.222, agreement of the views 0.222",
        "Runner-up: animals > dogs",
        *("animals > dogs 2.500", "animals > cats > cat toys 2.000", "garden > tools 1.000"),
    ]
