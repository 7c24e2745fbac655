// GET and HEAD /image/<id>/<file>: kernel, initrd and UKI of an OS image, its manifest and signature, and the loaders for a
// disk, from the asset store. Each fetch of the image is told on the timeline of the boot attempt that its address is in.
import type { FastifyInstance } from "fastify";
import type { AssetStore } from "../../boot-assets/store.ts";
import type { Mac } from "../../inventory/address.ts";
import type { EventKind } from "../../inventory/event.ts";
import { type ImageFile, imageFilePath } from "../boot/paths.ts";
import type { RecordEvent } from "../boot/ports.ts";
import { type Delivery, deliver, notHere, peerOf } from "./deliver-routes.ts";
import { FetchTally } from "./fetch-tally.ts";

/** Suffix and type decide what firmware makes of a file (pxe.md 2.8). Small files are no news on a timeline. */
const FILES: Record<ImageFile, { contentType: string; isTold: boolean }> = {
  kernel: { contentType: "application/octet-stream", isTold: true },
  initrd: { contentType: "application/octet-stream", isTold: true },
  uki: { contentType: "application/efi", isTold: true },
  "manifest.json": { contentType: "application/json", isTold: false },
  "manifest.sig": { contentType: "application/octet-stream", isTold: false },
  loader: { contentType: "application/efi", isTold: false },
  "grub-core": { contentType: "application/octet-stream", isTold: false },
  "grub-boot": { contentType: "application/octet-stream", isTold: false },
};

export type ImageRouteDeps = {
  assets: Pick<AssetStore, "openPart">;
  record: RecordEvent;
  macOf: (ip: string) => Mac | undefined;
  attemptOf: (ip: string) => { mac: Mac; attemptId: string } | undefined;
};

export function addImageRoutes(app: FastifyInstance, deps: ImageRouteDeps): void {
  const tally = new FetchTally();
  app.route<{ Params: { id: string; file: string } }>({
    method: ["GET", "HEAD"],
    url: imageFilePath(":id", ":file" as ImageFile),
    handler: async (request, reply) => {
      const { id, file: name } = request.params;
      if (!isFile(name)) return notHere(reply);
      const file = await deps.assets.openPart(id, name);
      if (file === undefined) return notHere(reply);
      const { contentType, isTold } = FILES[name];
      const ip = peerOf(request).remoteIp;
      const tell = isTold ? teller(deps, ip, name) : () => undefined;
      return deliver(
        request,
        reply,
        { ...file, contentType },
        {
          began: (isWhole) => isWhole && tell("image-start", { bytes: file.bytes }),
          ended: (delivery) => tellEnd(tell, tally, `${ip} ${id} ${name}`, file.bytes, delivery),
        },
      );
    },
  });
}

const isFile = (name: string): name is ImageFile => Object.hasOwn(FILES, name);

type Tell = (kind: EventKind, detail: { bytes: number; ms?: number }) => void;

/** Records with the attempt of this address, else with its machine, else with the address alone. */
const teller =
  (deps: ImageRouteDeps, ip: string, file: string): Tell =>
  (kind, detail) => {
    const attempt = deps.attemptOf(ip);
    const mac = attempt?.mac ?? deps.macOf(ip);
    const who = { ...(mac !== undefined && { mac }), ...(attempt !== undefined && { attemptId: attempt.attemptId }) };
    deps.record({ kind, ...who, detail: { file, ...detail, ip } });
  };

/** One "has it" per file, however many requests it took. */
function tellEnd(tell: Tell, tally: FetchTally, key: string, totalBytes: number, delivery: Delivery) {
  const { isWhole, isComplete, sentBytes, beganAtMs, endedAtMs } = delivery;
  if (isWhole && isComplete) {
    tally.forget(key);
    return tell("image-done", { bytes: totalBytes, ms: Math.round(endedAtMs - beganAtMs) });
  }
  if (isWhole) {
    tally.forget(key);
    tell("image-broken-off", { bytes: sentBytes, ms: Math.round(endedAtMs - beganAtMs) });
  }
  const sum = tally.add(key, sentBytes, totalBytes, beganAtMs, endedAtMs);
  if (sum !== undefined && !isWhole) tell("image-done", { bytes: sum.bytes, ms: Math.round(sum.ms) });
}
