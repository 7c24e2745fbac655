// Which image answers a wish. Pure; store.ts calls it with what lies on the disk.
import type { Manifest } from "./manifest.ts";

/** `variant` undefined means: the full image where there is one, else the base. */
export type ImageWish = { arch: string; variant?: Manifest["variant"] };

/**
 * Chooses an image.
 *
 * @returns the image of that architecture (and variant); the full one before the base, the higher version first;
 *   undefined when there is none, which is an outcome: the boot script explains it.
 */
export function pickImage<T extends Pick<Manifest, "arch" | "variant" | "version">>(
  images: readonly T[],
  wish: ImageWish,
): T | undefined {
  return images
    .filter((image) => image.arch === wish.arch && (wish.variant === undefined || image.variant === wish.variant))
    .sort(fullThenNewest)[0];
}

type Ranked = Pick<Manifest, "variant" | "version">;

const fullThenNewest = (a: Ranked, b: Ranked) =>
  Number(b.variant === "full") - Number(a.variant === "full") ||
  // Numeric parts compare as numbers: 0.10 is newer than 0.9.
  b.version.localeCompare(a.version, "en", { numeric: true });
