// What a machine says about itself, brought into the inventory's form. It is a claim by whoever holds a valid ticket: text is
// cut and cleaned, numbers are bounded, lists are short. Pure.
import { type Mac, parseMac } from "../../inventory/address.ts";
import type { MachineChange } from "../../inventory/port.ts";
import type { Facts } from "../contract/generated/agent.ts";

const LONGEST_TEXT = 200;
const MOST_ITEMS = 128;

/** What board makers leave in a field that they did not fill: neither a name nor an identity. */
const PLACEHOLDER =
  /^(to be filled by o\.?e\.?m\.?|default string|system (serial number|product name|manufacturer)|not (specified|applicable|available)|none|n\/a|o\.?e\.?m\.?|unknown|invalid|0+|x+|\.+|123456789|0123456789|empty)$/i;

/** Printable, without control characters, at most 200 characters. */
export const cleanText = (text: string): string =>
  text
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, " ")
    .trim()
    .slice(0, LONGEST_TEXT);

/** The value of a DMI field, or undefined when the maker left a placeholder. */
export function meaningfulText(text: string): string | undefined {
  const clean = cleanText(text);
  return clean === "" || PLACEHOLDER.test(clean) ? undefined : clean;
}

/** All unicast MACs that the machine has, each once. */
export function macsOf(facts: Facts | undefined): Mac[] {
  const macs = (facts?.nics ?? []).slice(0, MOST_ITEMS).map((nic) => parseMac(nic.mac));
  return [...new Set(macs.filter((mac) => mac !== undefined))];
}

/** What the facts change in the inventory, MACs apart: they may collide with another machine, which the edge must see. */
export function changeOf(id: string, facts: Facts): MachineChange {
  const serial = meaningfulText(facts.serial);
  const product = [meaningfulText(facts.vendor), meaningfulText(facts.product)]
    .filter((t) => t !== undefined)
    .join(" ");
  return {
    id,
    // Junk UUIDs ("Not Settable", one digit repeated) are told apart by the inventory itself.
    ...(facts.uuid !== "" && { uuid: cleanText(facts.uuid) }),
    ...(serial !== undefined && { serial }),
    ...(product !== "" && { product }),
    ...(facts.arch !== "" && { arch: cleanText(facts.arch) }),
    ...(facts.firmware !== "" && { firmware: cleanText(facts.firmware) }),
    facts: plainOf(facts),
  };
}

/** A value that JSON can hold: bigints as numbers (a disk of 8 PiB is the largest exact one), text and lists cut. */
function plainOf(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "string") return cleanText(value);
  if (Array.isArray(value)) return value.slice(0, MOST_ITEMS).map(plainOf);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plainOf(field)]));
  return value;
}

/** What a dead clock said; a number that no calendar has stays a number. */
export function formatTime(unixMs: bigint): string {
  const ms = Number(unixMs);
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(unixMs);
}
