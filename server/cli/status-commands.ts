// `status` and `audit`: the appliance itself, and who changed what.
import { SlipwayError } from "../contract/errors.ts";
import type { AuditView } from "../rest/schema.ts";
import type { StatusView } from "../rest/status.ts";
import { type CommonOptions, openDesk, show } from "./output.ts";
import { age, paint, plain, renderPairs, renderSentences, renderTable, size } from "./table.ts";

export async function runStatus(options: CommonOptions): Promise<void> {
  const desk = await openDesk(options);
  const status = await desk.client.get<StatusView>("/v1/status");
  await show(desk, status, () => statusPage(status, desk.now(), desk.isTerminal));
}

/** What is wrong with the appliance right now, with remedies and an empty line below; empty when nothing is. */
export function alarmLines({ alarms }: Pick<StatusView, "alarms">, now: number, isTerminal = false): string {
  const lines = alarms.map(
    (a) =>
      `${paint("red", "ALARM", isTerminal)} ${age(a.at, now)} ago: ${plain(a.text)}${a.remedy ? `\n      ${a.remedy}` : ""}\n`,
  );
  return lines.length === 0 ? "" : `${lines.join("")}\n`;
}

/** Alarms first: whoever looks at 3 a.m. looks because of them. */
export function statusPage(status: StatusView, now: number, isTerminal = false): string {
  const known = Object.entries(status.machines).filter(([, n]) => n > 0);
  const machines = known.length === 0 ? "none yet" : known.map(([lifecycle, n]) => `${n} ${lifecycle}`).join(", ");
  const head = renderPairs([
    ["version", status.version],
    ["running for", age(status.startedAt, now)],
    ["settings", status.configFile ?? "all defaults (no slipway.yaml)"],
    ["dataDir", status.dataDir],
    ["ports", `HTTP ${status.httpPort}, gRPC ${status.grpcPort}`],
    ["machines", machines],
  ]);
  return [alarmLines(status, now, isTerminal), head, "\n", interfaces(status), "\n", assets(status)].join("");
}

function interfaces({ interfaces }: StatusView): string {
  if (interfaces.length === 0) {
    return "No interface is served, so no machine can boot from here.\nStart the appliance with --interface NAME, or list it in slipway.yaml (`ip -brief link` shows the names).\n";
  }
  return interfaces
    .map((i) => {
      const wire = `${i.addresses.join(", ") || "no IPv4 address"}${i.hasCarrier ? "" : ", no carrier: is the cable in?"}`;
      const networks = i.networks.map((n) => {
        const used = n.poolSize === undefined ? "" : ` (${n.poolUsed ?? 0} of ${n.poolSize} in use)`;
        return `  network ${n.subnet}${n.isRelayed ? " by relay" : ""}: ${n.pool === undefined ? "no addresses are given out" : `pool ${n.pool}${used}`}\n`;
      });
      return `${i.name}: ${wire}\n  DHCP ${i.dhcp.mode}${i.dhcp.mode === i.dhcp.configured ? "" : ` (set to ${i.dhcp.configured})`}: ${plain(i.dhcp.reason)}\n${networks.join("")}`;
    })
    .join("");
}

function assets({ assets }: StatusView): string {
  if (assets.length === 0) return "No image is here yet: run `npm run assets`.\n";
  const rows = assets.map((a) => [
    a.name,
    a.version ?? "-",
    a.arch ?? "-",
    a.sizeBytes === undefined ? "-" : size(a.sizeBytes),
    a.reason === undefined ? a.state : `${a.state}: ${a.reason}`,
  ]);
  return renderTable(["ASSET", "VERSION", "ARCH", "SIZE", "STATE"], rows);
}

/** @throws AUDIT_DAMAGED with --verify when an entry's hash does not fit. */
export async function runAudit(options: CommonOptions & { verify?: boolean; limit?: string }): Promise<void> {
  const desk = await openDesk(options);
  if (options.verify) {
    const check = await desk.client.get<{ isIntact: boolean; firstBadSeq?: number }>("/v1/audit/verify");
    if (!check.isIntact)
      throw new SlipwayError("AUDIT_DAMAGED", `audit entry ${check.firstBadSeq} does not fit the one before it`);
    return show(desk, check, () => "The audit log is whole: every entry fits the one before it.\n");
  }
  const { entries } = await desk.client.get<{ entries: AuditView[] }>("/v1/audit", { limit: options.limit });
  const rows = entries.map((e) => [
    String(e.seq),
    e.at.replace("T", " ").replace(/\.\d+Z$/, "Z"),
    e.actor,
    e.action,
    e.detail,
  ]);
  await show(desk, entries, () =>
    rows.length === 0
      ? "Nobody has changed anything yet.\n"
      : renderSentences(["NO", "TIME (UTC)", "WHO", "DID", "WHAT"], rows, desk.width),
  );
}
