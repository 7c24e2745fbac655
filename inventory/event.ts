// Everything that happens to a machine is an event. One row per kind: the boot's phase it belongs to, its level and its
// plain words. Stored are kind and detail; the words are made when somebody reads. Pure.
// long because: one row for each kind of event, and the rows are read together.

export type Detail = Record<string, string | number | boolean | undefined>;
export type Phase = "firmware" | "loader" | "image" | "kernel" | "agent" | "person" | "server";
export type Level = "info" | "notice" | "warning" | "alarm";

type Row = { phase: Phase; level: Level; say: (d: Detail) => string };

const seconds = (ms: unknown) => (typeof ms === "number" ? `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s` : "?");
const bytes = (n: unknown) =>
  typeof n !== "number"
    ? "?"
    : n < 10_000
      ? `${n} bytes`
      : n < 10_000_000
        ? `${Math.round(n / 1000)} kB`
        : `${(n / 1e6).toFixed(1)} MB`;
const rate = (d: Detail) =>
  typeof d.bytes === "number" && typeof d.ms === "number" && d.ms > 0
    ? `, ${(d.bytes / 1e3 / d.ms).toFixed(1)} MB/s`
    : "";

/** `205.0 MB in 9.12 s, 22.5 MB/s`, or the time alone for what has no bytes. */
const amount = (d: Detail) =>
  d.bytes === undefined ? seconds(d.ms) : `${bytes(d.bytes)} in ${seconds(d.ms)}${rate(d)}`;

/** Every kind of event. A new one is one row here. */
export const EVENTS = {
  // DHCP
  "dhcp-discover": { phase: "firmware", level: "info", say: (d) => `asks for an address (${d.client})` },
  "dhcp-offer": {
    phase: "firmware",
    level: "info",
    say: (d) => `was offered ${d.address}${d.file ? ` and ${d.file}` : ""}`,
  },
  "dhcp-proxy-offer": {
    phase: "firmware",
    level: "info",
    say: (d) => `was offered ${d.file ?? "no boot file"} beside the other server's address`,
  },
  "dhcp-ack": {
    phase: "firmware",
    level: "info",
    say: (d) => `has the address ${d.address}${d.seconds ? ` for ${d.seconds} s` : ""}`,
  },
  "dhcp-renewed": { phase: "server", level: "info", say: (d) => `renewed the address ${d.address}` },
  "dhcp-nak": { phase: "firmware", level: "notice", say: (d) => `was refused the address ${d.address}: ${d.reason}` },
  "dhcp-ignored": { phase: "firmware", level: "info", say: (d) => `was not answered: ${d.reason}` },
  "dhcp-released": { phase: "server", level: "info", say: (d) => `gave the address ${d.address} back` },
  "dhcp-declined": {
    phase: "server",
    level: "warning",
    say: (d) => `found ${d.address} in use by somebody else; the address is set aside for ${d.seconds} s`,
  },
  "dhcp-other-server": {
    phase: "firmware",
    level: "notice",
    say: (d) => `took the other server's offer (${d.server})`,
  },
  "dhcp-pool-full": { phase: "server", level: "alarm", say: (d) => `got no address: the pool ${d.pool} is full` },
  "dhcp-overload": {
    phase: "server",
    level: "alarm",
    say: (d) =>
      `${d.interface}: more DHCP requests come than can be answered in time; ${d.dropped} were dropped in the first second`,
  },
  "dhcp-reservation-unusable": {
    phase: "server",
    level: "warning",
    say: (d) => `could not get its reserved address ${d.address}, which ${d.reason}`,
  },
  "dhcp-no-loader": { phase: "firmware", level: "notice", say: (d) => `asked for a loader it cannot run: ${d.reason}` },
  "dhcp-address-in-use": {
    phase: "server",
    level: "warning",
    say: (d) => `${d.address} answers ARP (${d.mac}); it is set aside`,
  },
  "dhcp-loop": {
    phase: "loader",
    level: "warning",
    say: (d) => `asks for iPXE again and again (${d.count} times); it is told why instead`,
  },
  "raspberry-pi": {
    phase: "firmware",
    level: "notice",
    say: (d) =>
      `is a Raspberry Pi (${d.model ?? "model unknown"}): recognised and answered; its boot files are not served by this version`,
  },
  "foreign-dhcp": {
    phase: "server",
    level: "alarm",
    say: (d) =>
      `another DHCP server answers on ${d.interface}: ${d.server} (${d.mac ?? "MAC unknown"}); ${d.consequence}`,
  },
  "dhcp-mode": { phase: "server", level: "notice", say: (d) => `${d.interface}: DHCP mode ${d.mode}: ${d.reason}` },
  // TFTP
  "tftp-start": { phase: "loader", level: "info", say: (d) => `fetches ${d.file} by TFTP (${bytes(d.bytes)})` },
  "tftp-done": {
    phase: "loader",
    level: "info",
    say: (d) => `has ${d.file}: ${bytes(d.bytes)} in ${seconds(d.ms)}${rate(d)}`,
  },
  "tftp-stopped": {
    phase: "loader",
    level: "info",
    say: (d) => `stopped reading ${d.file} after ${bytes(d.bytes)}, as firmware does when it knows enough`,
  },
  "tftp-missing": { phase: "loader", level: "info", say: (d) => `asked for ${d.file}, which is not here` },
  "tftp-failed": { phase: "loader", level: "warning", say: (d) => `did not get ${d.file}: ${d.reason}` },
  // HTTP
  "loader-fetched": {
    phase: "loader",
    level: "info",
    say: (d) => `has ${d.file} by HTTP: ${bytes(d.bytes)} in ${seconds(d.ms)}`,
  },
  script: {
    phase: "loader",
    level: "info",
    say: (d) => `runs iPXE (${d.platform ?? "?"}, ${d.arch ?? "?"}) and asked what to do: ${d.decision}`,
  },
  "image-start": { phase: "image", level: "info", say: (d) => `fetches ${d.file} (${bytes(d.bytes)})` },
  "image-done": {
    phase: "image",
    level: "info",
    say: (d) => `has ${d.file}: ${bytes(d.bytes)} in ${seconds(d.ms)}${rate(d)}`,
  },
  "image-broken-off": { phase: "image", level: "warning", say: (d) => `broke off ${d.file} after ${bytes(d.bytes)}` },
  "ticket-fetched": { phase: "image", level: "info", say: () => "has its ticket; the kernel starts next" },
  "ticket-issued": { phase: "person", level: "notice", say: (d) => `was given a ticket by ${d.actor}, without a boot` },
  "ticket-refused": { phase: "image", level: "warning", say: (d) => `was refused a ticket: ${d.reason}` },
  // agent
  "agent-contact": {
    phase: "kernel",
    level: "info",
    say: (d) =>
      `Slipway OS runs${d.from ? ` from its ${d.from}` : ""} and its agent is in touch${d.kernelMs ? `; kernel and system took ${seconds(d.kernelMs)}` : ""}`,
  },
  "clock-set": {
    phase: "agent",
    level: "notice",
    say: (d) => `its clock was off (${d.was}) and was set from the appliance`,
  },
  enrolled: {
    phase: "agent",
    level: "notice",
    say: (d) => `enrolled${d.name ? ` as ${d.name}` : ""}; pairing code ${d.pairingCode ?? "?"}`,
  },
  "enrol-refused": { phase: "agent", level: "warning", say: (d) => `was refused enrolment: ${d.reason}` },
  "certificate-revoked": {
    phase: "agent",
    level: "notice",
    say: () => "an earlier certificate of this machine is no longer valid",
  },
  "mac-conflict": {
    phase: "agent",
    level: "warning",
    say: (d) => `has the network card ${d.mac}, which the inventory gives to ${d.other}`,
  },
  // install, verbs, node
  "install-ordered": { phase: "agent", level: "info", say: () => "is to install: nothing is missing" },
  "config-given": {
    phase: "agent",
    level: "notice",
    say: (d) => `was given its config${d.isAgain ? " again, because an earlier attempt was cut" : ""}`,
  },
  "config-refused": {
    phase: "agent",
    level: "alarm",
    say: (d) => `was refused its config: ${d.reason}${d.remedy ? ` (${d.remedy})` : ""}`,
  },
  "install-step": {
    phase: "agent",
    level: "info",
    say: (d) => `installs, step ${d.number} of ${d.of}: ${d.text} (${amount(d)})`,
  },
  installed: {
    phase: "agent",
    level: "notice",
    say: (d) =>
      `is installed${d.disk ? ` on ${d.disk}` : ""}${typeof d.seconds === "number" ? `, ${d.seconds} s after it was told to` : ""}`,
  },
  "order-failed": {
    phase: "agent",
    // No alarm: `slipway machines` shows it for as long as it lasts, an alarm would stay for a day.
    level: "warning",
    say: (d) => `cannot go on: ${d.reason}${d.remedy ? ` (${d.remedy})` : ""}`,
  },
  "installation-unknown": {
    phase: "agent",
    level: "alarm",
    say: (d) => `is not trusted as installed: ${d.reason}${d.remedy ? ` (${d.remedy})` : ""}`,
  },
  "machine-twice": {
    phase: "agent",
    level: "alarm",
    say: (d) => `is heard from ${d.first} and ${d.second} in turn: two machines have its key (${d.remedy})`,
  },
  "reset-step": {
    phase: "agent",
    level: "info",
    say: (d) => `is reset, step ${d.number} of ${d.of}: ${d.text} (${amount(d)})`,
  },
  "verb-taken": { phase: "agent", level: "notice", say: (d) => `begins the ${d.verb}` },
  "disk-unheard": {
    phase: "loader",
    level: "alarm",
    say: (d) => `was sent to its disk ${d.count} times, and its agent was not heard (${d.remedy})`,
  },
  ready: {
    phase: "agent",
    level: "notice",
    say: (d) => `is a Ready node${typeof d.seconds === "number" ? `, ${d.seconds} s after power-on` : ""}`,
  },
  "not-ready": { phase: "agent", level: "warning", say: (d) => `is no Ready node: ${d.reason}` },
  waiting: { phase: "agent", level: "notice", say: (d) => `waits: ${d.reason}` },
  "agent-progress": { phase: "agent", level: "info", say: (d) => `${d.step}${d.text ? `: ${d.text}` : ""}` },
  "would-install": { phase: "agent", level: "notice", say: (d) => `would install to ${d.disk}: ${d.reason}` },
  "agent-lost": { phase: "agent", level: "notice", say: () => "the agent's connection ended" },
  failed: { phase: "agent", level: "alarm", say: (d) => `failed: ${d.reason}${d.remedy ? ` (${d.remedy})` : ""}` },
  // people and the server
  discovered: {
    phase: "firmware",
    level: "notice",
    say: (d) =>
      `was seen for the first time${d.interface ? ` on ${d.interface}` : ""}` +
      (d.uuidOf ? `; it shows the UUID of ${d.uuidOf}: another network card of it, or one that says so` : ""),
  },
  changed: { phase: "person", level: "info", say: (d) => `was changed by ${d.actor}: ${d.what}` },
  "cluster-changed": {
    phase: "person",
    level: "notice",
    say: (d) => `${d.cluster ? `cluster ${d.cluster}` : d.target}: ${d.what} (by ${d.actor})`,
  },
  "bootstrap-intended": {
    phase: "server",
    level: "notice",
    say: (d) => `is to begin etcd for cluster ${d.cluster}: ${d.reason}`,
  },
  "bootstrap-confirmed": {
    phase: "agent",
    level: "notice",
    say: (d) => `has begun etcd for cluster ${d.cluster} (etcd cluster id ${d.etcdClusterId})`,
  },
  "bootstrap-permitted": {
    phase: "person",
    level: "warning",
    say: (d) => `cluster ${d.cluster} may begin anew with new data (by ${d.actor})`,
  },
  "bootstrap-uncertain": {
    phase: "server",
    level: "alarm",
    say: (d) => `cluster ${d.cluster}: whether it was begun is not certain: ${d.reason} (${d.remedy})`,
  },
  "bootstrap-conflict": {
    phase: "server",
    level: "alarm",
    say: (d) => `cluster ${d.cluster}: ${d.reason} (${d.remedy})`,
  },
  "cluster-lost": {
    phase: "server",
    level: "alarm",
    say: (d) => `cluster ${d.cluster} is lost: ${d.reason} (${d.remedy})`,
  },
  "cluster-settled": {
    phase: "server",
    level: "notice",
    say: (d) => `cluster ${d.cluster} is out of doubt again: ${d.reason}`,
  },
  "image-imported": {
    phase: "person",
    level: "info",
    say: (d) => `the container image ${d.image} was imported by ${d.actor}`,
  },
  "image-deleted": {
    phase: "person",
    level: "info",
    say: (d) => `the container image ${d.image} was deleted by ${d.actor}`,
  },
  "kubeconfig-issued": {
    phase: "person",
    level: "notice",
    say: (d) =>
      `cluster ${d.cluster}: a kubeconfig of an administrator, good for ${d.hours} h, was made for ${d.actor}`,
  },
  approved: { phase: "person", level: "notice", say: (d) => `was approved by ${d.actor}` },
  "to-disk": { phase: "loader", level: "info", say: (d) => `goes on to its disk: ${d.reason}` },
  "log-dropped": {
    phase: "server",
    level: "warning",
    say: (d) => `${d.lines} log lines were dropped: they came faster than they could be written`,
  },
  "log-lost": {
    phase: "server",
    level: "alarm",
    say: (d) => `the log on standard output cannot be written: ${d.reason}`,
  },
  "storage-failed": {
    phase: "server",
    level: "alarm",
    say: (d) =>
      `nothing could be written for ${d.seconds} s (${d.reason}); ${d.kept} events were kept meanwhile, ${d.dropped} were lost`,
  },
  "images-damaged": {
    phase: "server",
    level: "alarm",
    say: (d) =>
      `the list of container images was damaged (${d.reason}) and is ${d.file} now; ${d.kept} of its images are still served. Import the others again, then remove that file`,
  },
  "audit-damaged": {
    phase: "server",
    level: "alarm",
    say: (d) => `the audit log was changed by hand: entry ${d.seq} does not fit the one before it`,
  },
  "server-started": { phase: "server", level: "info", say: (d) => `the appliance started (version ${d.version})` },
  "interface-lost": { phase: "server", level: "alarm", say: (d) => `${d.interface} ${d.what}` },
  "interface-back": { phase: "server", level: "notice", say: (d) => `${d.interface} is usable again` },
  "asset-damaged": {
    phase: "server",
    level: "alarm",
    say: (d) => `${d.file} is not what its manifest says: ${d.reason}`,
  },
} as const satisfies Record<string, Row>;

export type EventKind = keyof typeof EVENTS;

/** An event before it is written. `mac` names the machine; `at` is milliseconds since 1970. */
export type NewEvent = { kind: EventKind; at: number; mac?: string; attemptId?: string; detail?: Detail };
/** An event as read back; `seq` grows and never repeats. */
export type EventRecord = NewEvent & { seq: number; machineId?: string; detail: Detail };

/** The plain words of an event. */
export function describeEvent(event: { kind: EventKind; detail?: Detail }): string {
  return EVENTS[event.kind].say(event.detail ?? {});
}
