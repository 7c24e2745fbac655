// What iPXE is told, as text: one template per kind of script. Golden files in test/vectors/ipxe/ hold each of them.
// Every script says what it does and what to do next, because its screen is all that a person in front of the machine
// sees. Facts that were tried on real firmware are in docs/lab.md. Pure.
import { wrapText } from "./quote.ts";

export type Script =
  /** First script after DHCP: asks the appliance with what iPXE knows of its machine. */
  | { kind: "entry"; scriptUrl: string }
  /** Served beside the loader: ends iPXE's banner and second DHCP (performance.md §6), then as `entry`. */
  | { kind: "autoexec"; scriptUrl: string }
  | {
      kind: "os";
      title: string;
      kernelUrl: string;
      initrdUrl: string;
      ticketUrl: string;
      cmdline: string;
      retryUrl: string;
    }
  /** Go on to the disk, in the way this build of iPXE can. */
  | { kind: "disk"; reason: string; via: "uefi" | "bios-rom" | "bios-undionly" }
  /** Something is missing: says what, and asks again after a while. */
  | { kind: "explain"; reason: string; remedy: string; retryUrl: string; seconds: number };

/** Where the ticket lies in the initramfs, and its mode: root may read it, nobody else. */
export const TICKET_FILE = "/slipway/ticket.json";

/** What iPXE knows of its machine, as a query; `uristring` escapes what makers write into DMI. */
const FACTS = [
  ["mac", "netX/mac"],
  ["uuid", "uuid"],
  ["serial", "serial:uristring"],
  ["arch", "arch"],
  ["platform", "platform"],
  ["chip", "netX/chip"],
  ["version", "version:uristring"],
] as const;
const query = FACTS.map(([name, setting]) => `${name}=\${${setting}}`).join("&");

const LEAVE = {
  uefi: "exit 1",
  "bios-rom": "exit",
  "bios-undionly": "sanboot --no-describe --drive 0x80 || exit",
} as const;

const say = (text: string): string[] => wrapText(text).map((line) => `echo Slipway: ${line}`);

/** The lines that ask for the real script, and what happens when nobody answers. */
const ask = (scriptUrl: string): string[] => [
  ":ask",
  // A BIOS build of iPXE is always i386; the processor says whether it can run a 64-bit kernel.
  "cpuid --ext 29 && set arch x86_64 || set arch ${buildarch}",
  `chain --replace --autofree ${scriptUrl}?${query} || goto unanswered`,
  ":unanswered",
  "echo Slipway: the appliance did not answer; asking again in 5 seconds.",
  "echo Slipway: on the appliance, see: slipway status",
  "sleep 5",
  "goto ask",
];

const RENDER: { [K in Script["kind"]]: (script: Extract<Script, { kind: K }>) => string[] } = {
  entry: (s) => ask(s.scriptUrl),
  autoexec: (s) => [
    "ifopen net0 ||",
    // The firmware's own lease is kept where iPXE has it; else only IPv4 is asked for: waiting for IPv6 takes seconds.
    "isset ${net0/ip} || ifconf --configurator dhcp net0 || ifconf --configurator dhcp ||",
    ...ask(s.scriptUrl),
  ],
  os: (s) => [
    ...say(s.title),
    "imgfree",
    `kernel ${s.kernelUrl} ${s.cmdline} || goto failed`,
    `initrd --name initrd ${s.initrdUrl} || goto failed`,
    `initrd --name ticket ${s.ticketUrl} ${TICKET_FILE} mode=0400 || goto failed`,
    "boot || goto failed",
    ":failed",
    "echo Slipway: loading the OS failed; the lines above say why. Trying again in 10 seconds.",
    "sleep 10",
    `chain --replace --autofree ${s.retryUrl}`,
  ],
  disk: (s) => [...say(`going on to the disk: ${s.reason}`), LEAVE[s.via]],
  explain: (s) => [
    "echo",
    ...say(s.reason),
    ...say(s.remedy),
    `echo Slipway: asking again in ${s.seconds} seconds.`,
    `sleep ${s.seconds}`,
    `chain --replace --autofree ${s.retryUrl}`,
  ],
};

/** Renders one script; ends with a newline, begins with iPXE's `#!ipxe` mark. */
export function renderScript(script: Script): string {
  const render = RENDER[script.kind] as (s: Script) => string[];
  return `${["#!ipxe", ...render(script)].join("\n")}\n`;
}
