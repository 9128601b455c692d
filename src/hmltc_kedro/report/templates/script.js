// Search and filter over the documents that the page holds. Everything is written as text, never as HTML.
(() => {
  "use strict";
  const PAGE = 10, SHOWN = 300, BEFORE = 80;
  const { names, documents } = JSON.parse(document.getElementById("packed").textContent);
  const fields = Object.fromEntries(["words", "class", "decision", "source", "order"].map((key) =>
    [key, document.getElementById(key)]));
  const doubtful = document.getElementById("only-doubtful");
  const count = document.getElementById("count");
  const results = document.getElementById("results");
  const more = document.getElementById("more");

  const spell = (path) => path.map((c) => names[c]).join(" > ");
  const searched = documents.map(([, text, labels]) =>
    [text, ...labels.map((c) => names[c])].join("\n").toLowerCase());
  const readWords = () => fields.words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = [];

  function add(parent, tag, className, text) {
    const element = parent.appendChild(document.createElement(tag));
    element.className = className;
    element.textContent = text;
    return element;
  }

  // The beginning of a text or, if the words that were searched for come later, the place where the first one does.
  function cut(text) {
    if (text.length <= SHOWN) return text;
    const lower = text.toLowerCase();
    const places = readWords().map((word) => lower.indexOf(word)).filter((place) => place >= 0);
    const first = places.length && Math.min(...places);
    const near = first > SHOWN - BEFORE ? first - BEFORE : 0;
    const space = near ? text.indexOf(" ", near) : -1;
    const start = space >= 0 && space < first ? space + 1 : near;
    return (start ? "…" : "") + text.slice(start, start + SHOWN) + (start + SHOWN < text.length ? "…" : "");
  }

  function addPaths(parent, className, paths) {
    const list = add(parent, "ul", className, "");
    for (const [path, score] of paths) {
      add(add(list, "li", "", `${spell(path)} `), "span", "score", score.toFixed(3));
    }
    return list;
  }

  function show(position) {
    const [id, text, , paths, scores, , expected, agreement, decision, source, stray, others] = documents[position];
    const item = add(results, "li", "document", "");
    add(item, "p", "text", cut(text));
    const list = addPaths(item, "paths", paths.map((path, k) => [path, scores[k]]));
    if (!paths.length) add(list, "li", "", "no class");
    const facts = add(item, "p", "facts", "");
    if (decision) add(facts, "span", `tag ${decision}`, decision);
    if (stray) add(facts, "span", "tag review", "may fit no class");
    add(facts, "span", "quiet", `labels by ${source}`);
    const views = agreement === null ? "" : `, agreement of the views ${agreement.toFixed(3)}`;
    add(facts, "span", "quiet", `document ${id}, expected F1 ${expected.toFixed(3)}${views}`);
    if (others.length) {
      const next = add(item, "details", "", "");
      add(next, "summary", "", `Runner-up: ${spell(others[0][0])}`);
      addPaths(next, "paths others", others);
    }
    if (text.length > SHOWN) {
      const whole = add(item, "details", "", "");
      add(whole, "summary", "", "Full text");
      add(whole, "p", "text", text);
    }
  }

  function showMore() {
    const shown = results.children.length;
    found.slice(shown, shown + PAGE).forEach(show);
    more.hidden = results.children.length >= found.length;
  }

  function search() {
    const wanted = readWords();
    const asked = fields.words.value.toLowerCase().trim();
    const label = fields.class.value === "" ? null : Number(fields.class.value);
    found = [];
    documents.forEach((row, k) => {
      const id = row[0].toLowerCase();
      if (doubtful.checked && !row[5]) return;
      if (label !== null && !row[2].includes(label)) return;
      if (fields.decision.value && row[8] !== fields.decision.value) return;
      if (fields.source.value && row[9] !== fields.source.value) return;
      if (id === asked || wanted.every((word) => searched[k].includes(word) || id === word)) found.push(k);
    });
    if (fields.order.value) found.reverse();
    results.replaceChildren();
    count.textContent = `${found.length} of ${documents.length} documents on this page`;
    showMore();
  }

  // The search is part of the address, so that it can be kept and sent: #words=rake&class=3&doubtful=1
  function readAddress() {
    const asked = new URLSearchParams(location.hash.slice(1));
    if (![...Object.keys(fields), "doubtful"].some((key) => asked.get(key))) return false;
    for (const key in fields) fields[key].value = asked.get(key) || "";
    for (const key in fields) if (fields[key].selectedIndex === -1) fields[key].value = "";
    doubtful.checked = asked.get("doubtful") === "1";
    return true;
  }

  function writeAddress() {
    const asked = new URLSearchParams();
    for (const key in fields) if (fields[key].value) asked.set(key, fields[key].value);
    if (doubtful.checked) asked.set("doubtful", "1");
    history.replaceState(null, "", `#${asked.toString() || "predictions"}`);
  }

  let waiting;
  document.getElementById("filter").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("filter").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { search(); writeAddress(); }, 120);
  });
  more.addEventListener("click", showMore);
  addEventListener("hashchange", () => { if (readAddress()) { search(); document.getElementById("predictions").scrollIntoView(); } });
  const asked = readAddress();
  search();
  if (asked) document.getElementById("predictions").scrollIntoView();
})();
