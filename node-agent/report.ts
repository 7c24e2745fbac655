// The agent's side of slipway.v1: one connection to the appliance and what is asked over it. Edge: gRPC. run-agent.ts decides
// what to ask and when to try again; here a refusal and a broken line only become values.
import type { X509Certificate } from "node:crypto";
import {
  type CallOptions,
  type ClientDuplexStream,
  logVerbosity,
  Metadata,
  type ServiceError,
  setLogVerbosity,
  status,
} from "@grpc/grpc-js";
import {
  EnrolmentClient,
  type EnrolRequest,
  type EnrolResponse,
  type FetchConfigResponse,
  NodeClient,
  type NodeOrder,
  type NodeReport,
  type NowResponse,
  type RenewRequest,
  type RenewResponse,
} from "../server/contract/generated/agent.ts";
import { PinnedCredentials, type PinnedOptions } from "./pinned-socket.ts";

/** What came back: an answer, a no that stays a no, or nothing (try again). */
export type Answer<T> =
  | { kind: "answer"; value: T }
  | { kind: "refused"; reason: string }
  /** The appliance wants a valid certificate and this one is not. */
  | { kind: "stranger"; reason: string }
  | { kind: "unreachable"; reason: string };

export type Failure = Exclude<Answer<never>, { kind: "answer" }>;

export type Link = {
  /** The appliance's clock, milliseconds since 1970. */
  now(): Promise<Answer<number>>;
  enrol(request: EnrolRequest): Promise<Answer<EnrolResponse>>;
  renew(request: RenewRequest): Promise<Answer<RenewResponse>>;
  report(): ClientDuplexStream<NodeReport, NodeOrder>;
  /** The machine config for an order. Secret. */
  fetchConfig(order: string): Promise<Answer<string>>;
  /** The chain that the open connection was trusted by, leaf first. */
  chain(): readonly X509Certificate[];
  answerOf(error: unknown): Failure;
  close(): void;
};

const CALL_DEADLINE_MS = 15_000;

const OPTIONS = {
  // Half-open connections (a switch lost its power) are found within half a minute, both ways.
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 25_000,
  "grpc.max_receive_message_length": 4 * 1024 * 1024,
  // Retries are run-agent.ts's, with its own backoff and a line on the screen.
  "grpc.enable_retries": 0,
  "grpc.enable_http_proxy": 0,
  "grpc.use_local_subchannel_pool": 1,
  // Reconnections inside one link would present an old certificate: a link that breaks is thrown away.
  "grpc.initial_reconnect_backoff_ms": 30_000,
} as const;

/** Statuses that no second try of the same request will change. */
const FINAL: ReadonlySet<number> = new Set([
  status.PERMISSION_DENIED,
  status.INVALID_ARGUMENT,
  status.UNIMPLEMENTED,
  status.FAILED_PRECONDITION,
]);

/**
 * Opens a link; the connection itself is made by the first call.
 * @param server `ip:port`.
 */
export function openLink(server: string, options: PinnedOptions): Link {
  // grpc-js would write to stderr by itself; what it has to say comes back as errors, too.
  setLogVerbosity(logVerbosity.NONE);
  const credentials = new PinnedCredentials(options);
  const enrolment = new EnrolmentClient(server, credentials, OPTIONS);
  // One channel, so that what `now` was asked over is what `report` is told over.
  const node = new NodeClient(server, credentials, { ...OPTIONS, channelOverride: enrolment.getChannel() });
  const answerOf = (error: unknown) => failureOf(error as Partial<ServiceError>, server, credentials.refusal);
  const ask = async <T>(call: UnaryCall<T>): Promise<Answer<T>> => {
    try {
      return { kind: "answer", value: await promised(call) };
    } catch (error) {
      return answerOf(error);
    }
  };
  return {
    now: async () => {
      const answer = await ask<NowResponse>((...rest) => enrolment.now({}, ...rest));
      return answer.kind === "answer" ? { kind: "answer", value: Number(answer.value.unixMs) } : answer;
    },
    enrol: (request) => ask((...rest) => enrolment.enrol(request, ...rest)),
    renew: (request) => ask((...rest) => enrolment.renew(request, ...rest)),
    report: () => node.report(),
    fetchConfig: async (order) => {
      const answer = await ask<FetchConfigResponse>((...rest) => node.fetchConfig({ order }, ...rest));
      return answer.kind === "answer" ? { kind: "answer", value: answer.value.config } : answer;
    },
    chain: () => credentials.chain,
    answerOf,
    close: () => enrolment.close(),
  };
}

type Callback<T> = (error: ServiceError | null, response: T) => void;
type UnaryCall<T> = (metadata: Metadata, options: Partial<CallOptions>, done: Callback<T>) => unknown;

function promised<T>(call: UnaryCall<T>): Promise<T> {
  const options = { deadline: new Date(Date.now() + CALL_DEADLINE_MS) };
  return new Promise((resolve, reject) => {
    call(new Metadata(), options, (error, response) => (error === null ? resolve(response) : reject(error)));
  });
}

function failureOf(error: Partial<ServiceError>, server: string, refusal: string | undefined): Failure {
  // The appliance that was not trusted is told apart from one that is silent.
  if (refusal !== undefined) return { kind: "unreachable", reason: `${server} is not to be trusted: ${refusal}` };
  const reason = error.details || error.message || "no reason given";
  if (error.code === status.UNAUTHENTICATED) return { kind: "stranger", reason };
  if (error.code !== undefined && FINAL.has(error.code)) return { kind: "refused", reason };
  return { kind: "unreachable", reason: `${server}: ${reason}` };
}
