// Text of slipway.yaml → Config, or every fault at once with file, line and column. read-config.ts, the edge, calls it.
// Pure: how a path becomes absolute is an argument.
import { crossCheck } from "./cross-checks.ts";
import type { Config, InterfaceConfig } from "./settings.ts";
import { FILE_SHAPE, interfaceShape, isInterfaceName } from "./shape.ts";
import { type Path, type PathFault, pathText, visit, type Walk } from "./walk.ts";
import { readYamlTree, type YamlTree } from "./yaml-tree.ts";

/** `at` is `slipway.yaml:12:9: interfaces.eth1.dhcp`. */
export type ConfigFault = { at: string; message: string };
export type Checked = { kind: "config"; config: Config } | { kind: "faults"; faults: ConfigFault[] };

export type CheckOptions = {
  /** How the file is called in faults. */
  fileName: string;
  /** Interfaces from the command line; those the file does not have get every default. */
  interfaceNames: readonly string[];
  /** Makes a path of the file absolute. */
  resolvePath: (path: string) => string;
};

export function checkSettings(text: string, options: CheckOptions): Checked {
  const tree = readYamlTree(text);
  if (tree.faults.length > 0) {
    // A broken tree gives wrong follow-up faults, so these stand alone.
    return {
      kind: "faults",
      faults: sorted(tree.faults).map((f) => ({ at: place(options, tree, f.offset), message: f.message })),
    };
  }
  const walk: Walk = { faults: [], offsets: new Map() };
  const config = visit(walk, FILE_SHAPE, tree.root as never, []) as Config;
  const added = addInterfaces(config, options.interfaceNames);
  const complete = { ...config, ...absolutePaths(config, options), interfaces: added.interfaces };
  const inFile = [...walk.faults, ...crossCheck(complete)].map((f) => withOffset(walk, f));
  const faults = [
    ...sorted(inFile).map((f) => ({
      at: [place(options, tree, f.offset), ...(f.path.length > 0 ? [pathText(f.path)] : [])].join(": "),
      message: f.message,
    })),
    ...added.faults,
  ];
  return faults.length > 0 ? { kind: "faults", faults } : { kind: "config", config: complete };
}

/** Paths of the file are relative to the file. */
const absolutePaths = ({ dataDir, identity }: Config, { resolvePath }: CheckOptions) => ({
  dataDir: dataDir === undefined ? dataDir : resolvePath(dataDir),
  identity: identity === undefined ? identity : resolvePath(identity),
});

function addInterfaces({ interfaces }: Config, names: readonly string[]) {
  const faults: ConfigFault[] = [];
  const added: InterfaceConfig[] = [];
  for (const name of new Set(names)) {
    if (!isInterfaceName(name))
      faults.push({
        at: `--interface ${name}`,
        message: "must be the name of a network interface, at most 15 characters",
      });
    else if (!interfaces.some((i) => i.name === name)) added.push(defaultInterface(name));
  }
  return { faults, interfaces: [...interfaces, ...added] };
}

/** An interface of which nothing is said. */
export function defaultInterface(name: string): InterfaceConfig {
  const values = visit({ faults: [], offsets: new Map() }, interfaceShape, null, []) as Omit<InterfaceConfig, "name">;
  return { name, ...values };
}

/** The value's own place, or that of the nearest thing around it that stands in the file. */
function withOffset(walk: Walk, fault: PathFault): PathFault & { offset: number } {
  let path: Path = fault.path;
  let offset = fault.offset ?? walk.offsets.get(pathText(path));
  while (offset === undefined && path.length > 0) {
    path = path.slice(0, -1);
    offset = walk.offsets.get(pathText(path));
  }
  return { ...fault, offset: offset ?? 0 };
}

const sorted = <F extends { offset: number }>(faults: F[]): F[] => faults.toSorted((a, b) => a.offset - b.offset);

function place({ fileName }: CheckOptions, tree: YamlTree, offset: number): string {
  const { line, column } = tree.positionOf(offset);
  return `${fileName}:${line}:${column}`;
}
