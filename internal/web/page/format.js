// Figures as people read them. The server reckons; nothing is added up here that it has not added up.

export const hours = 730; // in a month, as price lists reckon

export const dollars = (n, digits = 4) => (n < 0 ? "−$" : "$") + Math.abs(n).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
export const perHour = (n) => dollars(n, Math.abs(n) >= 100 ? 2 : 4) + "/h";
export const perMonth = (n) => dollars(n * hours, 2) + "/month";
export const change = (n) => (n > 0 ? "+" : n < 0 ? "" : "±") + dollars(n) + "/h";
export const price = (m) => (m.priceFrom ? dollars(m.pricePerHour) : "unknown");
export const plural = (n, thing) => `${n.toLocaleString("en-US")} ${thing}${n === 1 ? "" : "s"}`;

export function age(since, now) {
  if (!since) return "–";
  const s = Math.max(0, (Date.parse(now) - Date.parse(since)) / 1000);
  if (s < 120) return Math.floor(s) + " s";
  if (s < 7200) return Math.floor(s / 60) + " min";
  if (s < 172800) return Math.floor(s / 3600) + " h";
  return Math.floor(s / 86400) + " d";
}

export const clock = (at) => new Date(at).toISOString().slice(11, 19);
export const moment = (at) => new Date(at).toISOString().replace("T", " ").slice(0, 19) + " UTC";

export const use = (m, resource) => (m.use || []).find((u) => u.resource === resource) || { used: 0, of: 0 };
export const share = (u) => (u.of > 0 ? u.used / u.of : 0);
export const percent = (x) => Math.round(100 * x) + "\u00a0%";
// fullness is the share of what runs out first.
export const fullness = (m) => Math.min(1, Math.max(share(use(m, "cpu")), share(use(m, "memory"))));

export function amount(resource, n) {
  if (resource === "cpu") return (n / 1000).toLocaleString("en-US", { maximumFractionDigits: 2 }) + " cores";
  if (resource.includes("memory") || resource.includes("storage")) return (n / 2 ** 30).toLocaleString("en-US", { maximumFractionDigits: 1 }) + " GiB";
  return n.toLocaleString("en-US");
}

const coming = new Set(["planned", "launching", "launched", "registered"]);
const going = new Set(["disrupting", "draining", "terminating"]);
// stage is how a machine is drawn: nothing is told by colour alone.
export const stage = (m) => (coming.has(m.phase) ? "coming" : going.has(m.phase) ? "going" : m.phase === "not ready" ? "broken" : "here");

export function reason(m) {
  if (!m.why) return "–";
  const left = m.leftNanoseconds ? ` (${Math.round(m.leftNanoseconds / 1e9)} s left)` : "";
  return m.why + left;
}
