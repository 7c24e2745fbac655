// Where a page's commands are run: a directory and a home of their own in the appliance's namespace of a rack, as its reader
// would have them. Called by first-cluster.e2e.test.ts.
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cacheDirOf } from "../../../boot-assets/image/cache.ts";
import { SlipwayError } from "../../../server/contract/errors.ts";
import { isWhatPagePrints, type PageStep } from "../../lab/docs-page.ts";
import type { LabProcess } from "../../lab/namespace-process.ts";
import { writeWorkloadImage } from "../../lab/workload-image.ts";
import type { TestRack } from "../test-rack.ts";

const ROOT = join(import.meta.dirname, "../../..");
const ENDS_WITHIN_MS = 300_000;
const SHOWS_WITHIN_MS = 60_000;

export type PageDesk = {
  /** Writes a file of the page. */
  write(name: string, text: string): void;
  /** @throws COMMAND_FAILED with what the page shows and what was printed, when the two differ. */
  run(step: PageStep & { kind: "run" }): Promise<void>;
  /** Ends what stays. */
  close(): Promise<void>;
};

/** Lays out the directory: the launcher, and the archive that another computer would have made. */
export function openPageDesk({ lab, home: ns, scratchFile }: TestRack): PageDesk {
  const [dir, home] = [dirname(scratchFile("slipway")), scratchFile("home")];
  for (const name of [".config/slipway", ".cache/slipway"]) mkdirSync(join(home, name), { recursive: true });
  // The owner who signed the rack's images, and the kubectl that was built with them.
  copyFileSync(scratchFile("identity.age"), join(home, ".config/slipway/identity.age"));
  symlinkSync(join(cacheDirOf(process.env), "built"), join(home, ".cache/slipway/built"));
  symlinkSync(join(ROOT, "slipway"), join(dir, "slipway"));
  writeWorkloadImage(join(dir, "web.tar"));
  const unset = { SUDO_USER: undefined, KUBECONFIG: undefined, SLIPWAY_SOCKET: undefined, SLIPWAY_CACHE: undefined };
  const env = { ...unset, XDG_CACHE_HOME: undefined, HOME: home };
  const staying: LabProcess[] = [];
  return {
    write: (name, text) => writeFileSync(join(dir, name), text),
    run: async (step) => {
      const process = lab.spawn(ns, ["sh", "-c", `cd ${dir} && exec 2>&1; ${step.command}`], { env });
      if (step.stays) staying.push(process);
      await (step.stays ? untilShown(step, process) : untilEnded(step, process));
    },
    close: async () => {
      for (const process of staying.toReversed()) await process.stop();
    },
  };
}

type Run = PageStep & { kind: "run" };

async function untilShown({ line, command, prints }: Run, process: LabProcess): Promise<void> {
  const until = Date.now() + SHOWS_WITHIN_MS;
  while (!isWhatPagePrints(prints, process.stdout(), false)) {
    if (Date.now() > until) throw differs({ line, command, prints }, process.stdout());
    await sleep(100);
  }
}

async function untilEnded({ line, command, prints }: Run, process: LabProcess): Promise<void> {
  const code = await process.ended(ENDS_WITHIN_MS);
  // Who reads the page sees a fault by its words; its code has to fit them.
  const isFault = prints.some((words) => words.startsWith("slipway: "));
  const isAsShown = isWhatPagePrints(prints, process.stdout()) && isFault === (code !== 0);
  if (!isAsShown) throw differs({ line, command, prints }, `${process.stdout()}(exit code ${code})`);
}

function differs({ line, command, prints }: Pick<Run, "line" | "command" | "prints">, printed: string): SlipwayError {
  const shown = prints.join("\n").trimEnd();
  return new SlipwayError(
    "COMMAND_FAILED",
    `line ${line}: ${command}\nthe page shows:\n${shown}\nit printed:\n${printed}`,
  );
}
