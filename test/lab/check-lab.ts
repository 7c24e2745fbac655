// Judges the options of `npm run lab` and `npm start` before packages are installed, images built or root asked for: exits with
// 0 when the lab may be prepared. Called by setup/start-lab.mjs.
import { existsSync } from "node:fs";
import { judgeLab, tellVerdict } from "./judge-lab.ts";

const args = process.argv.slice(2);
const isNamed = args.some((arg) => /^--data-dir(=|$)/.test(arg));
// What the lab's own dataDir lacks is built next; into a directory that a person names nothing is put unasked.
const verdict = judgeLab(args, isNamed ? existsSync : () => true);
process.exitCode = verdict.kind === "lab" ? 0 : tellVerdict(verdict);
