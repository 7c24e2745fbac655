// Asking for root: only when it is needed, with the reason and the command, and never by surprise.
import { execFileSync } from "node:child_process";
import { runProgram } from "./run-program.mjs";
import { SetupError, say } from "./say.mjs";

export const isRoot = () => process.getuid() === 0;

/** Whether sudo is there and can be used: it may ask for a password only where somebody can answer. */
function sudoWorks() {
  try {
    execFileSync("sudo", process.stdin.isTTY ? ["--version"] : ["-n", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const quote = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/**
 * Runs a command as root: directly, else by sudo after saying why; resolves with its exit code.
 * @param why what needs root, as the end of the sentence "root is needed …".
 * @throws SetupError (exit 3) with the exact command when there is no way to become root.
 */
export function runAsRoot(why, command, args, options = {}) {
  if (isRoot()) return runProgram(command, args, options);
  const words = ["sudo", command, ...args];
  const line = words.map(quote).join(" ");
  if (!sudoWorks()) {
    throw new SetupError(
      `root is needed ${why}, and sudo is not usable here`,
      `Run the same command again as root, or only this step: ${line.slice("sudo ".length)}`,
    );
  }
  say(`root is needed ${why}; running: ${line}`);
  return runProgram(words[0], words.slice(1), options);
}
