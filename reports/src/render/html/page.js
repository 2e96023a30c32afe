"use strict";
(() => {
  const root = document.documentElement;

  // Theme: that of the system until somebody chooses.
  const button = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const isDark = () => (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
  const label = () => {
    button.textContent = isDark() ? "Light theme" : "Dark theme";
  };
  if (["light", "dark"].includes(stored())) root.dataset.theme = stored();
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* not kept */ }
    label();
  });
  dark.addEventListener("change", label);
  label();

  // Sorting: each column title becomes a button.
  const order = new Intl.Collator("en", { numeric: true }).compare;
  const compare = (a, b) => {
    const [x, y] = [a.dataset.v, b.dataset.v];
    if (x !== undefined && y !== undefined) return Number(x) - Number(y);
    if (x !== undefined || y !== undefined) return x === undefined ? 1 : -1;
    return order(a.textContent, b.textContent);
  };
  for (const table of document.querySelectorAll("table[data-sort]")) {
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    if (body.rows.length < 2) continue;
    heads.forEach((head, at) => {
      const sort = document.createElement("button");
      sort.type = "button";
      sort.append(...head.childNodes);
      head.append(sort);
      sort.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((h) => h.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...body.rows].sort((a, b) => (up ? 1 : -1) * compare(a.cells[at], b.cells[at]));
        body.append(...rows);
      });
    });
  }

  // Filtering: a field above long tables.
  document.querySelectorAll("table[data-filter]").forEach((table, at) => {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < 6) return;
    const bar = document.createElement("p");
    const name = document.createElement("label");
    const field = document.createElement("input");
    const count = document.createElement("output");
    bar.className = "filter";
    field.type = "search";
    field.id = `filter-${at}`;
    name.htmlFor = field.id;
    name.textContent = "Filter rows";
    count.htmlFor = field.id;
    bar.append(name, field, count);
    table.parentElement.before(bar);
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      count.textContent = words.length ? `${shown} of ${rows.length}` : "";
    });
  });

  // Observations are folded: a link to one opens what it is in.
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const folded = target && target.closest("details");
    if (folded && !folded.open) {
      folded.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", reveal);
  reveal();
})();
