// Which lines of a background build reach the appliance's own output, and that one without work to do has none.
import { expect, test } from "vitest";

type Follow = (
  what: string,
  command: readonly string[],
  options: { tell: (line: string) => void; quietMs?: number },
) => Promise<boolean>;
const { thinOut, followBuild } = (await import(new URL("../../setup/background-assets.mjs", import.meta.url).href)) as {
  thinOut(everyMs?: number): (line: string, nowMs: number) => boolean;
  followBuild: Follow;
};

const follow = async (script: string, quietMs?: number) => {
  const said: string[] = [];
  const options = { tell: (line: string) => void said.push(line), ...(quietMs === undefined ? {} : { quietMs }) };
  return { isThere: await followBuild("The image", ["sh", "-c", script], options), said };
};

test("followBuild says nothing where nothing is to be built", async () => {
  expect(await follow("exit 0")).toEqual({ isThere: true, said: [] });
});

test("followBuild tells of a build with its first line, shows its lines, and says when it is there", async () => {
  const { isThere, said } = await follow("echo packing; echo again >&2");
  expect(isThere).toBe(true);
  expect(said[0]).toMatch(/^The image is being built;/);
  expect(said).toContain("(in the background) packing");
  expect(said).toContain("(in the background) again");
  expect(said.at(-1)).toMatch(/^The image is there after /);
});

test("followBuild tells of a build that goes on without a word", async () => {
  const { said } = await follow("sleep 0.2", 1);
  expect(said[0]).toMatch(/^The image is being built;/);
  expect(said.at(-1)).toMatch(/^The image is there after /);
});

test("followBuild says that a build failed, also one without a word", async () => {
  const { isThere, said } = await follow("exit 3");
  expect(isThere).toBe(false);
  expect(said).toEqual([expect.stringMatching(/^The image is not built \(3\).*npm run assets/)]);
});

test("thinOut shows every rare line, and of the frequent ones one in thirty seconds", () => {
  const isShown = thinOut();
  const compiled = "Kubernetes, amd64: 812 packages compiled, at most 1579 left, 3 min 5 s";
  const shown = [0, 10_000, 20_000, 30_000, 40_000].map((nowMs) => isShown(compiled, nowMs));
  expect(shown).toEqual([true, false, false, true, false]);
  expect(isShown("amd64 full: done in 144 s", 41_000)).toBe(true);
  expect(isShown("", 42_000)).toBe(false);
});
