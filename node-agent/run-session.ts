// One stream to the appliance, from hello to its end: facts when they change, the kernel's log, the disk that would be taken;
// and the appliance's orders. Edge: stream and timers. run-agent.ts opens the next one when this one ended.
import type { ClientDuplexStream } from "@grpc/grpc-js";
import type { Facts, NodeOrder, NodeReport, NodeState } from "../server/contract/generated/agent.ts";
import { parseCertificatePem } from "../server/contract/pki/certificate.ts";
import { chooseInstallDisk, formatSize, type InstallDisk } from "./plan.ts";
import { shouldRenew } from "./renewal.ts";
import type { Failure, Link } from "./report.ts";
import type { Duties, Outlet } from "./run-duties.ts";
import { contactOf, meet, openPinnedLink } from "./run-enrol.ts";
import type { Identity } from "./store.ts";
import type { Report } from "./work.ts";
import type { World } from "./world.ts";

/** `renew`: the certificate has lived two thirds of its time. */
export type SessionEnd = Failure | { kind: "renew" } | { kind: "stopped" };

/** What outlives a session. */
export type Progressed = {
  /** Kernel lines up to this number are in the appliance's hands; −1 before the first. */
  ackedSeq: number;
  /** Whether the appliance answered with a state: the next try starts without backoff. */
  wasInTouch: boolean;
};

/** What the session serves: the duties outlive it. */
export type SessionEvents = {
  duties: Duties;
  onState(state: NodeState, disk: InstallDisk | undefined, facts: Facts): void;
};

/** 150 lines of a thousand characters stay under the appliance's limit for a message. */
const LINES_PER_BATCH = 150;

type Stream = ClientDuplexStream<NodeReport, NodeOrder>;

/** Runs one session until the line breaks, the appliance ends it, or the signal says stop. */
export async function runSession(
  world: World,
  identity: Identity,
  progressed: Progressed,
  events: SessionEvents,
  signal: AbortSignal,
): Promise<SessionEnd> {
  const link = openPinnedLink(world, identity.server, identity.caFingerprint, identity);
  try {
    const met = await meet(world, link);
    if (met.kind !== "answer") return met;
    const stream = link.report();
    const session = new Session(world, stream, progressed, events, link);
    return await session.run(identity, met.value.clockWasMs, signal);
  } finally {
    link.close();
  }
}

class Session {
  readonly #world: World;
  readonly #stream: Stream;
  readonly #progressed: Progressed;
  readonly #events: SessionEvents;
  readonly #link: Link;
  readonly #outlet: Outlet;
  #facts: Facts;
  #state: NodeState | undefined;
  #disk: InstallDisk | undefined;
  #canWrite = true;

  constructor(world: World, stream: Stream, progressed: Progressed, events: SessionEvents, link: Link) {
    this.#world = world;
    this.#stream = stream;
    this.#progressed = progressed;
    this.#events = events;
    this.#link = link;
    this.#outlet = { send: (report) => this.#send(report), fetchConfig: (order) => link.fetchConfig(order) };
    this.#facts = world.observe();
  }

  async run(identity: Identity, clockWasMs: number | undefined, signal: AbortSignal): Promise<SessionEnd> {
    const kernelLog = this.#world.openKernelLog(this.#progressed.ackedSeq);
    const certificate = parseCertificatePem(identity.certificate);
    const timers: NodeJS.Timeout[] = [];
    const ended = new AbortController();
    try {
      return await new Promise<SessionEnd>((resolve) => {
        this.#stream.on("data", (order: NodeOrder) => this.#obey(order));
        this.#stream.on("drain", () => {
          this.#canWrite = true;
        });
        this.#stream.on("error", (error) => resolve(signal.aborted ? { kind: "stopped" } : this.#link.answerOf(error)));
        this.#stream.on("end", () => resolve({ kind: "unreachable", reason: "the appliance ended the connection" }));
        signal.addEventListener("abort", () => resolve({ kind: "stopped" }), { once: true, signal: ended.signal });
        this.#greet(clockWasMs);
        timers.push(setInterval(() => this.#sendLines(kernelLog), this.#world.pace.linesMs));
        timers.push(
          setInterval(() => {
            this.#sendFacts();
            const { notBefore, notAfter } = certificate;
            if (shouldRenew(notBefore.getTime(), notAfter.getTime(), this.#world.clock.now()))
              resolve({ kind: "renew" });
          }, this.#world.pace.factsMs),
        );
      });
    } finally {
      for (const timer of timers) clearInterval(timer);
      ended.abort();
      kernelLog?.close();
      this.#events.duties.detach(this.#outlet);
      this.#stream.cancel();
    }
  }

  #greet(clockWasMs: number | undefined): void {
    this.#send({
      $case: "hello",
      value: {
        contact: contactOf(this.#world, clockWasMs),
        facts: this.#facts,
        bootSource: this.#world.bootSource,
        installId: this.#events.duties.installId(),
      },
    });
    const text = summaryOf(this.#facts);
    this.#send({ $case: "progress", value: { step: "observed the machine", text, failed: false } });
  }

  #send(report: Report): void {
    this.#canWrite = this.#stream.write({ report });
  }

  readonly #orders: { [K in NonNullable<NodeOrder["order"]>["$case"]]: (value: never) => void } = {
    state: (state: NodeState) => this.#takeState(state),
    logAck: ({ seq }: { seq: bigint }) => {
      this.#progressed.ackedSeq = Math.max(this.#progressed.ackedSeq, Number(seq));
    },
  };

  /** An order that this version does not know is from a newer appliance, and is left out. */
  #obey({ order }: NodeOrder): void {
    if (order !== undefined) this.#orders[order.$case]?.(order.value as never);
  }

  #takeState(state: NodeState): void {
    this.#progressed.wasInTouch = true;
    this.#state = state;
    // A container has no disk to install to, and a node that runs from its own is not asked.
    const isFree = this.#world.bootSource === "network" && !this.#events.duties.isAtDisk();
    const isAsked = state.reportInstallDisk && isFree;
    this.#disk = isAsked ? chooseInstallDisk(this.#facts, firmwareOf(this.#facts)) : undefined;
    if (this.#disk !== undefined) this.#send({ $case: "installChoice", value: { choice: choiceOf(this.#disk) } });
    this.#events.onState(state, this.#disk, this.#facts);
    this.#events.duties.take(state, this.#outlet);
  }

  /** Not while the disk is written: half an install, mounted, looks like a system of its own. */
  #sendFacts(): void {
    if (this.#events.duties.isAtDisk()) return;
    const facts = this.#world.observe();
    if (stableText(facts) === stableText(this.#facts) || !this.#canWrite) return;
    this.#facts = facts;
    this.#send({ $case: "facts", value: facts });
    this.#events.duties.factsChanged();
    if (this.#state !== undefined) this.#takeState(this.#state);
  }

  /** While the appliance does not read, nothing is taken out of the kernel's ring. */
  #sendLines(kernelLog: ReturnType<World["openKernelLog"]>): void {
    if (!this.#canWrite) return;
    const { lines, lost } = kernelLog?.take(LINES_PER_BATCH) ?? { lines: [], lost: 0 };
    const own = this.#world.log.take();
    if (lines.length === 0 && own.length === 0 && lost === 0) return;
    const all = [
      ...lines.map(({ seq, uptimeUs, ...rest }) => ({
        ...rest,
        seq: BigInt(seq),
        uptimeUs: BigInt(uptimeUs),
        fromAgent: false,
      })),
      ...own.map(({ uptimeUs, ...rest }) => ({ ...rest, seq: 0n, uptimeUs: BigInt(uptimeUs), fromAgent: true })),
    ];
    const uptimeMs = BigInt(Math.round(this.#world.clock.uptimeMs()));
    this.#send({ $case: "log", value: { uptimeMs, lines: all, lost: BigInt(lost) } });
  }
}

const choiceOf = (disk: InstallDisk) =>
  disk.kind === "disk"
    ? ({ $case: "disk", value: { path: disk.path, reason: disk.reason } } as const)
    : ({ $case: "impossible", value: disk.reason } as const);

/** As install/layout.ts has it: how much a disk must hold differs. */
const firmwareOf = ({ firmware, arch }: Facts) =>
  firmware !== "uefi" ? "bios" : arch === "arm64" ? "uefi-arm64" : "uefi-x86_64";

const stableText = (facts: Facts): string =>
  JSON.stringify(facts, (_key, value) => (typeof value === "bigint" ? value.toString() : value));

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** `4 processors, 17 GB of memory, 2 disks, 1 network card`. */
const summaryOf = ({ cpuCount, memoryBytes, disks, nics }: Facts): string =>
  [
    plural(cpuCount, "processor"),
    `${formatSize(memoryBytes)} of memory`,
    plural(disks.length, "disk"),
    plural(nics.length, "network card"),
  ].join(", ");
