// What `npm run lab` and `npm start` may be told. Pure. Called by judge-lab.ts.
import { parseArgs } from "node:util";
import { type ClusterShape, parseShape } from "./cluster-shape.ts";
import { FIRMWARES, type Firmware } from "./qemu-arguments.ts";

export const USAGE = `npm run lab -- [options]
  --cluster CONTROLPLANES+WORKERS        a Kubernetes cluster of container nodes, at native speed: --cluster 1+2
  --vm                                   of virtual machines instead, from blank disks
  --order planes-first|workers-first|random   in which order its machines are switched on (default: planes-first)
  --agent image|sources                  container nodes run the image's agent, or this work tree's (default: image)
  --firmware bios|uefi|uefi-http|arm64   firmware of the machines (default: uefi); with --cluster --vm several, by turns: uefi,bios
  --machines N                           without --cluster: how many machines netboot (default: 1)
  --mode server|proxy|auto               who gives out addresses: the appliance, or a real dnsmasq beside it (default: server)
  --start                                as \`npm start\`: one machine netboots at once, and becomes a cluster when the full
                                         image is there
  --keep                                 stay up afterwards, until Ctrl-C
  --data-dir DIR                         the appliance's dataDir, with images in it (default: ./data, where they are built)
  --help, -h                             this text
`;

const ORDERS = ["planes-first", "workers-first", "random"] as const;

export type LabOptions = {
  firmwares: readonly Firmware[];
  machines: number;
  mode: "server" | "proxy" | "auto";
  keep: boolean;
  start: boolean;
  dataDir: string;
  cluster?: { shape: ClusterShape; isVm: boolean; order: (typeof ORDERS)[number]; agent: "image" | "sources" };
};

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  if ((allowed as readonly string[]).includes(value)) return value as T;
  throw new Error(`--${option}: must be one of ${allowed.join(", ")}, found "${value}"`);
}

/** @throws an Error whose message names the option, what was found and what may stand there. */
export function parseLabOptions(args: readonly string[]): LabOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      cluster: { type: "string" },
      vm: { type: "boolean", default: false },
      order: { type: "string", default: "planes-first" },
      agent: { type: "string", default: "image" },
      firmware: { type: "string", default: "uefi" },
      machines: { type: "string", default: "1" },
      mode: { type: "string", default: "server" },
      keep: { type: "boolean", default: false },
      start: { type: "boolean", default: false },
      "data-dir": { type: "string", default: "data" },
    },
  });
  const machines = Number(values.machines);
  if (!Number.isInteger(machines) || machines < 1 || machines > 64) {
    throw new Error(`--machines: must be a number from 1 to 64, found "${values.machines}"`);
  }
  const known = Object.keys(FIRMWARES) as Firmware[];
  const firmwares = values.firmware.split(",").map((one) => oneOf("firmware", one, known));
  return {
    ...{ firmwares, machines, keep: values.keep, dataDir: values["data-dir"] },
    // Asked for anything else, it is not a newcomer's first start. A cluster of arm64 is built only where it is wanted.
    start: values.start && values.cluster === undefined && machines === 1 && !firmwares.includes("arm64"),
    mode: oneOf("mode", values.mode, ["server", "proxy", "auto"]),
    ...clusterOf(values),
  };
}

function clusterOf(values: {
  cluster?: string;
  vm: boolean;
  order: string;
  agent: string;
}): Pick<LabOptions, "cluster"> {
  if (values.cluster === undefined) {
    if (values.vm) throw new Error("--vm: goes with --cluster; machines without a cluster are virtual anyway");
    return {};
  }
  const shape = parseShape(values.cluster);
  if (shape === undefined) {
    throw new Error(`--cluster: must be like 1+2 (control planes + workers, at least 1+0), found "${values.cluster}"`);
  }
  const order = oneOf("order", values.order, ORDERS);
  return { cluster: { shape, isVm: values.vm, order, agent: oneOf("agent", values.agent, ["image", "sources"]) } };
}
