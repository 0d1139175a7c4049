// Puts link, model and views together: routes, keys, themes, and what happens when nobody answers.
import { $, h, show } from "./dom.js";
import { age, moment } from "./format.js";
import { connect } from "./link.js";
import { apply, empty } from "./model.js";
import { decided, health, nodeDetails, Nodes, Overview, pending, pools } from "./views.js";

const model = empty();
const routes = [["overview", "Overview"], ["nodes", "Nodes"], ["pending", "Pending"], ["decisions", "Decisions"], ["pools", "Pools"], ["health", "Health"]];
const kept = {}; // views that hold state, by route
let link = null, dirty = false, trouble = "", asked = "";

const ui = {
  async pod(p) {
    await answer("pod", p.pod, p.pod, h("p", { class: "why" }, p.why));
  },
  async node(m) {
    await answer("node", m.name, m.name, ...nodeDetails(m, model));
  },
};

// answer opens the details, and adds what the server says in words once it has.
async function answer(what, name, title, ...content) {
  const words = h("pre", { tabindex: "0" }, "Asking…");
  asked = name;
  show($("details"), title, ...content, h("h3", {}, what === "pod" ? "Every alternative, and what would help" : "In words, and what would free it"), words);
  const text = await link.explain(what, name).catch(String);
  if (asked === name) words.textContent = text;
}

const route = () => routes.find(([r]) => "#" + r === location.hash)?.[0] || "overview";

function tabs() {
  const at = route(), waiting = (model.parts.pending || []).length;
  const sick = (model.parts.loops || []).filter((l) => !l.healthy).length;
  $("tabs").replaceChildren(...routes.map(([r, title]) => {
    const count = { nodes: model.nodes.size, pending: waiting, health: sick }[r];
    return h("li", {}, h("a", { href: "#" + r, "aria-current": r === at ? "page" : null }, title,
      count ? h("span", { class: "count" + (r !== "nodes" ? " warn" : "") }, count.toLocaleString("en-US")) : null));
  }));
}

const views = { overview: () => new Overview(ui), nodes: () => new Nodes(ui) };
const plain = { pending, decisions: decided, pools, health };

function draw() {
  dirty = false;
  if (!model.ready) return;
  const at = route();
  const focused = document.activeElement?.closest("#tabs") ? document.activeElement.getAttribute("href") : null;
  tabs();
  if (focused) document.querySelector(`#tabs a[href="${focused}"]`)?.focus();
  $("source").textContent = model.parts.source || "";
  const said = [trouble, model.parts.trouble].filter(Boolean).join("; ");
  $("trouble").hidden = !said;
  $("trouble").textContent = said;
  if (views[at]) {
    kept[at] ||= views[at]();
    if ($("view").firstChild !== kept[at].element) $("view").replaceChildren(kept[at].element);
    kept[at].set(model);
    return;
  }
  const opened = [...document.querySelectorAll("details[open][data-id]")].map((d) => d.dataset.id);
  $("view").replaceChildren(plain[at](model, ui));
  for (const d of document.querySelectorAll("details[data-id]")) d.open = opened.includes(d.dataset.id);
}

// soon draws once before the next frame, and not at all while nobody looks.
function soon() {
  if (dirty) return;
  dirty = true;
  if (!document.hidden) requestAnimationFrame(() => { const t = performance.now(); draw(); performance.measure("draw", { start: t }); });
}

function pulse() {
  const live = $("live"), quiet = (Date.now() - model.heard) / 1000;
  const text = !model.ready ? "connecting" : quiet > 5 ? `no news for ${age(new Date(model.heard).toISOString(), new Date().toISOString())}` : "live";
  live.className = "live" + (text === "live" ? "" : quiet > 5 && model.ready ? " lost" : " old");
  if (live.textContent !== text) live.textContent = text;
  live.title = model.at ? "as of " + moment(model.at) : "";
}

function hear(message) {
  switch (message.kind) {
    case "change":
      apply(model, message.change);
      model.heard = Date.now();
      trouble = "";
      soon();
      break;
    case "beat":
      model.at = message.at;
      model.heard = Date.now();
      if (trouble) { trouble = ""; soon(); }
      break;
    case "lost":
      trouble = model.ready ? "The server does not answer; shown is what was seen last." : "";
      if (!model.ready) $("view").replaceChildren(h("p", { class: "empty" }, "The server does not answer: " + message.why));
      soon();
      break;
    case "refused":
      askToken(message);
      break;
  }
  pulse();
}

// askToken asks for who one is. The token is kept in memory, and nowhere else.
function askToken({ code, why }) {
  const input = h("input", { type: "password", id: "token-input", autocomplete: "off", spellcheck: "false", "aria-describedby": "token-why" });
  const form = h("form", { onsubmit: (e) => { e.preventDefault(); link.token(input.value.trim()); $("token").close(); } },
    h("p", { class: "tools" }, h("label", { for: "token-input" }, "Token"), input, h("button", { class: "primary" }, "Look")));
  show($("token"), code === 403 ? "You may not look" : "Who are you?", h("p", { id: "token-why" }, why),
    h("p", { class: "why" }, "Whoever may list nodes and pods may look. For a token: "), h("pre", { tabindex: "0" }, "kubectl create token ACCOUNT"), form);
  input.focus();
}

const themes = ["auto", "light", "dark"];
const dark = matchMedia("(prefers-color-scheme: dark)");
function theme(chosen) {
  const now = chosen || localStorage.getItem("theme") || "auto";
  localStorage.setItem("theme", now);
  document.documentElement.dataset.theme = now === "auto" ? (dark.matches ? "dark" : "light") : now;
  $("theme").textContent = { auto: "◐", light: "☀", dark: "☾" }[now];
  $("theme").setAttribute("aria-label", `Theme: ${now}`);
  $("theme").title = `Theme: ${now}`;
  soon();
}

// go shows a view and has the keyboard land where somebody wants to type. The browser tells of a new address later,
// and then of each that it went through, so the wish holds until another view is shown.
let landing = {};
function go(at, id) {
  landing = { at, id };
  if (location.hash === "#" + at) arrive();
  else location.hash = at;
}

function arrive() {
  draw();
  if (landing.at !== route()) landing = { id: "main" };
  ($(landing.id) ?? $("main")).focus({ preventScroll: true });
  scrollTo(0, 0);
}

const keys = [...routes.map(([r, title], i) => [String(i + 1), title, () => { location.hash = r; }]),
  ["/", "Filter nodes", () => go("nodes", "filter")],
  ["t", "Next theme", () => theme(themes[(themes.indexOf(localStorage.getItem("theme") || "auto") + 1) % 3])],
  ["?", "These keys", () => help()]];

function help() {
  show($("keys"), "Keys", h("dl", { class: "facts" }, [...keys, ["Esc", "Close"], ["Arrows", "From node to node in the picture"], ["Enter", "Open it"]]
    .map(([k, what]) => h("div", {}, h("dt", {}, h("kbd", {}, k)), h("dd", {}, what)))));
}

addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input") || document.querySelector("dialog[open]")) return;
  const found = keys.find(([k]) => k === e.key);
  if (found) { e.preventDefault(); found[2](); }
});
addEventListener("hashchange", arrive);
document.addEventListener("visibilitychange", () => { if (!document.hidden && dirty) draw(); });
dark.addEventListener("change", () => theme());
$("theme").addEventListener("click", () => keys.find(([k]) => k === "t")[2]());
$("help").addEventListener("click", help);
for (const d of document.querySelectorAll("dialog")) d.addEventListener("click", (e) => { if (e.target === d) d.close(); });
theme();
setInterval(pulse, 1000);
link = connect(hear);
