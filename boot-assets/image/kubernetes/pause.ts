// Assembles the pause program with the locked binutils: a static program of about a kilobyte, the same on every host.
// Called by build.ts.
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Arch } from "../packages.ts";
import { ARCH_FACTS } from "../recipe.ts";
import { runTool, type Toolbox } from "../tools.ts";

/** One segment, for kernels with any page size that the architecture has: 64 kB on some arm64 ones. */
const PAGE_BYTES: Record<Arch, number> = { amd64: 4096, arm64: 65_536 };

/** @param workDir is made and removed. @throws SlipwayError COMMAND_FAILED when as or ld complain. */
export async function assemblePause(arch: Arch, tools: Toolbox, workDir: string): Promise<Uint8Array> {
  const tool = (name: string) => `usr/bin/${ARCH_FACTS[arch].triplet}-${name}`;
  const object = join(workDir, "pause.o");
  const program = join(workDir, "pause");
  mkdirSync(workDir, { recursive: true });
  try {
    await runTool(tools, tool("as"), ["-o", object, join(import.meta.dirname, `pause/pause-${arch}.s`)]);
    const layout = ["-z", "noseparate-code", "-z", `max-page-size=${PAGE_BYTES[arch]}`, "--build-id=none"];
    await runTool(tools, tool("ld"), ["-static", "-s", ...layout, "-o", program, object]);
    return readFileSync(program);
  } finally {
    rmSync(workDir, { recursive: true, force: true });
  }
}
