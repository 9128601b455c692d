// Search and filter over the documents that the page holds. Everything is written as text, never as HTML.
(() => {
  "use strict";
  const PAGE = 20;
  const { names, documents } = JSON.parse(document.getElementById("packed").textContent);
  const words = document.getElementById("words");
  const classes = document.getElementById("class");
  const doubtful = document.getElementById("only-doubtful");
  const order = document.getElementById("order");
  const count = document.getElementById("count");
  const results = document.getElementById("results");
  const more = document.getElementById("more");

  const spell = (path) => path.map((c) => names[c]).join(" > ");
  const searched = documents.map(([, text, labels]) =>
    [text, ...labels.map((c) => names[c])].join("\n").toLowerCase());
  let found = [];

  function add(parent, tag, className, text) {
    const element = parent.appendChild(document.createElement(tag));
    element.className = className;
    element.textContent = text;
    return element;
  }

  function show(position) {
    const [id, text, , paths, scores, , expected, agreement] = documents[position];
    const item = add(results, "li", "document", "");
    add(item, "p", "text", text);
    const list = add(item, "ul", "paths", "");
    paths.forEach((path, k) => add(add(list, "li", "", `${spell(path)} `), "span", "score", scores[k].toFixed(3)));
    if (!paths.length) add(list, "li", "", "no class");
    const views = agreement === null ? "" : `, agreement of the views ${agreement.toFixed(3)}`;
    add(item, "p", "quiet", `document ${id}, expected F1 ${expected.toFixed(3)}${views}`);
  }

  function showMore() {
    const shown = results.children.length;
    found.slice(shown, shown + PAGE).forEach(show);
    more.hidden = results.children.length >= found.length;
  }

  function search() {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const label = classes.value === "" ? null : Number(classes.value);
    found = [];
    documents.forEach((row, k) => {
      if (doubtful.checked && !row[5]) return;
      if (label !== null && !row[2].includes(label)) return;
      if (wanted.every((word) => searched[k].includes(word) || row[0].toLowerCase() === word)) found.push(k);
    });
    if (order.value) found.reverse();
    results.replaceChildren();
    count.textContent = `${found.length} of ${documents.length} documents on this page`;
    showMore();
  }

  // The search is part of the address, so that it can be kept and sent: #words=rake&class=3&doubtful=1
  function readAddress() {
    const asked = new URLSearchParams(location.hash.slice(1));
    if (!["words", "class", "order", "doubtful"].some((key) => asked.get(key))) return false;
    words.value = asked.get("words") || "";
    classes.value = asked.get("class") || "";
    order.value = asked.get("order") || "";
    doubtful.checked = asked.get("doubtful") === "1";
    return true;
  }

  function writeAddress() {
    const asked = new URLSearchParams();
    if (words.value) asked.set("words", words.value);
    if (classes.value) asked.set("class", classes.value);
    if (order.value) asked.set("order", order.value);
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
