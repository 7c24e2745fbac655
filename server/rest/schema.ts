// What the admin API accepts and answers, as zod schemas: Fastify validates with them, GET /openapi.json is made from them,
// and the CLI takes its types from them. Pure.
import { z } from "zod";

/** The one form of every error. `faults` names each place when there are several. */
export const ERROR_BODY = z
  .object({
    code: z.string().describe("A code of docs/errors.md."),
    message: z.string(),
    remedy: z.string(),
    faults: z.array(z.object({ at: z.string(), message: z.string() })).optional(),
  })
  .describe("What happened, to which thing, what was expected, and what to do.");
export type ErrorBody = z.infer<typeof ERROR_BODY>;

const ref = z
  .string()
  .min(1)
  .max(64)
  .describe("A machine: any spelling of one of its MACs, its name, or the beginning of its id.");
const refs = z.array(ref).min(1).max(10_000);
const seq = z.coerce.number().int().min(0);
const limit = z.coerce.number().int().min(1).max(10_000);

export const MACHINE = z.object({
  id: z.string(),
  macs: z.array(z.string()).readonly(),
  uuid: z.string().optional(),
  serial: z.string().optional(),
  name: z.string().optional(),
  role: z.string().optional(),
  cluster: z.string().optional().describe("Where its role alone does not say it."),
  address: z.string().optional().describe("Its reservation, from approval on."),
  boot: z.string().optional(),
  lifecycle: z.string(),
  activity: z.string(),
  activityReason: z.string().optional(),
  arch: z.string().optional(),
  firmware: z.string().optional(),
  product: z.string().optional(),
  facts: z.unknown().optional().describe("What the agent observed; only when one machine is asked for."),
  installDisk: z.string().optional(),
  keyFingerprint: z.string().optional(),
  pairingCode: z.string().optional(),
  install: z
    .object({
      mayWipe: z.boolean(),
      orderedAt: z.number(),
      firstContactAt: z.number().optional().describe("Its window (armedTime) begins here."),
      isConfigGiven: z.boolean(),
      failure: z.object({ reason: z.string(), remedy: z.string() }).optional(),
    })
    .optional()
    .describe("The install that it is to do, or does. Times in milliseconds since 1970."),
  installation: z
    .object({
      ...{ installId: z.string(), number: z.number(), disk: z.string(), at: z.number() },
      cluster: z.string().optional().describe("Whose config is on it."),
    })
    .optional()
    .describe("What stands on its disk, as its agent confirmed it; disk is empty in a container."),
  verb: z.object({ verb: z.string(), at: z.number() }).optional().describe("Ordered, and not taken yet."),
  diskBoots: z.number().optional().describe("How often in a row it was sent to its disk unheard."),
  live: z
    .object({
      bootSource: z.string().describe("network, disk or container."),
      step: z
        .object({
          ...{ number: z.number(), of: z.number(), text: z.string(), bytesDone: z.number(), bytesTotal: z.number() },
          ...{ elapsedMs: z.number(), secondsLeft: z.number().optional() },
        })
        .optional(),
      node: z.object({ isReady: z.boolean(), reason: z.string(), holdsEndpoint: z.boolean() }).optional(),
    })
    .optional()
    .describe("What its agent says now; absent while it is not in touch."),
  createdAt: z.string(),
  seenAt: z
    .string()
    .describe("Its last packet, or the last word of its agent, to the minute; now while its agent is in touch."),
  approvedAt: z.string().optional(),
  approvedBy: z.string().optional(),
  leasedAddress: z.string().optional().describe("The address it has now, when this appliance gave it."),
});
export type MachineView = z.infer<typeof MACHINE>;
export const MACHINES = z.object({ machines: z.array(MACHINE) });

export const MACHINE_QUERY = z.object({ machine: ref });
const clusterName = z
  .string()
  .max(255)
  .optional()
  .describe("The cluster whose last data this takes away: said by name, so that a slip cannot do it.");
export const DELETE_BODY = z.strictObject({ machines: refs, clusterName });
export const APPROVE_BODY = z.strictObject({
  machines: refs,
  undo: z.boolean().optional().describe("Takes it back: the machine is `discovered` again."),
});
export const RETIRE_BODY = z.strictObject({
  machines: refs,
  undo: z.boolean().optional().describe("Takes it back: `installed` where its disk holds its OS, else `discovered`."),
  clusterName,
});

/** Values stay plain text here: server/rest/check-fields.ts judges them all at once, with better words than a schema. */
const field = z.string().max(255).nullable().optional().describe("null clears it; absent leaves it.");
export const SET_BODY = z.strictObject({
  machines: refs.describe("An unknown MAC is written down as a new machine."),
  set: z.strictObject({ name: field, role: field, cluster: field, address: field, boot: field }),
  approve: z.boolean().optional(),
});
export type SetBody = z.infer<typeof SET_BODY>;

export const INSTALL_BODY = z.strictObject({
  machines: refs,
  mayWipe: z.boolean().optional().describe("What stands on the disk may go, whoever made it."),
  clusterName,
});
export type InstallBody = z.infer<typeof INSTALL_BODY>;
export const VERB_BODY = z.strictObject({ machines: refs, clusterName });
export type VerbBody = z.infer<typeof VERB_BODY>;

const cell = z.string().max(255).optional();
export const IMPORT_ROW = z.strictObject({
  macs: z.array(z.string().max(255)).max(64),
  name: cell,
  role: cell,
  cluster: cell,
  address: cell,
  boot: cell,
  uuid: cell,
  serial: cell,
});
export type ImportRow = z.infer<typeof IMPORT_ROW>;
export const IMPORT_BODY = z.strictObject({
  rows: z.array(IMPORT_ROW).min(1).max(20_000),
  approve: z.boolean().optional(),
  dryRun: z.boolean().optional().describe("Checks everything, writes nothing."),
});
export const IMPORT_RESULT = z.object({
  created: z.number(),
  changed: z.number(),
  unchanged: z.number(),
  dryRun: z.boolean(),
  machines: z.array(MACHINE),
});
export type ImportResult = z.infer<typeof IMPORT_RESULT>;

export const EVENT = z.object({
  seq: z.number(),
  at: z.number().describe("Milliseconds since 1970."),
  kind: z.string(),
  phase: z.string(),
  level: z.string(),
  text: z.string().describe("Plain words."),
  mac: z.string().optional(),
  machineId: z.string().optional(),
  attemptId: z.string().optional(),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]).optional()),
});
export type EventView = z.infer<typeof EVENT>;
export const EVENTS_QUERY = z.object({
  machine: ref.optional(),
  afterSeq: seq.optional().describe("Only events after this one, oldest first; without it the newest ones."),
  since: z.iso.datetime({ offset: true }).optional(),
  limit: limit.optional(),
});
export const FOLLOW_QUERY = z.object({
  machine: ref.optional(),
  afterSeq: seq.optional().describe("Begins after this event; without it with the next one that happens."),
});
export const EVENTS_RESULT = z.object({ events: z.array(EVENT) });

export const LOGS_QUERY = z.object({ machine: ref.optional(), limit: limit.optional() });
export const LOGS_RESULT = z.object({
  lines: z.array(z.object({ at: z.number(), mac: z.string(), source: z.string(), text: z.string() })),
});
export type LogLineView = z.infer<typeof LOGS_RESULT>["lines"][number];

export const AUDIT_QUERY = z.object({ afterSeq: seq.optional(), limit: limit.optional() });
export const AUDIT_ENTRY = z.object({
  seq: z.number(),
  at: z.string(),
  actor: z.string(),
  action: z.string(),
  target: z.string(),
  detail: z.string(),
  hash: z.string(),
});
export type AuditView = z.infer<typeof AUDIT_ENTRY>;
export const AUDIT_RESULT = z.object({ entries: z.array(AUDIT_ENTRY) });
export const AUDIT_CHECK = z.object({
  isIntact: z.boolean(),
  firstBadSeq: z.number().optional().describe("The first entry whose hash does not fit."),
});

export const ROLES_RESULT = z.object({ roles: z.array(z.string()) });
