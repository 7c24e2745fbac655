// Makes the one key that takes seconds: RSA 4096, in a thread of libuv's, so that the event loop goes on. Called by
// open-cluster-secrets.ts. Edge: chance.
import { generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";

/** A private key of 4096 bits with Node's exponent, 65537. */
export async function generateRsaKey(): Promise<KeyObject> {
  const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: 4096 });
  return privateKey;
}
