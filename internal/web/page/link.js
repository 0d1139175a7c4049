// How a page hears of changes: from the shared worker, or where there is none from a stream of its own.
import { Stream } from "./stream.js";

export function connect(hear) {
  const base = new URL("./", import.meta.url);
  const asked = new Map();
  let next = 0;
  if (typeof SharedWorker === "undefined") {
    const stream = new Stream(base.href, hear);
    return { token: (t) => stream.use(t), explain: (what, name) => stream.explain(what, name) };
  }
  const { port } = new SharedWorker(new URL("worker.js", base), { type: "module", name: "dovetail" });
  port.onmessage = ({ data }) => {
    if (data.kind !== "explained") return hear(data);
    asked.get(data.of)?.(data.text);
    asked.delete(data.of);
  };
  addEventListener("pagehide", (e) => { if (!e.persisted) port.postMessage({ kind: "leave" }); });
  return {
    token: (token) => port.postMessage({ kind: "token", token }),
    explain: (what, name) => new Promise((done) => {
      asked.set(++next, done);
      port.postMessage({ kind: "explain", id: next, what, name });
    }),
  };
}
