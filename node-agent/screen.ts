// The machine's own screen: name, address, state, pairing code, what to do next. Plain ASCII, 80 × 25, no secrets. Pure:
// a status in, lines out. run-screen.ts writes them to the consoles.

export type ScreenStatus = {
  /** `Slipway OS 0.1.0`. */
  osVersion: string;
  /** `amd64, uefi`. */
  hardware: string;
  /** Maker and product. */
  product: string;
  /** Empty while nobody named it. */
  name: string;
  mac: string;
  /** `192.0.2.7 on enp1s0`; none while no address came. */
  addresses: readonly string[];
  /** `192.0.2.1:8443`; empty while unknown. */
  appliance: string;
  /** `worker, endpoint https://192.0.2.5:6443`; empty while it is no node. */
  cluster: string;
  /** What it does, or waits for. */
  state: string;
  /** Empty before there is a key. */
  pairingCode: string;
  /** What a person does next. */
  next: string;
};

export const SCREEN_COLUMNS = 80;
export const SCREEN_ROWS = 25;
const LABEL_COLUMNS = 14;
const RULE = "-".repeat(SCREEN_COLUMNS - 4);

/**
 * Lays the status out.
 * @returns at most 25 lines of at most 79 columns: a character in column 80 makes some consoles scroll.
 */
export function renderScreen(status: ScreenStatus): string[] {
  const body = [
    "",
    `  ${spread(status.osVersion || "Slipway OS", status.hardware)}`,
    `  ${RULE}`,
    "",
    ...row("Machine", status.name === "" ? `${status.mac} (no name yet)` : `${status.name} (${status.mac})`),
    ...row("", status.product),
    ...row("Address", status.addresses.slice(0, 4).join(", ") || "none yet: waiting for DHCP"),
    ...row("Appliance", status.appliance || "not known"),
    ...row("Cluster", status.cluster),
    "",
    ...row("State", status.state),
    ...row(
      "Pairing code",
      status.pairingCode === "" ? "" : `${status.pairingCode} (\`slipway machines\` must show the same)`,
    ),
    "",
    ...(status.next === ""
      ? []
      : ["  What to do next", ...wrap(status.next, SCREEN_COLUMNS - 6).map((line) => `    ${line}`)]),
  ];
  return body.slice(0, SCREEN_ROWS - 1).map((line) =>
    ascii(line)
      .slice(0, SCREEN_COLUMNS - 1)
      .trimEnd(),
  );
}

function row(label: string, value: string): string[] {
  if (value === "") return [];
  return wrap(value, SCREEN_COLUMNS - LABEL_COLUMNS - 4).map(
    (line, index) => `  ${(index === 0 ? label : "").padEnd(LABEL_COLUMNS)}${line}`,
  );
}

const spread = (left: string, right: string): string =>
  left.slice(0, 50) + right.slice(0, 24).padStart(SCREEN_COLUMNS - 4 - left.slice(0, 50).length);

/** Breaks at spaces; a word that is longer than the line is cut. */
function wrap(text: string, columns: number): string[] {
  const lines: string[] = [""];
  for (const word of text.split(/\s+/).flatMap((w) => w.match(new RegExp(`.{1,${columns}}`, "g")) ?? [])) {
    const line = lines.at(-1)!;
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= columns) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.slice(0, 6);
}

/** Names and reasons come over the network; a terminal obeys what does not print. */
const ascii = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?");
