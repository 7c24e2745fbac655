// LLDP frames, byte by byte (IEEE 802.1AB-2016 §8).
import { describe, expect, test } from "vitest";
import { decodeLldp } from "../../node-agent/lldp.ts";

const tlv = (type: number, ...value: number[]) => [(type << 1) | (value.length >> 8), value.length & 0xff, ...value];
const text = (s: string) => [...Buffer.from(s)];
const frame = (...tlvs: number[][]) =>
  Buffer.from([0x01, 0x80, 0xc2, 0, 0, 0x0e, 2, 0, 0, 0, 0, 1, 0x88, 0xcc, ...tlvs.flat()]);
const CHASSIS = tlv(1, 4, 0, 0x1b, 0x21, 0xaa, 0xbb, 0xcc);
const PORT = tlv(2, 5, ...text("ge-0/0/7"));
const TTL = tlv(3, 0, 120);
const END = tlv(0);

describe("decodeLldp", () => {
  test("reads a switch's name and port", () =>
    expect(decodeLldp(frame(CHASSIS, PORT, TTL, tlv(5, ...text("tor-1")), END))).toEqual({
      ...{ chassis: "00:1b:21:aa:bb:cc", port: "ge-0/0/7", systemName: "tor-1" },
    }));
  test("shows what is no text as hex", () =>
    expect(decodeLldp(frame(tlv(1, 7, 1, 2, 255), PORT, TTL, END))?.chassis).toBe("0102ff"));
  test("hides control characters of a switch's name", () =>
    expect(decodeLldp(frame(CHASSIS, PORT, TTL, tlv(5, 27, 91), END))?.systemName).toBe("?["));
  test("needs chassis and port", () => expect(decodeLldp(frame(CHASSIS, TTL, END))).toBeUndefined());
  test("leaves other frames alone", () => expect(decodeLldp(Buffer.alloc(60))).toBeUndefined());
  test("survives every truncation and every changed byte", () => {
    const whole = frame(CHASSIS, PORT, TTL, END);
    for (let at = 0; at < whole.length; at++) {
      expect(() => decodeLldp(whole.subarray(0, at))).not.toThrow();
      for (const value of [0, 1, 0x7f, 0xff]) {
        const changed = Buffer.from(whole);
        changed[at] = value;
        expect(() => decodeLldp(changed)).not.toThrow();
      }
    }
  });
});
