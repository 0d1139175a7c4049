// Searches the pages of the site in the browser: the index is fetched when somebody first types.
import MiniSearch from "./minisearch/index.js";

const input = document.getElementById("search"), list = document.getElementById("found");
const at = document.querySelector("script[data-index]").dataset.index;
let index;

async function load() {
  const search = new MiniSearch({
    fields: ["title", "text"], storeFields: ["title"],
    searchOptions: { boost: { title: 4 }, prefix: true, fuzzy: 0.15, combineWith: "AND" },
  });
  search.addAll(await (await fetch(at)).json());
  return search;
}

async function look() {
  const words = input.value.trim();
  if (!words) return show([]);
  index ||= load();
  const found = (await index).search(words).slice(0, 12);
  if (input.value.trim() === words) show(found, words);
}

function show(found, words) {
  list.replaceChildren(...found.map(({ id, title }) => {
    const item = document.createElement("li"), link = document.createElement("a");
    item.setAttribute("role", "option");
    link.href = id;
    link.textContent = title;
    item.append(link);
    return item;
  }));
  if (words && !found.length) list.textContent = "Nothing has these words.";
  list.hidden = !words;
  input.setAttribute("aria-expanded", String(!list.hidden));
}

function move(by) {
  const links = [...list.querySelectorAll("a")], i = links.indexOf(document.activeElement) + by;
  (links[i] ?? input).focus();
}

input.addEventListener("input", look);
addEventListener("keydown", (e) => {
  const inside = e.target === input || list.contains(e.target);
  if (e.key === "/" && !inside) input.focus();
  else if (inside && e.key === "ArrowDown") move(1);
  else if (inside && e.key === "ArrowUp") move(-1);
  else if (inside && e.key === "Escape") { input.value = ""; show([]); input.blur(); }
  else if (e.target === input && e.key === "Enter") list.querySelector("a")?.click();
  else return;
  e.preventDefault();
});
