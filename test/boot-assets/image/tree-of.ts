// Trees for tests, from a short notation: "a/b": text or bytes (0644), "a/b*": the same with the x bit, "a -> b": a link.
import type { Tree } from "../../../boot-assets/image/tree.ts";

export function treeOf(files: Record<string, string | Uint8Array>, from = "test"): Tree {
  const tree: Tree = new Map();
  for (const [key, content] of Object.entries(files)) {
    const [path, target] = key.split(" -> ");
    if (target !== undefined) tree.set(path!, { kind: "link", target, from });
    else {
      const isProgram = key.endsWith("*");
      const bytes = typeof content === "string" ? Buffer.from(content) : content;
      tree.set(isProgram ? key.slice(0, -1) : key, { kind: "file", mode: isProgram ? 0o755 : 0o644, bytes, from });
    }
  }
  return tree;
}
