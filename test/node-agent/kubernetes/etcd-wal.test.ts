// The head of a real segment (etcd 3.7.3), and everything that is none.
import { expect, test } from "vitest";
import { decodeWalHead, newestSegment } from "../../../node-agent/kubernetes/etcd-wal.ts";

/** Of a member whose etcd said `cluster_id` 9821799261672566091, `member_id` 4883715177145422428. */
const HEAD = Buffer.from(
  "BAAAAAAAAIQIBBAAAAAAAB8AAAAAAACBCAEQ66vZvgcaFQjcpL/vwaKc40MQy9q/+b7MgqeIAQAOAAAAAAAAgggFELOt34MEGgQIABAAAAA=",
  "base64",
);

test("decodeWalHead reads the ids that etcd itself says", () => {
  expect(decodeWalHead(HEAD)).toEqual({ clusterId: "884e0a63ef2fed4b", memberId: "43c671141defd25c" });
  expect(BigInt("0x884e0a63ef2fed4b")).toBe(9821799261672566091n);
});

test("decodeWalHead takes no cut head, no zeros and no noise for an id", () => {
  // Up to the end of the metadata record.
  for (let length = 0; length < 55; length++) expect(decodeWalHead(HEAD.subarray(0, length))).toBeUndefined();
  expect(decodeWalHead(new Uint8Array(4096))).toBeUndefined();
  expect(decodeWalHead(Buffer.from("not a log at all, but a text that is long enough"))).toBeUndefined();
});

test("newestSegment looks at segments only", () => {
  const names = ["0.tmp", "0000000000000001-000000000000a000.wal", "0000000000000000-0000000000000000.wal", "x.wal"];
  expect(newestSegment(names)).toBe("0000000000000001-000000000000a000.wal");
  expect(newestSegment(["0.tmp"])).toBeUndefined();
});
