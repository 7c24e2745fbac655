// What `slipway status` shows: the appliance's own state in one document. server/main.ts fills it. Pure.
import { z } from "zod";

const NETWORK = z.object({
  subnet: z.string().describe("10.30.1.0/24"),
  pool: z.string().optional().describe("192.0.2.100-192.0.2.199; absent when no address is given out."),
  poolSize: z.number().optional(),
  poolUsed: z.number().optional(),
  isRelayed: z.boolean(),
});

const INTERFACE = z.object({
  name: z.string(),
  mac: z.string().optional(),
  addresses: z.array(z.string()),
  hasCarrier: z.boolean(),
  dhcp: z.object({
    configured: z.string().describe("auto, server, proxy or off, as the settings say."),
    mode: z
      .string()
      .describe("What it does now: server, proxy, off, probing while it looks, or held while another server answers."),
    reason: z.string().describe("Why, in plain words."),
  }),
  networks: z.array(NETWORK),
});

export const STATUS = z.object({
  version: z.string(),
  startedAt: z.string().describe("ISO-8601 UTC."),
  dataDir: z.string(),
  configFile: z.string().optional(),
  httpPort: z.number(),
  grpcPort: z.number(),
  interfaces: z.array(INTERFACE),
  assets: z.array(
    z.object({
      name: z.string(),
      version: z.string().optional(),
      arch: z.string().optional(),
      sizeBytes: z.number().optional(),
      state: z.string().describe("verified, checking, damaged or missing."),
      reason: z.string().optional(),
    }),
  ),
  alarms: z.array(z.object({ at: z.string(), text: z.string(), remedy: z.string().optional() })),
});
export type StatusDocument = z.infer<typeof STATUS>;

/** With what only the inventory knows; the routes add it. */
export const STATUS_RESULT = STATUS.extend({
  machines: z.record(z.string(), z.number()).describe("How many of each lifecycle."),
});
export type StatusView = z.infer<typeof STATUS_RESULT>;
