// Debian packages for a purpose: asks dpkg what is there, installs only what is missing, and says what for.
import { execFileSync } from "node:child_process";
import { runAsRoot } from "./need-root.mjs";
import { PACKAGES } from "./packages.mjs";
import { assertDone } from "./run-program.mjs";
import { say, step } from "./say.mjs";

/** Which of `names` dpkg does not list as installed. */
export function missingPackages(names, statusLines) {
  const installed = new Set(
    statusLines
      .split("\n")
      .map((line) => /^(\S+?)(?::\S+)? install ok installed$/.exec(line)?.[1])
      .filter(Boolean),
  );
  return names.filter((name) => !installed.has(name));
}

function dpkgStatus(names) {
  try {
    const format = `--showformat=\${Package} \${Status}\n`;
    return execFileSync("dpkg-query", ["--show", format, ...names], { stdio: ["ignore", "pipe", "ignore"] }).toString();
  } catch (error) {
    // It ends with 1 when it does not know one of them, and still lists the others.
    return error.stdout?.toString() ?? "";
  }
}

/** A program that a test needs must not become a running service of this machine: 101 forbids the start. */
const QUIETLY =
  'p=/usr/sbin/policy-rc.d; if [ ! -e $p ]; then trap "rm -f $p" EXIT; printf "#!/bin/sh\\nexit 101\\n" > $p; chmod 755 $p; fi; ' +
  'export DEBIAN_FRONTEND=noninteractive; apt-get -q update && apt-get -q install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"';

/** Installs what is missing for the purposes named (keys of PACKAGES). */
export async function needPackages(...purposes) {
  const why = Object.assign({}, ...purposes.map((purpose) => PACKAGES[purpose]));
  const names = Object.keys(why);
  const missing = missingPackages(names, dpkgStatus(names));
  if (missing.length === 0) return;
  for (const name of missing) say(`the Debian package ${name} is missing (${why[name]})`);
  await step(`installing ${missing.length} Debian packages`, async () => {
    const code = await runAsRoot("to install Debian packages", "sh", ["-c", QUIETLY, "sh", ...missing]);
    const byHand = `apt-get install --no-install-recommends ${missing.join(" ")}`;
    assertDone(code, `apt-get ended with ${code}`, `Its lines above say why. To try by hand: ${byHand}`);
  });
}
