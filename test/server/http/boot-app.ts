// The real boot app over a real asset folder for tests, with a boot service that answers what the test says.
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { buildBootApp } from "../../../server/http/app.ts";
import type { BootPort } from "../../../server/http/boot-routes.ts";
import { listenBoot } from "../../../server/http/open-listener.ts";
import { assetFolder, writeImage, writeLoaders } from "../../boot-assets/asset-folder.ts";

export type Recorded = { kind: string; mac?: string; attemptId?: string; detail?: Record<string, unknown> };

/** Builds, listens on loopback, and gives the way to close everything. */
export async function bootApp(
  over: Partial<BootPort> = {},
  options: { imageBytes?: number; cacheBytes?: number } = {},
) {
  const folder = assetFolder();
  const loaders = writeLoaders(folder.dir);
  const image = writeImage(folder.dir, { bytes: options.imageBytes ?? 3_000_000 });
  const assets = await folder.open(options.cacheBytes);
  const events: Recorded[] = [];
  const lines: string[] = [];
  const noted: string[] = [];
  const line = (text: string) => void lines.push(text);
  let onEvent: (() => void) | undefined;
  const boot: BootPort = {
    entryScript: ({ localIp }) => `#!ipxe\n# entry at ${localIp}\n`,
    loopScript: ({ localIp }) => `#!ipxe\n# loop at ${localIp}\n`,
    autoexec: ({ localIp }) => `#!ipxe\n# autoexec at ${localIp}\n`,
    script: async (query, peer) => `#!ipxe\n# script for ${query.mac} from ${peer.remoteIp}\n`,
    ticket: async (id) => ({ kind: "ticket", body: `{"attempt":"${id}"}\n`, mac: "52:54:00:12:34:56" }),
    httpLoader: async () => "serve",
    faultScript: (reason) => `#!ipxe\necho ${reason}\nsleep 10\n`,
    attemptOf: () => undefined,
    noteLoaderFetched: (mac) => void noted.push(mac),
    ...over,
  };
  const app = await buildBootApp({
    assets,
    boot,
    record: (event) => {
      events.push(event as Recorded);
      onEvent?.();
    },
    log: { debug: line, info: line, warn: line, error: line },
    macOf: () => "52:54:00:aa:bb:cc",
  });
  const listener = await listenBoot(app, { address: "127.0.0.1", port: 0 });
  const event = async (kind: string): Promise<Recorded> => {
    for (let tries = 0; tries < 100; tries++) {
      const found = events.find((one) => one.kind === kind);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        onEvent = resolve;
        setTimeout(resolve, 50);
      });
    }
    throw new Error(`no event ${kind}; there are ${events.map((one) => one.kind)}`);
  };
  return {
    app,
    assets,
    folder,
    loaders,
    image,
    events,
    lines,
    noted,
    event,
    port: listener.port,
    async close() {
      await listener.close();
      await app.close();
      await assets.close();
      folder.remove();
    },
  };
}

export type Answer = { status: number; headers: Record<string, string>; body: Buffer; raw: string };

/** One request through node:http, the path untouched (fetch would tidy it). */
export function ask(port: number, path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: "127.0.0.1", port, path, method, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers as Record<string, string>,
          body: Buffer.concat(parts),
          raw: response.rawHeaders.join("\n"),
        }),
      );
    });
    request.on("error", reject);
    request.end();
  });
}

/** Sends raw text on one connection and collects all that comes back until the server closes or `until` says that so many bytes are enough. */
export function talk(port: number, text: string, until: (bytes: number) => boolean = () => false): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text, "latin1"));
    const parts: Buffer[] = [];
    let bytes = 0;
    socket.on("data", (part) => {
      parts.push(part);
      bytes += part.length;
      if (until(bytes)) socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(parts)));
  });
}
