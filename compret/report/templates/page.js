"use strict";
// tables: click a heading to sort, type to filter
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const key = (row, i) => {
    const cell = row.cells[i];
    return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent.trim();
  };
  heads.forEach((head, i) => head.firstElementChild.addEventListener("click", () => {
    const falling = head.getAttribute("aria-sort") === "descending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", falling ? "ascending" : "descending");
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [key(a, i), key(b, i)];
      if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1; // what has no number stands last
      const order = typeof x === "number" ? x - y : x.localeCompare(y, "en", { numeric: true });
      return falling ? order : -order;
    });
    body.append(...rows);
  }));
  if (body.rows.length > 5) {
    const input = document.createElement("input");
    input.type = "search";
    input.className = "filter";
    input.placeholder = "filter rows";
    input.setAttribute("aria-label", "filter rows of " + table.closest("figure").querySelector("figcaption").textContent);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/);
      for (const row of body.rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
    });
    table.parentElement.before(input);
  }
}
// examples: pairs with the scores of every system
const stored = document.getElementById("pairs");
if (stored) {
  const { systems, pairs } = JSON.parse(stored.textContent);
  const at = (id) => document.getElementById(id);
  const make = (name, text, parent) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (parent) parent.append(made);
    return made;
  };
  const fill = (select, values) => {
    select.replaceChildren();
    for (const value of ["", ...new Set(values)]) make("option", value || "all", select).value = value;
  };
  // words of one text that the other has not, by the longest common subsequence
  const marked = (mine, other, parent) => {
    const [a, b] = [mine, other].map((text) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) || []);
    const [x, y] = [a, b].map((words) => words.map((word) => word.toLowerCase()));
    const common = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
    for (let i = a.length - 1; i >= 0; i--) for (let j = b.length - 1; j >= 0; j--)
      common[i][j] = x[i] === y[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
    for (let i = 0, j = 0; i < a.length; i++) {
      while (j < b.length && x[i] !== y[j] && common[i][j + 1] >= common[i + 1][j]) j++;
      if (j < b.length && x[i] === y[j]) { parent.append(a[i]); j++; }
      else if (a[i].trim()) make("mark", a[i], parent);
      else parent.append(a[i]);
    }
  };
  let shown = [], place = 0;
  const open = (i, move) => {
    if (!shown.length) { at("example").replaceChildren(); at("place").textContent = "no example"; return; }
    place = (i + shown.length) % shown.length;
    const pair = shown[place], article = at("example");
    article.replaceChildren();
    at("place").textContent = `${place + 1} of ${shown.length}`;
    make("p", `${pair.label ? "paraphrase" : "near-miss"}, ${pair.category}, ${pair.set}`, article).className = "note";
    marked(pair.anchor, pair.candidate, make("p", undefined, article));
    marked(pair.candidate, pair.anchor, make("p", undefined, article));
    const table = make("table", undefined, article), head = make("tr", undefined, make("thead", undefined, table));
    for (const text of ["system", "score", "place among all", ""]) make("th", text, head).scope = "col";
    const body = make("tbody", undefined, table);
    systems.forEach((system, k) => {
      if (pair.scores[k] === null) return;
      const row = make("tr", undefined, body);
      make("th", system, row).scope = "row";
      make("td", pair.scores[k].toFixed(3), row);
      make("td", pair.places[k].toFixed(2), row);
      const bar = make("span", undefined, make("td", undefined, row));
      bar.className = "bar";
      bar.style.width = 8 * pair.places[k] + "rem";
    });
    [...at("list").children].forEach((item, k) => item.firstElementChild.setAttribute("aria-current", String(k === place)));
    if (move) at("list").children[place].firstElementChild.scrollIntoView({ block: "nearest" });
  };
  const choose = () => {
    const [set, category, label] = ["of-set", "of-category", "of-label"].map((id) => at(id).value);
    const words = at("of-words").value.toLowerCase().split(/\s+/);
    shown = pairs.filter((pair) =>
      (!set || pair.set === set) && (!category || pair.category === category) && (!label || String(pair.label) === label) &&
      words.every((word) => (pair.anchor + " " + pair.candidate).toLowerCase().includes(word)));
    at("list").replaceChildren();
    shown.forEach((pair, i) => {
      const button = make("button", `${pair.anchor} | ${pair.candidate}`, make("li", undefined, at("list")));
      button.type = "button";
      button.addEventListener("click", () => open(i));
    });
    open(0);
  };
  fill(at("of-set"), pairs.map((pair) => pair.set));
  fill(at("of-category"), pairs.map((pair) => pair.category).sort());
  at("browse").addEventListener("input", choose);
  at("browse").addEventListener("submit", (event) => event.preventDefault());
  at("previous").addEventListener("click", () => open(place - 1, true));
  at("next").addEventListener("click", () => open(place + 1, true));
  choose();
}
