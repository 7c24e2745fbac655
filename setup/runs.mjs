// The checks and test runs, in order, and the sum over them. Called by check.mjs and test.mjs.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NODE, ROOT, runProgram } from "./run-program.mjs";
import { formatSeconds, say } from "./say.mjs";

const vitest = (name, ...args) => ({ name, tool: "vitest/vitest.mjs", args: ["run", ...args], counts: true });

/** Neither root nor a virtual machine. */
export const CHECKS = [
  { name: "types", tool: "typescript/bin/tsc", args: ["--noEmit"] },
  { name: "lint", tool: "@biomejs/biome/bin/biome", args: ["ci", ...(process.stdout.isTTY ? [] : ["--colors=off"])] },
  vitest("quick tests", "--project", "quick"),
];
/** Namespaces, virtual machines on a bridge, container nodes, a machine to Ready. The other boots are `npm run test:e2e:more`. */
export const NEEDS_ROOT = [
  vitest("integration tests", "--project", "integration"),
  vitest("one boot per firmware", "--project", "e2e", "test/e2e/boot"),
  vitest("clusters: containers, and a machine from a blank disk", "--project", "e2e", "test/e2e/cluster"),
];

/** Passed and failed of one vitest run, from its JSON report; a run without a report is one failure. */
export function countTests(report, exitCode) {
  if (report === undefined) return { passed: 0, failed: 1 };
  const { numPassedTests: passed, numFailedTests: failed, testResults } = JSON.parse(report);
  // A file that could not be loaded has no tests to fail.
  const broken = testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length;
  const counted = failed + broken;
  return { passed, failed: exitCode !== 0 && counted === 0 ? 1 : counted };
}

function readReport(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

async function runOne({ name, tool, args, counts }, scratch) {
  say(`${name} …`);
  const startedAt = Date.now();
  const reportFile = join(scratch, `${name.replaceAll(" ", "-")}.json`);
  const reporters = counts ? ["--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`] : [];
  const code = await runProgram(NODE, [join(ROOT, "node_modules", tool), ...args, ...reporters]);
  const { passed, failed } = counts
    ? countTests(readReport(reportFile), code)
    : { passed: 0, failed: code === 0 ? 0 : 1 };
  return { name, code, passed, failed, seconds: (Date.now() - startedAt) / 1000 };
}

/** Runs all, says how long each took and what it counted, and ends with `N passed, N failed`. @returns the exit code. */
export async function runAll(runs) {
  const scratch = mkdtempSync(join(tmpdir(), "slipway-test-"));
  const results = [];
  try {
    for (const run of runs) {
      const result = await runOne(run, scratch);
      results.push(result);
      if (result.code === 130 || result.code === 143) return result.code;
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  for (const { name, code, passed, failed, seconds } of results) {
    const tests = passed + failed > 0 ? `, ${passed} passed, ${failed} failed` : "";
    say(`${name}: ${code === 0 ? "good" : "NOT GOOD"} in ${formatSeconds(seconds)}${tests}`);
  }
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  console.log(`${sum("passed")} passed, ${sum("failed")} failed`);
  return results.every((result) => result.code === 0) ? 0 : 1;
}
