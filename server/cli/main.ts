// The program behind ./slipway. Nothing but the command line, the exit code, and what a closed pipe means.
import { runCli } from "./run-cli.ts";

// `slipway machines | head -1` closes the pipe: that is an end, not a fault.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
process.stderr.on("error", () => process.exit(1));

process.exitCode = await runCli(process.argv.slice(2), (text) => void process.stderr.write(text));
