// One stream of changes over fetch, which can carry a token in a header where EventSource cannot.
import { apply, empty } from "./model.js";

const longest = 8000; // ms between two attempts
const silence = 7000; // ms after which a stream that says nothing is taken for lost; it beats every two seconds

export class Stream {
  constructor(base, tell) {
    this.base = base;
    this.tell = tell;
    this.model = empty();
    this.last = "";
    this.token = "";
    this.wait = 300;
    this.run();
  }

  use(token) {
    this.token = token;
    this.wait = 300;
    this.wake?.();
  }

  headers() {
    const out = { Accept: "text/event-stream" };
    if (this.token) out.Authorization = "Bearer " + this.token;
    if (this.last) out["Last-Event-ID"] = this.last;
    return out;
  }

  async run() {
    for (;;) {
      let why = "the stream ended";
      const stop = new AbortController();
      try {
        const answer = await fetch(this.base + "api/stream", { headers: this.headers(), signal: stop.signal, cache: "no-store" });
        if (answer.status === 401 || answer.status === 403) {
          this.tell({ kind: "refused", code: answer.status, why: (await answer.text()).trim() });
          await new Promise((done) => { this.wake = done; });
          continue;
        }
        if (!answer.ok) throw new Error((await answer.text()).trim() || answer.statusText);
        this.wait = 300;
        await this.read(answer.body.getReader(), stop);
      } catch (err) {
        why = String(err.message || err);
      }
      stop.abort();
      this.tell({ kind: "lost", why });
      await new Promise((done) => { this.wake = done; setTimeout(done, this.wait); });
      this.wait = Math.min(this.wait * 2, longest);
    }
  }

  async read(from, stop) {
    const text = new TextDecoder();
    let rest = "";
    for (;;) {
      const timer = setTimeout(() => stop.abort(), silence);
      const { done, value } = await from.read().finally(() => clearTimeout(timer));
      if (done) return;
      rest += text.decode(value, { stream: true });
      const events = rest.split("\n\n");
      rest = events.pop();
      events.forEach((e) => this.event(e));
    }
  }

  event(lines) {
    const field = Object.fromEntries(lines.split("\n").map((l) => [l.slice(0, l.indexOf(":")), l.slice(l.indexOf(":") + 2)]));
    if (!field.data) return;
    const data = JSON.parse(field.data);
    if (field.event === "beat") {
      this.model.at = data.at;
      this.tell({ kind: "beat", at: data.at });
      return;
    }
    apply(this.model, data);
    this.last = field.id;
    this.tell({ kind: "change", change: data });
  }

  async explain(kind, name) {
    const headers = this.token ? { Authorization: "Bearer " + this.token } : {};
    const answer = await fetch(`${this.base}api/explain?${kind}=${encodeURIComponent(name)}`, { headers });
    return answer.ok ? (await answer.json()).text : (await answer.text()).trim();
  }
}
