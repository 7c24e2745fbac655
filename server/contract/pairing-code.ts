// The code that a person compares between a machine's screen and `slipway machines`. Pure (hashing is arithmetic).
// Both sides work it out for themselves from what they saw: the CA that the machine pinned and the key that the appliance
// certified. Somebody in between has to show each side a CA or a key of his own, and the two codes differ.
import { pbkdf2Sync } from "node:crypto";

/** Crockford's base 32: no I, L, O, U, so that a code can be read aloud. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/**
 * Forty bits are few: whoever sits in between could search for a key whose code fits, within the ticket's fifteen minutes.
 * This many rounds make each try cost ten thousand hashes; one costs a node a few milliseconds.
 */
const ROUNDS = 10_000;

/**
 * The pairing code, `7KQ2-M9XD`.
 * @param caFingerprint SHA-256 of the CA certificate (DER), lower-case hex.
 * @param keyFingerprint SHA-256 of the machine's public key (SPKI DER), lower-case hex.
 */
export function pairingCode(caFingerprint: string, keyFingerprint: string): string {
  const bytes = pbkdf2Sync(`${caFingerprint}:${keyFingerprint}`, "slipway pairing 1", ROUNDS, 5, "sha256");
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
  const letters = (bits.match(/.{5}/g) ?? []).map((five) => ALPHABET[Number.parseInt(five, 2)]).join("");
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}
