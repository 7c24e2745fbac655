// The page of `cluster status`: what a tired admin sees of a cluster that is whole.
import { expect, test } from "vitest";
import { clusterPage } from "../../../server/cli/cluster-table.ts";
import type { ClusterStatusView } from "../../../server/rest/cluster-schema.ts";

const note = (node: string, note: string) => ({ node, note });
const page = (notes: ClusterStatusView["notes"]) =>
  clusterPage(
    {
      ...{ name: "rack1", createdAt: "2026-01-02T00:00:00Z", isGreen: true, summary: "green: 2 of 2 nodes are Ready" },
      ...{ bootstrap: { state: "done", reason: "" }, etcd: { members: [] }, nodes: [], waiting: [], pendingPods: [] },
      notes,
    },
    0,
    undefined,
  );
const lastLine = (notes: ClusterStatusView["notes"]) => page(notes).trimEnd().split("\n").at(-1);

test("clusterPage says nothing of configs that are wholly in force", () => {
  expect(page([])).not.toContain("config");
});

test("clusterPage tells of kept fields in one line, as information, with the command that lists them", () => {
  expect(lastLine([note("cp1", "a"), note("cp1", "b")])).toBe(
    "For information: 2 config fields are kept for the Talos API or given by the OS image; slipway config cp1 lists them",
  );
  expect(lastLine([note("cp1", "a")])).toContain("1 config field is kept");
});

test("clusterPage tells of several nodes in one line, and names the one that has most to tell", () => {
  const notes = [note("w1", "a"), note("cp1", "a"), note("cp1", "b"), note("w2", "a")];
  expect(lastLine(notes)).toBe(
    "For information: up to 2 config fields a node are kept for the Talos API or given by the OS image; slipway config cp1 lists them",
  );
  expect(page(notes).match(/config/g)).toHaveLength(2);
});
