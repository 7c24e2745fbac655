// Keeps a list of the API at hand by a watch: an idle node then asks nothing. Listed once, changed by events, listed again when the
// server has forgotten where we were. Edge: the network. Used by run-observe.ts.
import { setTimeout as sleep } from "node:timers/promises";
import type { Api, ApiAnswer } from "./open-api.ts";
import { applyEvent, type Cached, type Named, type ObjectList, ofList } from "./watch-cache.ts";

export type Watch<T> = {
  /** What is known; not `ok` while the last list failed. Waits for the first answer. */
  items(): Promise<ApiAnswer<readonly T[]>>;
  close(): void;
};

const LIST_TIMEOUT_MS = 15_000;
/** The server sends a bookmark about once a minute; a connection that is silent for longer leads nowhere. */
const SILENCE_MS = 150_000;
/** Between two attempts; longer with each that failed. */
const PAUSES_MS = [1000, 1000, 2000, 5000];

/**
 * @param path of a list, with its selectors, as `/api/v1/nodes?fieldSelector=…`.
 * @param changed is called when something in it changed, or when it can no longer be had.
 */
export function openWatch<T extends Named>(api: Api, path: string, changed: () => void): Watch<T> {
  const running = new RunningWatch<T>(api, path, changed);
  return { items: () => running.items(), close: () => running.close() };
}

class RunningWatch<T extends Named> {
  readonly #api: Api;
  readonly #path: string;
  readonly #changed: () => void;
  readonly #stop = new AbortController();
  readonly #first = Promise.withResolvers<void>();
  #cached: Cached<T> | undefined;
  #answer: ApiAnswer<readonly T[]> = { kind: "failed", reason: "not asked yet" };
  #failures = 0;

  constructor(api: Api, path: string, changed: () => void) {
    this.#api = api;
    this.#path = path;
    this.#changed = changed;
    void this.#run();
  }

  async items(): Promise<ApiAnswer<readonly T[]>> {
    await this.#first.promise;
    return this.#answer;
  }
  close(): void {
    this.#stop.abort();
    this.#first.resolve();
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const startedMs = performance.now();
      if (this.#cached === undefined) await this.#list();
      if (this.#cached !== undefined) await this.#follow(this.#cached.version);
      if (this.#stop.signal.aborted) return;
      // One that lasted ended as watches end; one that ends at once must not become a storm.
      const isBrief = performance.now() - startedMs < 1000;
      if (this.#failures > 0 || isBrief) await this.#pause();
    }
  }

  /** From the server's memory: etcd is not asked. */
  async #list(): Promise<void> {
    const answer = await this.#api.get<ObjectList<T>>(this.#withQuery("resourceVersion=0"), LIST_TIMEOUT_MS);
    if (answer.kind === "ok") {
      this.#failures = 0;
      this.#keep(ofList(answer.value));
    } else this.#fail(answer);
  }

  async #follow(version: string): Promise<void> {
    const query = `watch=1&allowWatchBookmarks=true&resourceVersion=${version}`;
    const end = await this.#api.follow(this.#withQuery(query), {
      line: (text) => this.#take(text),
      silenceMs: SILENCE_MS,
      signal: this.#stop.signal,
    });
    if (this.#stop.signal.aborted) return;
    if (end.kind === "ok") this.#failures = 0;
    // Gone, or never heard of: begin anew. A connection that broke may be followed from where it was.
    else if (end.kind === "refused") this.#cached = undefined;
    else if (++this.#failures > 1) this.#fail(end);
  }

  /** @returns whether to go on with this connection. */
  #take(line: string): boolean {
    this.#failures = 0;
    const next = applyEvent(this.#cached ?? ofList<T>({}), line);
    if (next.kind === "expired") {
      this.#cached = undefined;
      return false;
    }
    if (next.kind === "changed") this.#keep(next.cached);
    else this.#cached = next.cached;
    return true;
  }

  #keep(cached: Cached<T>): void {
    this.#cached = cached;
    this.#answer = { kind: "ok", value: [...cached.items.values()] };
    this.#first.resolve();
    this.#changed();
  }

  #fail(answer: Exclude<ApiAnswer<unknown>, { kind: "ok" }>): void {
    this.#failures += 1;
    this.#cached = undefined;
    const wasOk = this.#answer.kind === "ok";
    this.#answer = answer;
    this.#first.resolve();
    if (wasOk) this.#changed();
  }

  #withQuery(query: string): string {
    return `${this.#path}${this.#path.includes("?") ? "&" : "?"}${query}`;
  }

  async #pause(): Promise<void> {
    const ms = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length) - 1] ?? PAUSES_MS[0]!;
    // A watch that is closed needs no rest.
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
  }
}
