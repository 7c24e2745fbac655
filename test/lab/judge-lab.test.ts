// What the lab refuses before anything starts: each refusal says what is missing and what to do.
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { judgeLab } from "./judge-lab.ts";

const FILES = ["images/amd64-base/manifest.sig", "images/amd64-full/manifest.sig", "ipxe/ipxe.json"];
const having =
  (...files: string[]) =>
  (path: string) =>
    files.some((file) => path === `/srv/lab/assets/${file}`);
const [BASE, FULL, IPXE] = FILES as [string, string, string];
const judge = (args: string, ...files: string[]) =>
  judgeLab(["--data-dir", "/srv/lab", ...args.split(" ").filter(Boolean)], having(...files));

test.each([
  ["", [BASE, IPXE]],
  ["", [FULL, IPXE]],
  ["--start --keep", [BASE, IPXE]],
  ["--cluster 1+2", [FULL, IPXE]],
  ["--cluster 1+2 --firmware arm64", [FULL, IPXE]],
  ["--cluster 1+1 --vm --firmware uefi,bios", [FULL, IPXE]],
])("judgeLab lets `%s` begin with what it needs", (args, files) => {
  expect(judge(args, ...files)).toMatchObject({ kind: "lab", options: { dataDir: "/srv/lab" } });
});

test.each([
  ["", [], "no image for amd64", "--arch amd64 --variant base`"],
  ["--firmware arm64", [BASE, FULL, IPXE], "no image for arm64", "--arch arm64 --variant base`"],
  ["--firmware arm64,uefi", [], "no image for arm64 and amd64", "--arch arm64,amd64 --variant base`"],
  ["--cluster 1+0", [BASE, IPXE], "no image with Kubernetes in it for amd64", "--arch amd64 --variant full`"],
  [
    "--cluster 1+0 --vm --firmware arm64",
    [FULL, IPXE],
    "with Kubernetes in it for arm64",
    "--arch arm64 --variant full`",
  ],
  ["", [BASE], "no iPXE loaders", "--arch amd64 --variant base`"],
])("judgeLab refuses `%s` with %j: %s", (args, files, says, remedy) => {
  const verdict = judge(args, ...files);
  expect(verdict).toMatchObject({ kind: "refused", code: 3 });
  const [fault, advice] = (verdict as { text: string }).text.split("\n");
  expect(fault).toMatch(new RegExp(`^/srv/lab/assets has .*${says}`));
  expect(advice).toContain(`npm run assets -- --data-dir /srv/lab ${remedy}`);
  expect(advice).toMatch(/, or leave --data-dir out\.$/);
});

test("judgeLab refuses a wrong option with the usage, and asks for no file", () => {
  const refuse = () => judgeLab(["--machines", "0"], () => expect.unreachable());
  expect(refuse()).toMatchObject({
    kind: "refused",
    code: 2,
    text: expect.stringMatching(/^--machines: .*\n\nnpm run lab/),
  });
});

test.each([["--help"], ["-h"], ["--cluster 1+2 --help"]])("judgeLab answers %s with the usage", (args) => {
  expect(judge(args)).toMatchObject({ kind: "help", code: 0, text: expect.stringContaining("--help, -h") });
});

const CHECK = join(import.meta.dirname, "check-lab.ts");
test("check-lab prints the usage on standard output, and faults on the other", () => {
  expect(execFileSync(process.execPath, [CHECK, "-h"], { encoding: "utf8" })).toMatch(/^npm run lab -- \[options\]\n/);
  const refused = spawnSync(process.execPath, [CHECK, "--data-dir", "/nonesuch"], { encoding: "utf8" });
  expect(refused).toMatchObject({ status: 3, stdout: "" });
  expect(refused.stderr).toMatch(/^\/nonesuch\/assets has no image for amd64\nRun `npm run assets/);
  // What the lab's own dataDir lacks is built next.
  expect(execFileSync(process.execPath, [CHECK, "--cluster", "1+1"], { encoding: "utf8" })).toBe("");
});

const OWN = { dataDir: undefined, archs: ["amd64"], variants: ["base"] };
test.each([
  ["--keep", OWN],
  ["--data-dir /srv/a", { ...OWN, dataDir: "/srv/a" }],
  ["--keep --data-dir=/srv/b --cluster 1+1", { ...OWN, dataDir: "/srv/b", variants: ["base", "full"] }],
  ["--firmware arm64", { ...OWN, archs: ["arm64"] }],
  ["--cluster 1+1 --firmware arm64", { ...OWN, variants: ["base", "full"] }],
  ["--cluster=1+1 --vm --firmware arm64,uefi,bios", { ...OWN, archs: ["arm64", "amd64"], variants: ["base", "full"] }],
])("the set-up for `%s` brings what judgeLab asks for", async (args, wanted) => {
  const { planLab } = (await import(new URL("../../setup/start-lab.mjs", import.meta.url).href)) as {
    planLab(args: readonly string[]): typeof OWN;
  };
  const plan = planLab(args.split(" "));
  expect(plan).toEqual(wanted);
  const built = plan.archs.flatMap((arch) => plan.variants.map((variant) => `images/${arch}-${variant}/manifest.sig`));
  expect(judge(args.replace(/--data-dir[= ]\S+/, "--data-dir=/srv/lab"), ...built, IPXE).kind).toBe("lab");
});
