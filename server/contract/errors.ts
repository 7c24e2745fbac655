// Every fault Slipway can raise: code, HTTP status, gRPC status and remedy in one table.
// The only file that every room may import; it imports nothing. docs/errors.md lists the same codes and
// test/docs.test.ts compares them. An outcome ("pool full", "unknown machine") is a value, not a row here.

type ErrorRow = { status: number; grpc: GrpcStatus; exit: number; remedy: string };

/** gRPC status codes in use (https://grpc.io/docs/guides/status-codes/). */
export const GRPC_STATUS = {
  INVALID_ARGUMENT: 3,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;
export type GrpcStatus = keyof typeof GRPC_STATUS;

/** Exit codes of the CLI and of `slipway serve`: 1 fault inside, 2 wrong input, 3 environment, 4 not found, 5 refused by state. */
export const ERRORS = {
  // input
  MALFORMED_PACKET: {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    exit: 1,
    remedy: "Nothing to do on the server; attach the packet to a bug report.",
  },
  DOES_NOT_FIT: {
    status: 500,
    grpc: "INTERNAL",
    exit: 1,
    remedy: "Shorten the value that the message names (domain, dns, ntp, host name) in slipway.yaml or the inventory.",
  },
  BAD_REQUEST: {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    exit: 2,
    remedy: "Correct the named fields and send the request again.",
  },
  BAD_CONFIG: {
    status: 500,
    grpc: "INTERNAL",
    exit: 2,
    remedy: "Correct the named lines of the settings file; docs/configuration.md lists every key.",
  },
  BAD_IMPORT: {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    exit: 2,
    remedy: "Correct the named rows; nothing was written.",
  },
  UNKNOWN_ROLE: {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    exit: 2,
    remedy: "Use one of the roles that the message lists.",
  },
  // state
  NOT_FOUND: { status: 404, grpc: "NOT_FOUND", exit: 4, remedy: "`slipway machines` lists what is known." },
  CONFLICT: {
    status: 409,
    grpc: "ALREADY_EXISTS",
    exit: 5,
    remedy: "Choose another value, or change the other machine first.",
  },
  CLUSTER_NOT_WHOLE: {
    status: 409,
    grpc: "FAILED_PRECONDITION",
    exit: 5,
    remedy: "`slipway cluster status` shows each part; `--wait` waits until all of it is there.",
  },
  BAD_TRANSITION: {
    status: 409,
    grpc: "FAILED_PRECONDITION",
    exit: 5,
    remedy: "docs/lifecycle.md shows which state may follow which.",
  },
  NOT_HEARD: {
    status: 409,
    grpc: "FAILED_PRECONDITION",
    exit: 5,
    remedy: "Switch the machine on and wait until `slipway machines` shows it running; then give the order again.",
  },
  ENDS_CLUSTER: {
    status: 409,
    grpc: "FAILED_PRECONDITION",
    exit: 5,
    remedy: "Say that you mean it by naming the cluster: --cluster-name NAME.",
  },
  NOT_ARMED: {
    status: 409,
    grpc: "FAILED_PRECONDITION",
    exit: 5,
    remedy: "`slipway install MAC` orders an install and opens its window anew.",
  },
  WRONG_ORDER: {
    status: 403,
    grpc: "PERMISSION_DENIED",
    exit: 5,
    remedy: "`slipway events MAC` shows who was given the config, and when.",
  },
  // environment
  PORT_IN_USE: {
    status: 500,
    grpc: "INTERNAL",
    exit: 3,
    remedy: "Stop the program that holds the port, or choose another port in slipway.yaml.",
  },
  NO_PERMISSION: {
    status: 500,
    grpc: "INTERNAL",
    exit: 3,
    remedy: "Run it as root (sudo), or give the service the capability that the message names.",
  },
  NO_INTERFACE: {
    status: 500,
    grpc: "INTERNAL",
    exit: 3,
    remedy: "Name an interface that `ip link` lists, with --interface or in slipway.yaml.",
  },
  DISK_FULL: {
    status: 507,
    grpc: "RESOURCE_EXHAUSTED",
    exit: 3,
    remedy: "Free space on the file system of dataDir; nothing that was acknowledged is lost.",
  },
  DATABASE_DAMAGED: {
    status: 500,
    grpc: "INTERNAL",
    exit: 3,
    remedy: "Restore the newest copy from dataDir/backup, or move the file away to start with an empty inventory.",
  },
  DATABASE_NEWER: {
    status: 500,
    grpc: "INTERNAL",
    exit: 3,
    remedy:
      "Install the version of Slipway that wrote it, or put back the copy that was made before the upgrade (dataDir/backup).",
  },
  DATA_DIR_IN_USE: {
    status: 500,
    grpc: "INTERNAL",
    exit: 3,
    remedy: "Stop the other appliance, or give this one a dataDir of its own (slipway.yaml).",
  },
  DISK_FAILED: {
    status: 500,
    grpc: "INTERNAL",
    exit: 3,
    remedy: "Look at the kernel's log (`dmesg`): the disk that holds dataDir is failing, or was unplugged.",
  },
  IDENTITY_MISSING: {
    status: 500,
    grpc: "INTERNAL",
    exit: 3,
    remedy:
      "Put the identity file back from your copy (`identity` in slipway.yaml); docs/recover-the-identity.md says what is lost without it.",
  },
  IDENTITY_WRONG: {
    status: 500,
    grpc: "INTERNAL",
    exit: 3,
    remedy:
      "This identity does not open what is sealed in dataDir: put the right one back; docs/recover-the-identity.md.",
  },
  AUDIT_DAMAGED: {
    status: 500,
    grpc: "INTERNAL",
    exit: 3,
    remedy:
      "Somebody changed the log outside Slipway: keep dataDir as it is, copy it, and compare it with an earlier copy.",
  },
  SECRETS_DAMAGED: {
    status: 500,
    grpc: "INTERNAL",
    exit: 3,
    remedy:
      "Put dataDir/secrets back from your copy, whole; docs/recover-the-identity.md says what is lost without it.",
  },
  ASSET_DAMAGED: { status: 500, grpc: "INTERNAL", exit: 3, remedy: "Run `npm run assets` to build the file again." },
  ASSET_MISSING: { status: 404, grpc: "NOT_FOUND", exit: 3, remedy: "Run `npm run assets` to build what is missing." },
  COMMAND_FAILED: {
    status: 500,
    grpc: "INTERNAL",
    exit: 1,
    remedy: "See the command's output above; the step can be run again.",
  },
  NOT_RUNNING: {
    status: 503,
    grpc: "UNAVAILABLE",
    exit: 3,
    remedy: "Start the appliance (`npm start`), or name its socket with --socket or SLIPWAY_SOCKET.",
  },
  // trust
  TICKET_REFUSED: {
    status: 403,
    grpc: "PERMISSION_DENIED",
    exit: 5,
    remedy: "Power the machine on again: each boot gets a fresh ticket.",
  },
  NOT_ENROLLED: {
    status: 401,
    grpc: "UNAUTHENTICATED",
    exit: 5,
    remedy: "The machine must enrol first: boot it from the network.",
  },
  NOT_ALLOWED: {
    status: 403,
    grpc: "PERMISSION_DENIED",
    exit: 5,
    remedy: "Ask a member of adminGroup (slipway.yaml).",
  },
  TOO_MANY_REQUESTS: {
    status: 429,
    grpc: "RESOURCE_EXHAUSTED",
    exit: 5,
    remedy: "Ask again in a minute; a machine that boots asks a few times only.",
  },
  // ours
  INTERNAL: {
    status: 500,
    grpc: "INTERNAL",
    exit: 1,
    remedy: "This is a fault in Slipway: please report it with the log lines around it.",
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** One of several faults found at once: where (`slipway.yaml:12:9: http.port`, `rows.3.role`) and what. */
export type Fault = { at: string; message: string };

/** A fault with code, cause and remedy. The message names the thing, the value and what was expected. */
export class SlipwayError extends Error {
  override name = "SlipwayError";
  readonly code: ErrorCode;
  readonly remedy: string;
  /** All faults when the input had several; the message holds them too, one a line. */
  readonly faults: readonly Fault[];
  constructor(
    code: ErrorCode,
    message: string,
    options?: { cause?: unknown; remedy?: string; faults?: readonly Fault[] },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options?.remedy ?? ERRORS[code].remedy;
    this.faults = options?.faults ?? [];
  }
}
