// A file tree in memory: what goes into the root file system and the initramfs before anything is written to disk.
// Paths have no leading slash and no trailing one ("usr/bin/node"). Owner is always root, times are always 0, so that
// nothing of the host that builds can leak into the image. Pure.
import { SlipwayError } from "../../server/contract/errors.ts";

/** `from` names the Debian package, "npm:…" or "slipway": it ends in the allow-list and the SBOM. */
export type TreeEntry =
  | { kind: "file"; mode: number; bytes: Uint8Array; from: string }
  | { kind: "link"; target: string; from: string }
  | { kind: "dir"; mode: number; from: string };
export type Tree = Map<string, TreeEntry>;

/** Debian's merged /usr: a few packages still ship the old directories. */
const MERGED = /^(bin|sbin|lib|lib64)\//;

/** "./lib/x" → "usr/lib/x"; "" for the root itself. */
export function normalizePath(path: string): string {
  const clean = path.replace(/^(\.?\/)+/, "").replace(/\/+$/, "");
  if (clean === ".") return "";
  return MERGED.test(`${clean}/`) ? `usr/${clean}` : clean;
}

/** Adds an entry; two different owners of one path are a fault of the recipe. */
export function addEntry(tree: Tree, path: string, entry: TreeEntry): void {
  const old = tree.get(path);
  if (old !== undefined && !(old.kind === "dir" && entry.kind === "dir")) {
    throw new SlipwayError(
      "INTERNAL",
      `/${path} comes from ${old.from} and from ${entry.from}; the recipe may keep one`,
    );
  }
  tree.set(path, entry);
}

/** Adds every missing parent directory (0755). */
export function addParents(tree: Tree): void {
  for (const path of [...tree.keys()]) {
    const parts = path.split("/");
    for (let n = 1; n < parts.length; n++) {
      const parent = parts.slice(0, n).join("/");
      if (!tree.has(parent)) tree.set(parent, { kind: "dir", mode: 0o755, from: "slipway" });
    }
  }
}

/** Paths in byte order, parents before children: the order in which every archive is written. */
export const sortedPaths = (tree: Tree): string[] => [...tree.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));

/**
 * Follows symbolic links inside the tree, those of parent directories too.
 *
 * @returns the path of a file or directory of the tree; undefined when it leads nowhere (or in a circle).
 */
export function resolvePath(tree: Tree, path: string, depth = 0): string | undefined {
  if (depth > 40) return undefined;
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  let at = "";
  for (let n = 0; n < parts.length; n++) {
    if (parts[n] === "..") {
      at = at.split("/").slice(0, -1).join("/");
      continue;
    }
    const next = at === "" ? parts[n]! : `${at}/${parts[n]}`;
    const entry = tree.get(next);
    if (entry?.kind === "link") {
      const rest = parts.slice(n + 1).join("/");
      const start = entry.target.startsWith("/") ? entry.target : `${at}/${entry.target}`;
      return resolvePath(tree, `${start}/${rest}`, depth + 1);
    }
    at = next;
  }
  return at === "" || tree.has(at) ? at : undefined;
}

/** `*` stays within one directory level, `**` crosses them, `{a,b}` is either; everything else is literal. */
export function globToRegExp(glob: string): RegExp {
  const source = glob.replace(/\*\*|\*|\{[^}]*\}|[.+?^$()|[\]\\]/g, (part) => {
    if (part === "**") return ".*";
    if (part === "*") return "[^/]*";
    if (part.startsWith("{"))
      return `(?:${part
        .slice(1, -1)
        .split(",")
        .map((each) => globToRegExp(each).source.slice(1, -1))
        .join("|")})`;
    return `\\${part}`;
  });
  return new RegExp(`^${source}$`);
}
