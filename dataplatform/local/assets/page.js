"use strict";
// Filters the tree by the search text and the chosen component, and shows what a component is tied to.
(() => {
  const search = document.getElementById("search");
  const found = document.getElementById("found");
  const roots = [...document.querySelectorAll("ul.tree > li")];
  let chosen = null;

  function matches(item, text) {
    const own = item.dataset.words.includes(text);
    const children = [...item.querySelectorAll(":scope > ul > li, :scope > details > ul > li")];
    // A component whose own name fits shows all of its resources.
    const below = children.map((child) => matches(child, own ? "" : text)).reduce((a, b) => a + b, 0);
    item.hidden = !own && !below;
    return item.classList.contains("leaf") ? (own ? 1 : 0) + below : below;
  }

  function filter() {
    const text = search.value.trim().toLowerCase();
    let count = 0;
    for (const root of roots) {
      count += matches(root, text);
      if (chosen && root.dataset.urn !== chosen) { root.hidden = true; }
    }
    const shown = [...document.querySelectorAll("ul.tree .leaf")].filter((leaf) => !leaf.closest("[hidden]")).length;
    found.textContent = text || chosen ? `${shown} shown` : "";
  }

  function choose(urn) {
    chosen = chosen === urn ? null : urn;
    for (const box of document.querySelectorAll("[data-component]")) {
      box.classList.toggle("on", box.dataset.component === chosen);
    }
    for (const edge of document.querySelectorAll(".edge[data-from]")) {
      edge.classList.toggle("on", chosen !== null && [edge.dataset.from, edge.dataset.to].includes(chosen));
    }
    filter();
  }

  search.addEventListener("input", filter);
  for (const box of document.querySelectorAll("[data-component]")) {
    box.setAttribute("role", "button");
    box.addEventListener("click", () => choose(box.dataset.component));
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(box.dataset.component); }
    });
  }
})();
