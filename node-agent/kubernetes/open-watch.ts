// Keeps a list of the API at hand by a watch: an idle node then asks nothing. Listed once, changed by events, listed again when the
// server has forgotten where we were. Edge: the network. Used by run-observe.ts.
import { setTimeout as sleep } from "node:timers/promises";
import type { Api, ApiAnswer } from "./open-api.ts";
import { applyEvent, type Cached, type Named, ofList } from "./watch-cache.ts";

export type Watch<T> = {
  /** What is known; not `ok` while the last list failed. Waits for the first answer. */
  items(): Promise<ApiAnswer<readonly T[]>>;
  close(): void;
};

/** Until a list is there, or a watch has begun. */
const ANSWER_TIMEOUT_MS = 15_000;
/** The server sends a bookmark about once a minute. A longer silence leads nowhere, and to take it up anew costs little. */
const SILENCE_MS = 90_000;
/** Between two attempts; longer with each that came to nothing. */
const PAUSES_MS = [1000, 1000, 2000, 5000];
/** A watch that ends sooner is no rest for anybody. */
const BRIEF_MS = 1000;
/** HTTP's word for a version that is forgotten. */
const GONE = 410;

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
  #answer: ApiAnswer<readonly T[]> = { kind: "failed", reason: "it was closed before its first answer" };
  /** Where the next list may come from: `0` is the server's memory, so that etcd is not asked. */
  #source: "0" | "" = "0";
  /** Attempts in a row that came to nothing. */
  #vain = 0;

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
      const isSound = await this.#attempt();
      // One that lasted ended as watches end; one that ends at once must not become a storm.
      const isBrief = performance.now() - startedMs < BRIEF_MS;
      this.#vain = isSound && !isBrief ? 0 : this.#vain + 1;
      if (this.#vain > 0) await this.#pause();
    }
  }

  /** Only a list that fails is told: a watch that broke says little, and what it brought is still the best that is known. */
  async #attempt(): Promise<boolean> {
    if (this.#cached === undefined) await this.#list();
    return this.#cached !== undefined && (await this.#follow(this.#cached.version));
  }

  async #list(): Promise<void> {
    const answer = await this.#api.get(this.#withQuery(`resourceVersion=${this.#source}`), ANSWER_TIMEOUT_MS);
    if (this.#stop.signal.aborted) return;
    if (answer.kind !== "ok") return this.#fail(answer);
    const cached = ofList<T>(answer.value);
    if (cached === undefined) return this.#fail({ kind: "failed", reason: "what the API sent is no list" });
    this.#source = "0";
    this.#keep(cached);
  }

  /** @returns whether it ended as it should. */
  async #follow(version: string): Promise<boolean> {
    const query = `watch=1&allowWatchBookmarks=true&resourceVersion=${version}`;
    const end = await this.#api.follow(this.#withQuery(query), {
      line: (text) => this.#take(text),
      timeoutMs: ANSWER_TIMEOUT_MS,
      silenceMs: SILENCE_MS,
      signal: this.#stop.signal,
    });
    if (end.kind === "refused" && end.status === GONE) this.#forget();
    else if (end.kind === "refused") this.#cached = undefined;
    // A connection that broke is taken up where it was, once; then a list has to say what is the matter.
    if (end.kind === "failed" && this.#vain > 0) this.#cached = undefined;
    return end.kind === "ok";
  }

  /** @returns whether to go on with this connection. */
  #take(line: string): boolean {
    const next = this.#cached && applyEvent(this.#cached, line);
    if (next === undefined || next.kind === "expired") {
      this.#forget();
      return false;
    }
    this.#vain = 0;
    if (next.kind === "changed") this.#keep(next.cached);
    else this.#cached = next.cached;
    return true;
  }

  /** The server does not know where we were: its memory is not asked again, it may be what is behind. */
  #forget(): void {
    this.#cached = undefined;
    this.#source = "";
  }

  #keep(cached: Cached<T>): void {
    this.#cached = cached;
    this.#answer = { kind: "ok", value: [...cached.items.values()] };
    this.#first.resolve();
    this.#changed();
  }

  #fail(answer: Exclude<ApiAnswer<unknown>, { kind: "ok" }>): void {
    const wasOk = this.#answer.kind === "ok";
    this.#answer = answer;
    this.#first.resolve();
    if (wasOk) this.#changed();
  }

  #withQuery(query: string): string {
    return `${this.#path}${this.#path.includes("?") ? "&" : "?"}${query}`;
  }

  async #pause(): Promise<void> {
    const ms = PAUSES_MS[Math.min(this.#vain, PAUSES_MS.length) - 1];
    // A watch that is closed needs no rest.
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
  }
}
