// The fleet as boxes: pools hold zones, zones hold types, types hold machines. Area is price, fill is use.
import { dollars, fullness, percent, perHour, plural, price, reason, stage } from "./format.js";

// tree groups machines; what nobody knows the price of gets the least price of the others, so that it can be seen.
export function tree(nodes) {
  const least = Math.min(...nodes.filter((m) => m.pricePerHour > 0).map((m) => m.pricePerHour), Infinity);
  const root = new Map();
  for (const m of nodes) {
    let at = root;
    for (const name of [m.pool || "no NodePool", m.zone || "no zone yet"]) {
      if (!at.has(name)) at.set(name, new Map());
      at = at.get(name);
    }
    const type = [m.instanceType || "no type yet", m.capacityType || ""].join(" ").trim();
    if (!at.has(type)) at.set(type, []);
    at.get(type).push(m);
  }
  const group = (name, value) => {
    const children = value instanceof Map ? [...value].map(([n, v]) => group(n, v)) : null;
    const machines = children ? children.flatMap((c) => c.machines) : value;
    const sum = machines.reduce((s, m) => s + m.pricePerHour, 0);
    const area = machines.reduce((s, m) => s + (m.pricePerHour || (least === Infinity ? 1 : least)), 0);
    children?.sort((a, b) => b.area - a.area || (a.name < b.name ? -1 : 1));
    return { name, children, machines, price: sum, area };
  };
  return group("fleet", root).children;
}

// squarify lays areas into a rectangle so that boxes are as square as they can be.
export function squarify(items, x, y, w, h) {
  const total = items.reduce((s, i) => s + i.area, 0);
  const out = [];
  if (!total || w <= 0 || h <= 0) return out;
  const scale = (w * h) / total;
  let rest = items.map((item) => ({ item, area: item.area * scale }));
  const worst = (row, side) => {
    const sum = row.reduce((s, r) => s + r.area, 0);
    return Math.max(...row.map((r) => Math.max((side * side * r.area) / (sum * sum), (sum * sum) / (side * side * r.area))));
  };
  while (rest.length) {
    const side = Math.min(w, h);
    let n = 1;
    while (n < rest.length && worst(rest.slice(0, n + 1), side) <= worst(rest.slice(0, n), side)) n++;
    const row = rest.slice(0, n);
    rest = rest.slice(n);
    const thick = row.reduce((s, r) => s + r.area, 0) / side;
    let along = 0;
    for (const r of row) {
      const long = r.area / thick;
      out.push(w >= h ? { item: r.item, x, y: y + along, w: thick, h: long } : { item: r.item, x: x + along, y, w: long, h: thick });
      along += long;
    }
    if (w >= h) { x += thick; w -= thick; } else { y += thick; h -= thick; }
  }
  return out;
}

// tiles puts n equal boxes into a rectangle, in as square a grid as there is.
function tiles(machines, x, y, w, h) {
  const n = machines.length;
  let best = 1, score = Infinity;
  for (let columns = 1; columns <= n; columns++) {
    const rows = Math.ceil(n / columns);
    const bad = Math.abs(Math.log((w / columns) / (h / rows))) + 0.6 * (columns * rows - n) / n;
    if (bad < score) { score = bad; best = columns; }
    if (columns > 400) break;
  }
  const rows = Math.ceil(n / best);
  return machines.map((m, i) => ({ m, x: x + (i % best) * (w / best), y: y + Math.floor(i / best) * (h / rows), w: w / best, h: h / rows }));
}

export class Treemap {
  constructor(open) {
    this.open = open;
    this.boxes = [];
    this.picked = -1;
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.hidden = true;
    this.said = document.createElement("p");
    this.said.className = "skip";
    this.said.setAttribute("aria-live", "polite");
    this.element = document.createElement("div");
    this.element.className = "map";
    this.element.append(this.canvas, this.tip, this.said);
    this.canvas.addEventListener("pointermove", (e) => this.hover(e));
    this.canvas.addEventListener("pointerleave", () => this.pick(-1));
    this.canvas.addEventListener("click", () => this.boxes[this.picked] && this.open(this.boxes[this.picked].m));
    this.canvas.addEventListener("keydown", (e) => this.key(e));
    // Once the key is up again: what opens must not take it for its own.
    this.canvas.addEventListener("keyup", (e) => e.key === "Enter" && this.boxes[this.picked] && this.open(this.boxes[this.picked].m));
    this.canvas.addEventListener("blur", () => this.pick(-1));
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  set(nodes) {
    this.nodes = nodes;
    this.groups = tree(nodes);
    const list = this.groups.map((g) => `${g.name} ${plural(g.machines.length, "node")} ${perHour(g.price)}`).join(", ");
    this.canvas.setAttribute("aria-label", `The fleet as boxes: ${list}. Arrow keys go from node to node, Enter opens one. The table below says the same.`);
    this.draw();
  }

  hover(e) {
    const at = this.canvas.getBoundingClientRect();
    const x = e.clientX - at.left, y = e.clientY - at.top;
    this.pick(this.boxes.findIndex((b) => x >= b.x && x < b.x + b.w && y >= b.y && y < b.y + b.h));
  }

  key(e) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
    if (step && this.boxes.length) {
      e.preventDefault();
      this.pick((this.picked + step + this.boxes.length) % this.boxes.length, true);
    }
    if (e.key === "Escape") this.pick(-1);
  }

  pick(i, aloud) {
    if (i === this.picked) return;
    this.picked = i;
    this.draw();
    const box = this.boxes[i];
    this.tip.hidden = !box;
    if (!box) return;
    const m = box.m;
    const text = `${m.instanceType || "no type yet"} in ${m.zone || "no zone yet"}, ${m.capacityType || "?"}, ${price(m)} an hour, ${percent(fullness(m))} used, ${m.phase}. ${reason(m)}`;
    const name = document.createElement("b");
    name.textContent = m.name;
    this.tip.replaceChildren(name, text);
    const width = this.canvas.clientWidth;
    this.tip.style.left = Math.max(0, Math.min(box.x + box.w / 2 - 120, width - 300)) + "px";
    this.tip.style.top = box.y + box.h + 8 > 380 ? "auto" : box.y + box.h + 8 + "px";
    this.tip.style.bottom = box.y + box.h + 8 > 380 ? this.canvas.clientHeight - box.y + 8 + "px" : "auto";
    if (aloud) this.said.textContent = m.name + ": " + text;
  }

  draw() {
    const w = this.canvas.clientWidth, h = this.canvas.clientHeight, ratio = devicePixelRatio || 1;
    if (!w || !this.groups) return;
    this.canvas.width = w * ratio;
    this.canvas.height = h * ratio;
    const c = this.canvas.getContext("2d");
    c.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const known = {}; // reading a style takes longer than drawing a box
    const colour = (name) => (known[name] ??= style.getPropertyValue("--" + name).trim());
    this.pen = { c, colour, font: style.getPropertyValue("--font") };
    this.boxes = [];
    for (const pool of squarify(this.groups, 0, 0, w, h)) this.pool(pool);
    this.mark(this.boxes[this.picked]);
  }

  label(text, x, y, width, size, weight, colour) {
    const { c, font } = this.pen;
    c.font = `${weight} ${size}px ${font}`;
    c.fillStyle = colour;
    c.textBaseline = "middle";
    let cut = text;
    while (cut && c.measureText(cut + (cut === text ? "" : "…")).width > width) cut = cut.slice(0, -1);
    if (cut.length > 2 || cut === text) c.fillText(cut === text ? cut : cut.trimEnd() + "…", x, y);
  }

  pool(r) {
    const { c, colour } = this.pen;
    const gap = 3, x = r.x + gap, y = r.y + gap, w = r.w - 2 * gap, h = r.h - 2 * gap;
    c.fillStyle = colour("bg");
    round(c, x, y, w, h, 8);
    c.fill();
    const head = h > 56 && w > 60 ? 26 : 4;
    if (head > 4) {
      const sum = dollars(r.item.price, 2) + "/h";
      this.label(r.item.name, x + 10, y + 14, w - 90, 13, 620, colour("ink"));
      if (w > 150) {
        c.textAlign = "right";
        this.label(sum, x + w - 10, y + 14, 80, 12, 450, colour("soft"));
        c.textAlign = "left";
      }
    }
    for (const zone of squarify(r.item.children, x + 4, y + head, w - 8, h - head - 4)) this.zone(zone);
  }

  zone(r) {
    const { colour } = this.pen;
    const head = r.h > 48 && r.w > 70 ? 18 : 0;
    if (head) this.label(r.item.name, r.x + 6, r.y + 10, r.w - 12, 11, 500, colour("soft"));
    for (const type of squarify(r.item.children, r.x + 2, r.y + head, r.w - 4, r.h - head - 2)) this.type(type);
  }

  type(r) {
    const { colour } = this.pen;
    const x = r.x + 2, y = r.y + 2, w = r.w - 4, h = r.h - 4;
    if (w < 1 || h < 1) return;
    const head = h > 40 && w > 54 ? 17 : 0;
    const count = r.item.machines.length;
    if (head) this.label(r.item.name + (count > 1 ? ` ×${count}` : ""), x + 3, y + 8, w - 6, 11, 520, colour("ink"));
    const boxes = tiles(r.item.machines, x, y + head, w, h - head);
    boxes.forEach((b) => this.machine(b));
    this.boxes.push(...boxes);
  }

  machine(b) {
    const { c, colour } = this.pen;
    const pad = Math.min(b.w, b.h) > 9 ? 1.25 : 0.4;
    const x = b.x + pad, y = b.y + pad, w = b.w - 2 * pad, h = b.h - 2 * pad;
    if (w <= 0 || h <= 0) return;
    const how = stage(b.m);
    c.save();
    round(c, x, y, w, h, Math.min(4, w / 4, h / 4));
    c.clip();
    c.fillStyle = colour(how === "going" ? "going-soft" : how === "coming" ? "card" : "room");
    c.fillRect(x, y, w, h);
    const full = fullness(b.m) * h;
    c.fillStyle = colour(how === "going" ? "going" : "fill");
    if (how === "going") hatch(c, x, y + h - full, w, full, colour("going"));
    else if (how !== "coming") c.fillRect(x, y + h - full, w, full);
    c.restore();
    if (how === "coming" || how === "broken") {
      c.strokeStyle = colour(how);
      c.lineWidth = how === "broken" ? 2 : 1.25;
      c.setLineDash(how === "coming" ? [3, 3] : []);
      round(c, x + 1, y + 1, w - 2, h - 2, Math.min(4, w / 4));
      c.stroke();
      c.setLineDash([]);
    }
  }

  mark(b) {
    if (!b) return;
    const { c, colour } = this.pen;
    c.strokeStyle = colour("ink");
    c.lineWidth = 2.5;
    round(c, b.x, b.y, b.w, b.h, 4);
    c.stroke();
  }
}

function round(c, x, y, w, h, r) {
  c.beginPath();
  c.roundRect(x, y, Math.max(0, w), Math.max(0, h), Math.max(0, r));
}

function hatch(c, x, y, w, h, colour) {
  c.save();
  c.beginPath();
  c.rect(x, y, w, h);
  c.clip();
  c.strokeStyle = colour;
  c.lineWidth = 2;
  for (let i = -h; i < w; i += 5) {
    c.beginPath();
    c.moveTo(x + i, y + h);
    c.lineTo(x + i + h, y);
    c.stroke();
  }
  c.restore();
}
