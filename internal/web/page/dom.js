// Elements from code. Text is always text: nothing here reads markup out of data.

export function h(tag, attributes, ...children) {
  const out = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) out.addEventListener(key.slice(2), value);
    else if (key === "share") out.style.setProperty("width", value);
    else out.setAttribute(key, value === true ? "" : value);
  }
  out.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return out;
}

export const $ = (id) => document.getElementById(id);

// table makes one that can be scrolled sideways with the keyboard. columns: {title, cell, num?, cls?}; the first is the row's name.
export function table(label, columns, rows) {
  const head = h("tr", {}, columns.map((c) => h("th", { scope: "col", class: c.num ? "num" : null, "aria-sort": c.sorted },
    c.sort ? h("button", { type: "button", onclick: c.sort, "data-sort": c.title }, c.title) : c.title)));
  const body = rows.map((row) => h("tr", {}, columns.map((c, i) => h(i ? "td" : "th",
    { scope: i ? null : "row", class: [c.num && "num", c.cls].filter(Boolean).join(" ") || null }, c.cell(row)))));
  return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": label },
    h("table", {}, h("thead", {}, head), h("tbody", {}, body)));
}

export const facts = (list) => h("dl", { class: "facts" }, list.filter(([, v]) => v !== null && v !== undefined && v !== "")
  .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));

export function show(dialog, title, ...content) {
  const id = dialog.id + "-title";
  dialog.replaceChildren(h("button", { type: "button", class: "close", onclick: () => dialog.close(), "aria-label": "Close" }, "Close"),
    h("h2", { id }, title), ...content);
  if (!dialog.open) dialog.showModal();
}
