// Price against bound over time, with decisions as marks. The list of decisions says the same in words.
import { dollars } from "./format.js";

// label is a time of day, or a day where days are far apart.
const label = (s, span) => new Date(s * 1000).toISOString().slice(...(span > 3 * 86400 ? [5, 10] : span < 600 ? [11, 19] : [11, 16]));

export class Chart {
  constructor() {
    this.element = document.createElement("div");
    this.element.className = "chart";
    this.element.setAttribute("role", "img");
    new ResizeObserver(() => this.plot?.setSize({ width: this.element.clientWidth, height: 230 })).observe(this.element);
  }

  set(series, decisions, at) {
    const last = series[series.length - 1];
    this.element.hidden = !last;
    if (!last) return;
    const points = last && at > last.at ? [...series, { ...last, at }] : series;
    const data = [points.map((p) => Date.parse(p.at) / 1000), points.map((p) => p.perHour), points.map((p) => p.boundPerHour || null)];
    this.marks = decisions.map((d) => ({ t: Date.parse(d.at) / 1000, y: d.afterPerHour, up: d.kind === "opened" }));
    const bound = last.boundPerHour ? ", bound " + dollars(last.boundPerHour) : "";
    this.element.setAttribute("aria-label", `Price over time: now ${dollars(last.perHour)} an hour${bound}, with ${decisions.length} decisions as marks.`);
    if (!this.plot || this.theme !== document.documentElement.dataset.theme) this.make(data);
    else this.plot.setData(data);
  }

  make(data) {
    this.theme = document.documentElement.dataset.theme;
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue("--" + name).trim();
    const font = "12px " + style.getPropertyValue("--font");
    const axis = { stroke: colour("soft"), font, grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 } };
    const step = uPlot.paths.stepped({ align: 1 });
    this.plot?.destroy();
    this.plot = new uPlot({
      width: this.element.clientWidth || 800, height: 230, tzDate: (s) => uPlot.tzDate(new Date(s * 1000), "UTC"),
      cursor: { y: false, points: { size: 7 } }, padding: [12, 8, 0, 4],
      scales: { y: { range: (_, min, max) => [0, (max || 1) * 1.12] } },
      axes: [{ ...axis, values: (u, v) => v.map((s) => label(s, u.scales.x.max - u.scales.x.min)) }, { ...axis, size: 64, values: (_, v) => v.map((n) => "$" + n.toLocaleString("en-US", { maximumFractionDigits: 4 })) }],
      series: [{}, { label: "price", stroke: colour("fill"), width: 2, fill: colour("fill") + "22", paths: step, points: { show: false } },
        { label: "bound", stroke: colour("bound"), width: 2, dash: [6, 5], paths: step, spanGaps: false, points: { show: false } }],
      hooks: { draw: [(u) => this.decorate(u, colour)] },
    }, data, this.element);
  }

  decorate(u, colour) {
    const c = u.ctx, size = 5.5 * devicePixelRatio;
    const drawn = {}; // by direction: how far to the left the last one is; the list of decisions has those in between
    for (const m of this.marks) {
      if (m.t < u.scales.x.min || m.t > u.scales.x.max) continue;
      const x = u.valToPos(m.t, "x", true), y = u.valToPos(m.y, "y", true), d = m.up ? -1 : 1;
      if (drawn[d] - x < 2 * size) continue;
      drawn[d] = x;
      c.beginPath();
      c.moveTo(x, y + d * size);
      c.lineTo(x - size, y - d * size * 0.7);
      c.lineTo(x + size, y - d * size * 0.7);
      c.closePath();
      c.fillStyle = colour(m.up ? "accent" : "going");
      c.fill();
    }
  }
}
