// The container images that nodes pull from here, opened for the appliance: a damaged list of them is an alarm with what to do
// about it, and keeps nobody from booting. run-appliance.ts calls it.
import { join } from "node:path";
import type { Log, RecordEvent } from "../boot/ports.ts";
import { type ImageStore, openImageStore } from "../oci/store.ts";

export type ImageDeps = { dataDir: string; log: Log; record: RecordEvent; now: () => number };

export function openImages({ dataDir, log, record, now }: ImageDeps): ImageStore {
  const images = openImageStore(join(dataDir, "images"), now);
  const { damage } = images;
  if (damage !== undefined) {
    const { path, reason, aside, kept } = damage;
    log.error(
      `${path} was damaged (${reason}) and is ${aside} now; ${kept} of its images are still served. Import the others again (slipway images import FILE), then remove ${aside}`,
    );
    record({ kind: "images-damaged", detail: { file: aside, reason, kept } });
  }
  for (const path of images.setAside().filter((one) => one !== damage?.aside))
    log.warn(
      `${path} is a damaged list of container images: import those that \`slipway images list\` lacks again, then remove it. No image's bytes are deleted while it is there`,
    );
  return images;
}
