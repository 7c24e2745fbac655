// index.json of the image store: which images there are, as far as the file can be believed. Called by store.ts when it opens.
// A damaged index keeps no appliance from starting: what is whole in it is served.
import { existsSync, readFileSync } from "node:fs";
import { formatReference, isDigest, parseReference } from "./image-reference.ts";
import type { StoredImage } from "./store.ts";

export const INDEX_SCHEMA = 1;

/** `damage`: what is wrong with the file, in words; `images` are those that are whole all the same. */
export type IndexContent = { images: StoredImage[]; damage?: string };

/** @returns no images and no damage where there is no file. */
export function readIndex(path: string): IndexContent {
  if (!existsSync(path)) return { images: [] };
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    const isRead = cause instanceof SyntaxError;
    return { images: [], damage: isRead ? "it is no JSON" : `it cannot be read: ${(cause as Error).message}` };
  }
  return judge(value);
}

function judge(value: unknown): IndexContent {
  const { schema, images } = (isObject(value) ? value : {}) as { schema?: unknown; images?: unknown };
  if (schema !== INDEX_SCHEMA || !Array.isArray(images))
    return { images: [], damage: `it must have schema ${INDEX_SCHEMA} and a list of images` };
  const whole = images.filter(isStoredImage);
  const lost = images.length - whole.length;
  return lost === 0
    ? { images: whole }
    : { images: whole, damage: `${lost} of its ${images.length} images are not as Slipway writes them` };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === "string";

function isStoredImage(value: unknown): value is StoredImage {
  if (!isObject(value)) return false;
  const { name, digest, mediaTypes, digests, bytes, platforms, importedAt } = value;
  return (
    isCanonicalName(name) &&
    Array.isArray(digests) &&
    digests.every((one) => isText(one) && isDigest(one)) &&
    digests.includes(digest) &&
    isObject(mediaTypes) &&
    Object.values(mediaTypes).every(isText) &&
    Number.isSafeInteger(bytes) &&
    Array.isArray(platforms) &&
    platforms.every(isText) &&
    isText(importedAt) &&
    !Number.isNaN(Date.parse(importedAt))
  );
}

function isCanonicalName(name: unknown): boolean {
  const reference = isText(name) ? parseReference(name) : undefined;
  return reference !== undefined && formatReference(reference) === name;
}
