// All tabs of a browser share one stream, since browsers open six connections to a server and no more.
import { Stream } from "./stream.js";
import { whole } from "./model.js";

const ports = new Set();
const stream = new Stream(self.location.href.replace(/[^/]*$/, ""), (message) => ports.forEach((p) => p.postMessage(message)));

self.onconnect = ({ ports: [port] }) => {
  ports.add(port);
  port.onmessage = async ({ data }) => {
    if (data.kind === "token") stream.use(data.token);
    if (data.kind === "leave") ports.delete(port);
    if (data.kind === "explain") port.postMessage({ kind: "explained", of: data.id, text: await stream.explain(data.what, data.name).catch(String) });
  };
  if (stream.model.ready) port.postMessage({ kind: "change", change: whole(stream.model) });
  port.postMessage({ kind: "hello" });
};
