// `images import|list|delete`: container images that the nodes pull from the appliance.
import { createReadStream, statSync } from "node:fs";
import { Transform } from "node:stream";
import { SlipwayError } from "../contract/errors.ts";
import { ARCHIVE_TYPE, type ImagesView, type ImageView } from "../rest/image-routes.ts";
import { type CommonOptions, type Desk, openDesk, show } from "./output.ts";
import { renderTable, size } from "./table.ts";

export type ImageImportOptions = CommonOptions & { name?: string };

const SAY_EVERY_MS = 1000;

export async function runImageImport(file: string, options: ImageImportOptions): Promise<void> {
  const totalBytes = sizeOf(file);
  const desk = await openDesk(options);
  const query = options.name === undefined ? {} : { name: options.name };
  const body = createReadStream(file).pipe(progress(desk, totalBytes));
  const type = ARCHIVE_TYPE;
  const { images } = await desk.client.upload<ImagesView>("/v1/images", { body, type, bytes: totalBytes }, query);
  await show(desk, images, () =>
    images.map((i) => `${i.name}: imported, ${i.platforms.join(", ")}, ${size(i.bytes)}\n`).join(""),
  );
}

function sizeOf(file: string): number {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat?.isFile()) return stat.size;
  throw new SlipwayError("BAD_REQUEST", `${file}: ${stat === undefined ? "there is no such file" : "is no file"}`, {
    remedy: "Name an archive as `docker save` or `podman save` write it.",
  });
}

/** Says how far it is, to people only. */
function progress(desk: Pick<Desk, "note" | "isTerminal" | "now">, totalBytes: number): Transform {
  let done = 0;
  let saidAt = desk.now();
  return new Transform({
    transform(chunk: Buffer, _encoding, next) {
      done += chunk.length;
      if (desk.now() - saidAt >= SAY_EVERY_MS) {
        saidAt = desk.now();
        desk.note(`${size(done)} of ${size(totalBytes)} (${Math.floor((100 * done) / Math.max(1, totalBytes))} %)\n`);
      }
      next(null, chunk);
    },
  });
}

export async function runImageList(options: CommonOptions): Promise<void> {
  const desk = await openDesk(options);
  const { images } = await desk.client.get<ImagesView>("/v1/images");
  const rows = images.map((i) => [i.name, i.platforms.join(", "), size(i.bytes), i.digest]);
  await show(desk, images, () =>
    rows.length === 0
      ? "No image was imported yet.\n  slipway images import FILE.tar\n"
      : renderTable(["IMAGE", "PLATFORMS", "SIZE", "DIGEST"], rows, desk.width),
  );
}

export async function runImageDelete(name: string, options: CommonOptions): Promise<void> {
  const desk = await openDesk(options);
  const removed = await desk.client.post<ImageView>("/v1/images/delete", { name });
  await show(desk, removed, () => `${removed.name}: deleted; nodes that run it keep it\n`);
}
