// What is shown: each view is a function of the model. A view that holds state of its own is kept and handed the next model.
import { Chart } from "./chart.js";
import { facts, h, table } from "./dom.js";
import {
  age, amount, change, clock, dollars, fullness, moment, percent, perHour, perMonth, plural, price, reason, share, stage, use,
} from "./format.js";
import { Treemap, tree } from "./treemap.js";

const pill = (m) => h("span", { class: "pill " + stage(m) }, m.phase);
const bar = (x) => [h("span", { class: "bar", "aria-hidden": "true" }, h("i", { share: Math.min(100, 100 * x) + "%" })), percent(x)];
const none = (text) => h("p", { class: "empty" }, text);
const list = (model) => [...model.nodes.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));

function tiles(model) {
  const m = model.parts.money || {};
  const least = m.unpriced ? "≥ " : "";
  const saved = m.thought && m.poolsPerHour > 0 ? Math.max(0, 1 - m.boundPerHour / m.poolsPerHour) : 0;
  const tile = (label, figure, small, note) => h("div", { class: "card tile" }, h("p", { class: "label" }, label),
    h("p", { class: "figure" }, figure, small && h("small", {}, " " + small)), h("p", { class: "note" }, note));
  const waiting = (model.parts.pending || []).length;
  const stuck = (model.parts.pending || []).filter((p) => p.verdict === "unplaced").length;
  return h("div", { class: "grid tiles" },
    tile("Price", least + dollars(m.perHour || 0, 2), "an hour", least + perMonth(m.perHour || 0)),
    tile("Bound", m.thought ? dollars(m.boundPerHour, 2) : "–", m.thought && "an hour",
      m.thought ? (saved > 0.0005 ? `at most ${(100 * saved).toFixed(1)} % could still be saved` : "nothing is left to save") : "nobody has worked it out yet"),
    tile("Moves would save", m.thought ? dollars(m.savingPerHour, 2) : "–", m.thought && "an hour", plural((model.parts.moves || []).length, "move") + " under way or next"),
    tile("Nodes", (m.nodes || 0).toLocaleString("en-US"), null, [m.underWay ? m.underWay + " going" : "none going",
      m.unpriced ? m.unpriced + " without a known price" : null].filter(Boolean).join(", ")),
    tile("Pods waiting", waiting.toLocaleString("en-US"), null, waiting ? (stuck ? stuck + " without a place" : "all have a place") : "every pod has a node"));
}

function twin(nodes) {
  const rows = tree(nodes).flatMap((pool) => pool.children.flatMap((zone) => zone.children.map((type) => ({ pool, zone, type }))));
  const all = nodes.reduce((s, m) => s + m.pricePerHour, 0);
  const used = (machines, resource) => {
    const sum = machines.map((m) => use(m, resource)).reduce((s, u) => ({ used: s.used + u.used, of: s.of + u.of }), { used: 0, of: 0 });
    return percent(share(sum));
  };
  return table("The fleet by pool, zone and type", [
    { title: "NodePool", cell: (r) => r.pool.name }, { title: "Zone", cell: (r) => r.zone.name }, { title: "Type", cell: (r) => r.type.name },
    { title: "Nodes", num: true, cell: (r) => String(r.type.machines.length) }, { title: "$ an hour", num: true, cell: (r) => dollars(r.type.price) },
    { title: "Of the price", num: true, cell: (r) => (all ? percent(r.type.price / all) : "–") },
    { title: "CPU", num: true, cell: (r) => used(r.type.machines, "cpu") }, { title: "Memory", num: true, cell: (r) => used(r.type.machines, "memory") },
  ], rows);
}

const key = () => h("p", { class: "key" }, h("span", {}, h("i", { class: "swatch used" }), "filled as far as CPU or memory is asked for"),
  h("span", {}, h("i", { class: "swatch coming" }), "coming"), h("span", {}, h("i", { class: "swatch going" }), "going"),
  h("span", {}, h("i", { class: "swatch broken" }), "not ready"));

const chartKey = () => h("p", { class: "key" }, h("span", {}, h("i", { class: "line" }), "price of NodePools’ nodes"), h("span", {}, h("i", { class: "line bound" }), "bound: no fleet for these pods is cheaper"),
  h("span", {}, h("i", { class: "tri" }), "opened"), h("span", {}, h("i", { class: "tri down" }), "given up"));

function moves(model) {
  const all = model.parts.moves || [];
  if (!all.length) return none("Nothing is being moved, and no move would pay now.");
  return h("ul", { class: "plain" }, all.slice(0, 6).map((m) => h("li", {}, h("p", {}, h("span", { class: "pill " + (m.state === "next" ? "" : "going") }, m.state), " ",
    `${m.reason}: ${plural(m.giveUp.length, "node")}`, m.open?.length ? ` → ${m.open.join(", ")}` : "", `, ${plural(m.evicted, "pod")} move`),
    h("p", { class: "when" }, "saves " + perHour(m.savingPerHour)))), all.length > 6 && h("li", {}, `and ${all.length - 6} more`));
}

function waiting(model, ui) {
  const all = model.parts.pending || [];
  if (!all.length) return none("Every pod has a node.");
  return h("ul", { class: "plain" }, all.slice(0, 5).map((p) => h("li", {}, h("button", { type: "button", class: "link", onclick: () => ui.pod(p) }, p.pod),
    h("p", { class: "when" }, p.why))), all.length > 5 && h("li", {}, h("a", { href: "#pending" }, `and ${all.length - 5} more`)));
}

export class Overview {
  constructor(ui) {
    this.ui = ui;
    this.map = new Treemap((m) => ui.node(m));
    this.chart = new Chart();
    this.tiles = h("div");
    this.table = h("div");
    this.twin = h("details", { ontoggle: () => this.fill() }, h("summary", {}, "The same as a table"), this.table);
    this.moves = h("div");
    this.waiting = h("div");
    this.last = h("div");
    this.quiet = none("Nothing has been bought that is remembered here.");
    this.none = none("There are no nodes. They come here once a pod needs one.");
    this.element = h("div", {}, h("h1", { class: "skip" }, "Overview"), this.tiles,
      h("div", { class: "grid two" },
        h("section", { class: "card" }, h("div", { class: "head" }, h("h2", {}, "Fleet"), h("span", { class: "hint" }, "area is price, fill is use; pool, zone, type")), this.none, this.map.element, key(), this.twin),
        h("div", { class: "stack" }, h("section", { class: "card" }, h("h2", {}, "Pods that wait"), this.waiting), h("section", { class: "card" }, h("h2", {}, "Moves"), this.moves))),
      h("section", { class: "card" }, h("div", { class: "head" }, h("h2", {}, "Price over time"), h("span", { class: "hint" }, "dollars an hour, UTC")), this.chart.element, this.quiet, chartKey()),
      h("section", { class: "card last" }, h("div", { class: "head" }, h("h2", {}, "Last decisions"), h("a", { class: "right", href: "#decisions" }, "all of them")), this.last));
    this.element.className = "stack";
  }

  set(model) {
    const nodes = list(model);
    this.tiles.replaceChildren(tiles(model));
    this.none.hidden = nodes.length > 0;
    this.map.element.hidden = nodes.length === 0;
    this.map.set(nodes);
    this.nodes = nodes;
    this.fill();
    this.moves.replaceChildren(moves(model));
    this.waiting.replaceChildren(waiting(model, this.ui));
    this.quiet.hidden = (model.parts.series || []).length > 0;
    this.chart.set(model.parts.series || [], model.parts.decisions || [], model.at);
    this.last.replaceChildren(decisions((model.parts.decisions || []).slice(0, 5)));
  }

  // fill writes the table while it is open.
  fill() {
    this.table.replaceChildren(...(this.twin.open && this.nodes ? [twin(this.nodes)] : []));
  }
}

const most = 250; // rows that are drawn before somebody asks for more

export class Nodes {
  constructor(ui) {
    this.ui = ui;
    this.by = "Price";
    this.down = true;
    this.shown = most;
    this.input = h("input", { type: "search", id: "filter", placeholder: "pool, type, zone, phase, or words of the reason", "aria-label": "Filter nodes", autocomplete: "off",
      oninput: () => { this.shown = most; this.fill(); } });
    this.count = h("span", { class: "hint", role: "status" });
    this.rows = h("div");
    this.element = h("section", { class: "card" }, h("h1", { class: "skip" }, "Nodes"), h("div", { class: "head" }, h("h2", {}, "Nodes, and why each is still here"), this.count),
      h("div", { class: "tools" }, this.input), this.rows);
  }

  set(model) {
    this.model = model;
    this.fill();
  }

  columns() {
    const column = (title, value, cell, more = {}) => ({ title, value, cell, ...more });
    const out = [
      column("Node", (m) => m.name, (m) => h("button", { type: "button", class: "link name", onclick: () => this.ui.node(m) }, m.name)),
      column("Phase", (m) => m.phase, pill), column("Age", (m) => -Date.parse(m.created || 0), (m) => age(m.created, this.model.at), { num: true }),
      column("NodePool", (m) => m.pool || "", (m) => m.pool || "–"), column("Type", (m) => m.instanceType || "", (m) => m.instanceType || "–"),
      column("Zone", (m) => m.zone || "", (m) => m.zone || "–"), column("Capacity", (m) => m.capacityType || "", (m) => m.capacityType || "–"),
      column("Price", (m) => m.pricePerHour, price, { num: true }), column("CPU", (m) => share(use(m, "cpu")), (m) => bar(share(use(m, "cpu")))),
      column("Memory", (m) => share(use(m, "memory")), (m) => bar(share(use(m, "memory")))), column("Pods", (m) => use(m, "pods").used, (m) => String(use(m, "pods").used), { num: true }),
      column("Why", (m) => m.why || "", reason, { cls: "why" }),
    ];
    for (const c of out) {
      c.sort = () => { this.down = this.by === c.title ? !this.down : c.num === true; this.by = c.title; this.fill(); this.rows.querySelector(`[data-sort="${c.title}"]`).focus(); };
      c.sorted = this.by === c.title ? (this.down ? "descending" : "ascending") : null;
    }
    return out;
  }

  fill() {
    const words = this.input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = (m) => [m.name, m.claim, m.pool, m.phase, m.instanceType, m.zone, m.capacityType, m.arch, m.why].join(" ").toLowerCase();
    const nodes = list(this.model).filter((m) => { const t = text(m); return words.every((w) => (w[0] === "!" && w[1] ? !t.includes(w.slice(1)) : t.includes(w))); });
    const columns = this.columns(), by = columns.find((c) => c.title === this.by).value, sign = this.down ? -1 : 1;
    nodes.sort((a, b) => { const x = by(a), y = by(b); return x < y ? -sign : x > y ? sign : 0; });
    this.count.textContent = `${nodes.length.toLocaleString("en-US")} of ${plural(this.model.nodes.size, "node")}`;
    const focused = document.activeElement?.dataset?.sort;
    this.rows.replaceChildren(nodes.length ? table("Nodes", columns, nodes.slice(0, this.shown)) : none(this.model.nodes.size ? "No node has all of these words." : "There are no nodes."),
      ...(nodes.length > this.shown ? [h("button", { type: "button", onclick: () => { this.shown += 4 * most; this.fill(); } }, `Show more (${nodes.length - this.shown} left)`)] : []));
    if (focused) this.rows.querySelector(`[data-sort="${focused}"]`)?.focus();
  }
}

export const pending = (model, ui) => {
  const all = model.parts.pending || [];
  return h("section", { class: "card" }, h("h1", { class: "skip" }, "Pending"), h("div", { class: "head" }, h("h2", {}, "Pods that wait, and why"), h("span", { class: "hint" }, "open one for every alternative and what would help")),
    all.length ? table("Pods that wait", [
      { title: "Pod", cell: (p) => h("button", { type: "button", class: "link name", onclick: () => ui.pod(p) }, p.pod) },
      { title: "Waits", num: true, cell: (p) => age(p.since, model.at) }, { title: "Verdict", cell: (p) => h("span", { class: "pill" + (p.verdict === "unplaced" ? " broken" : "") }, verdicts[p.verdict] || p.verdict) },
      { title: "Why", cls: "why", cell: (p) => p.why }], all.slice(0, most)) : none("Every pod has a node."),
    all.length > most && h("p", { class: "empty" }, `and ${all.length - most} more`));
};

const verdicts = { unplaced: "no place", newNode: "a node is coming", existingNode: "has room", notPlanned: "not planned" };

export function decisions(all) {
  if (!all.length) return none("Nothing has been decided that is remembered here.");
  return h("div", {}, all.map((d) => {
    const up = d.kind === "opened";
    const types = [...new Set(d.claims.map((c) => c.instanceType).filter(Boolean))];
    return h("details", { class: "decision", "data-id": d.id }, h("summary", {}, h("time", { datetime: d.at, class: "hint" }, clock(d.at)),
      h("span", { class: "mark" + (up ? "" : " down"), "aria-hidden": "true" }, up ? "▲" : "▼"),
      h("span", {}, `${up ? "opened" : "gave up"} ${plural(d.claims.length, "node")}${types.length ? " of " + types.slice(0, 3).join(", ") : ""}${types.length > 3 ? " and others" : ""}`,
        h("span", { class: "why" }, " — " + ((up ? "" : "because ") + (d.cause || "nobody said why")) + (d.claims.length > 1 ? " (the first)" : ""))),
      h("span", { class: "delta" }, change(d.changePerHour))),
    h("div", { class: "body" }, facts([["When", moment(d.at)], ["NodePool", d.pool], ["Reason", d.reason], ["Before", perHour(d.beforePerHour)], ["After", perHour(d.afterPerHour)], ["Change", change(d.changePerHour)],
      ["Pods evicted", up ? null : String(d.evicted)], [up ? "In place of" : "Replaced by", d.others?.join(", ")]]),
    table(`Claims of decision ${d.id}`, [{ title: "Claim", cell: (c) => c.claim }, { title: "Type", cell: (c) => c.instanceType || "–" }, { title: "Zone", cell: (c) => c.zone || "–" }, { title: "Capacity", cell: (c) => c.capacityType || "–" },
      { title: "$ an hour", num: true, cell: (c) => (c.pricePerHour ? dollars(c.pricePerHour) : "unknown") }, { title: "Cause", cls: "why", cell: (c) => c.cause || "–" }], d.claims)));
  }));
}

export const decided = (model) => h("section", { class: "card" }, h("h1", { class: "skip" }, "Decisions"),
  h("div", { class: "head" }, h("h2", {}, "Decisions"), h("span", { class: "hint" }, "newest first, UTC; each opens to cause, cost, evictions, before and after")), decisions((model.parts.decisions || []).slice(0, most)));

export const pools = (model) => {
  const all = model.parts.pools || [], reserved = model.parts.reservations || [];
  const budget = (b) => `${b.reason} ${b.trouble ? "unreadable" : b.allowed < 0 ? "any" : Math.max(0, b.allowed - b.going)}`;
  const state = (p) => (p.trouble ? h("span", { class: "sick" }, "launches nothing: " + p.trouble) : p.held ? "held " + p.held : p.outdated ? plural(p.outdated, "node") + " to replace" : "ready");
  return h("div", { class: "stack" }, h("section", { class: "card" }, h("h1", { class: "skip" }, "Pools"), h("div", { class: "head" }, h("h2", {}, "NodePools"), h("span", { class: "hint" }, "limits, what budgets let go now, and rollout")),
    all.length ? table("NodePools", [{ title: "NodePool", cell: (p) => p.name }, { title: "Nodes", num: true, cell: (p) => String(p.nodes) }, { title: "$ an hour", num: true, cell: (p) => dollars(p.perHour) },
      { title: "Limits", cell: (p) => (p.limits?.length ? p.limits.map((l) => h("div", {}, bar(l.max ? l.used / l.max : 0), ` ${l.resource}: ${amount(l.resource, l.used)} of ${amount(l.resource, l.max)}`)) : "none") },
      { title: "May go now", cell: (p) => (p.budgets || []).map(budget).join(", ") || "–" },
      { title: "Rollout", cell: (p) => (p.nodes ? [bar((p.nodes - Math.min(p.nodes, p.outdated || 0)) / p.nodes), " current"] : "–") }, { title: "State", cls: "why", cell: state }], all) : none("There are no NodePools.")),
  h("section", { class: "card" }, h("h2", {}, "Capacity reservations"), reserved.length ? table("Capacity reservations", [{ title: "Reservation", cls: "mono", cell: (r) => r.id }, { title: "Class", cell: (r) => r.class },
    { title: "Type", cell: (r) => r.instanceType }, { title: "Zone", cell: (r) => r.zone }, { title: "Kind", cell: (r) => r.kind }, { title: "State", cell: (r) => r.state }, { title: "Nodes on it", num: true, cell: (r) => String(r.used) },
    { title: "Ends", cell: (r) => (r.ends ? moment(r.ends) : "never") }], reserved) : none("No node class has any.")));
};

export const health = (model) => {
  const all = model.parts.loops || [], missing = model.parts.missing || [], notes = model.parts.notes || [];
  return h("div", { class: "stack" }, h("section", { class: "card" }, h("h1", { class: "skip" }, "Health"), h("div", { class: "head" }, h("h2", {}, "Loops of the controller"), h("span", { class: "hint" }, "since it started")),
    all.length ? h("div", { class: "grid loops" }, all.map((l) => h("div", { class: "card loop" }, h("h3", {}, l.name, h("span", { class: l.healthy ? "well" : "sick" }, l.healthy ? "✓ well" : "✕ failing")),
      facts([["Runs", l.runs.toLocaleString("en-US")], ["Errors", l.errors.toLocaleString("en-US")], ["Waiting", String(l.waiting)], ["Running for", l.longestSecs > 1 ? l.longestSecs.toFixed(1) + " s" : "–"], ["Note", l.note]]))))
      : none("Only the controller's own page knows its loops; this one reads the cluster from outside.")),
  h("section", { class: "card" }, h("h2", {}, "What is missing here"), missing.length + notes.length ? h("ul", { class: "plain" }, [...missing, ...notes].map((t) => h("li", {}, t))) : none("Nothing.")));
};

export const nodeDetails = (m, model) => [
  h("p", { class: "why" }, pill(m), " " + reason(m)),
  facts([["NodePool", m.pool], ["Claim", m.claim], ["Type", m.instanceType], ["Zone", m.zone], ["Capacity", m.capacityType], ["Architecture", m.arch], ["Price", price(m) + (m.priceFrom ? " an hour" : "")], ["Price from", m.priceFrom],
    ["Age", age(m.created, model.at)], ["In this phase", m.since ? age(m.since, model.at) : null], ["Fullest", percent(fullness(m))]]),
  h("h3", {}, "Asked for"), h("ul", { class: "plain" }, (m.use || []).map((u) => h("li", {}, bar(share(u)), ` ${u.resource}: ${amount(u.resource, u.used)} of ${u.of ? amount(u.resource, u.of) : "an unknown amount"}`))),
  h("h3", {}, plural((m.pods || []).length, "pod")), m.pods?.length ? h("ul", { class: "plain mono" }, m.pods.slice(0, 200).map((p) => h("li", {}, p)), m.pods.length > 200 && h("li", {}, `and ${m.pods.length - 200} more`)) : none("None."),
];
