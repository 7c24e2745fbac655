// The boot app on a loopback socket: what pxe.md 2.8, 2.9 and 5 ask of it.

import { truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { httpLoaderPath, LOADERS, type LoaderName, loaderPath } from "../../../server/boot/paths.ts";
import { SlipwayError } from "../../../server/contract/errors.ts";
import { listenBoot } from "../../../server/http/open-listener.ts";
import { ask, bootApp, talk } from "./boot-app.ts";

let it: Awaited<ReturnType<typeof bootApp>>;
const start = async (...args: Parameters<typeof bootApp>) => {
  await it?.close();
  it = await bootApp(...args);
};
beforeEach(async () => {
  it = await bootApp();
});
afterEach(async () => {
  await it.close();
});
const kernel = () => `/image/${it.image.manifest.id}/kernel`;

describe("every answer", () => {
  const paths = () => [
    "/boot/entry.ipxe",
    "/boot/script?mac=x",
    "/autoexec.ipxe",
    "/ipxe/bios/undionly.kpxe",
    kernel(),
    "/nothing",
    "/boot/nothing",
  ];
  test("has an exact Content-Length, no chunks, no redirect, no empty header and few of them", async () => {
    for (const path of paths()) {
      const { status, headers, body, raw } = await ask(it.port, path);
      expect(status === 200 || status === 404, path).toBe(true);
      expect(Number(headers["content-length"]), path).toBe(body.length);
      expect(headers["transfer-encoding"], path).toBeUndefined();
      expect(Object.keys(headers).length).toBeLessThanOrEqual(9);
      expect(
        raw.split("\n").every((text) => text !== ""),
        path,
      ).toBe(true);
      expect(headers["content-encoding"]).toBeUndefined();
    }
  });
  test("`//` is the same as `/`, without a redirect (smee #229)", async () => {
    for (const path of ["//boot//entry.ipxe", "//ipxe///bios//undionly.kpxe", kernel().replaceAll("/", "//")]) {
      expect((await ask(it.port, path)).status, path).toBe(200);
    }
  });
  test("HEAD announces what GET sends", async () => {
    for (const path of ["/boot/entry.ipxe", "/ipxe/x86_64/snponly.efi", kernel()]) {
      const head = await ask(it.port, path, {}, "HEAD");
      const get = await ask(it.port, path);
      expect(head.body).toHaveLength(0);
      for (const name of ["content-length", "content-type", "etag", "last-modified"]) {
        expect(head.headers[name], `${path} ${name}`).toBe(get.headers[name]);
      }
    }
  });
});

describe("loaders", () => {
  test.each(Object.keys(LOADERS) as LoaderName[])(
    "%s is served under both of its paths with its type",
    async (name) => {
      const bytes = it.loaders[`${LOADERS[name].dir}/${LOADERS[name].file}`]!;
      for (const path of [`/${loaderPath(name)}`, httpLoaderPath(name, "52:54:00:12:34:56")]) {
        const { status, headers, body } = await ask(it.port, path);
        expect([status, body.equals(bytes)]).toEqual([200, true]);
        expect(headers["content-type"]).toBe(path.endsWith(".efi") ? "application/efi" : "application/octet-stream");
        expect(headers.etag).toMatch(/^"[0-9a-f]{64}"$/);
        expect(headers["accept-ranges"]).toBe("bytes");
      }
    },
  );
  test("a fetch is an event of the machine in the path, and counts towards the loop guard", async () => {
    await ask(it.port, httpLoaderPath("uefi-x86_64", "52:54:00:12:34:56"), {}, "HEAD");
    await ask(it.port, httpLoaderPath("uefi-x86_64", "52:54:00:12:34:56"));
    expect(await it.event("loader-fetched")).toMatchObject({
      mac: "52:54:00:12:34:56",
      detail: { file: "x86_64/snponly.efi", bytes: 285_184, ms: expect.any(Number) },
    });
    expect(it.events).toHaveLength(1);
    expect(it.noted).toEqual(["52:54:00:12:34:56"]);
  });
  test.each(["disk", "ignore"] as const)("HTTP Boot gets a 404 when the decision is %s", async (decision) => {
    await start({ httpLoader: async () => decision });
    for (const method of ["HEAD", "GET"]) {
      expect((await ask(it.port, httpLoaderPath("uefi-x86_64", "52:54:00:12:34:56"), {}, method)).status).toBe(404);
    }
  });
  test("autoexec.ipxe is beside every loader and at the root", async () => {
    const mac = "/ipxe-http/52-54-00-12-34-56";
    for (const path of [
      "/autoexec.ipxe",
      "/ipxe/bios/autoexec.ipxe",
      "/ipxe/x86_64/autoexec.ipxe",
      `${mac}/arm64/autoexec.ipxe`,
    ]) {
      const { body, headers } = await ask(it.port, path);
      expect(body.toString()).toBe("#!ipxe\n# autoexec at 127.0.0.1\n");
      expect(headers["cache-control"]).toBe("no-store");
    }
  });
  test("siblings that shim asks for are a 404 at once", async () => {
    for (const file of ["revocations_sku.efi", "shim_certificate_0.efi", "..%2f..%2fimages", "%00"]) {
      expect((await ask(it.port, `/ipxe/x86_64/${file}`)).status).toBe(404);
    }
  });
});

describe("scripts", () => {
  test("come with the addresses of both ends and are never kept", async () => {
    const { body, headers } = await ask(it.port, "/boot/script?mac=52:54:00:12:34:56&mac=x&uuid=");
    expect(body.toString()).toBe("#!ipxe\n# script for 52:54:00:12:34:56 from 127.0.0.1\n");
    expect(headers).toMatchObject({ "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" });
    expect((await ask(it.port, "/boot/entry.ipxe")).body.toString()).toBe("#!ipxe\n# entry at 127.0.0.1\n");
    expect((await ask(it.port, "/boot/loop.ipxe")).body.toString()).toBe("#!ipxe\n# loop at 127.0.0.1\n");
  });
  test("a fault of ours is a script that names it, and its remedy stays in the log", async () => {
    await start({ script: async () => Promise.reject(new SlipwayError("DATABASE_DAMAGED", "slipway.db is damaged")) });
    const { status, body } = await ask(it.port, "/boot/script?mac=x");
    expect([status, body.toString()]).toEqual([200, "#!ipxe\necho slipway.db is damaged\nsleep 10\n"]);
    expect(it.lines.some((line) => line.includes("slipway.db is damaged"))).toBe(true);
  });
  test("a fault that is not ours is a script that says nothing of our inside", async () => {
    await start({ script: async () => Promise.reject(new Error("secret path /root/x")) });
    const { status, body } = await ask(it.port, "/boot/script?mac=x");
    expect(status).toBe(200);
    expect(body.toString()).toContain("a fault inside the appliance");
    expect(body.toString()).not.toContain("secret");
  });
  test("so are an unknown path and a broken URL under /boot, and autoexec's faults", async () => {
    await start({
      autoexec: () => {
        throw new Error("x");
      },
    });
    for (const path of ["/boot/nothing", "/boot/%zz", "//boot//x", "/ipxe/bios/autoexec.ipxe"]) {
      const { status, body } = await ask(it.port, path);
      expect([path, status, body.toString().slice(0, 12)]).toEqual([path, 200, "#!ipxe\necho "]);
    }
  });
  test("asking with HEAD begins no boot and makes no token", async () => {
    const asked: string[] = [];
    await start({
      script: async () => {
        asked.push("script");
        return "";
      },
      ticket: async () => {
        asked.push("ticket");
        throw new Error();
      },
    });
    expect((await ask(it.port, "/boot/script?mac=x", {}, "HEAD")).status).toBe(404);
    expect((await ask(it.port, "/boot/ticket/1", {}, "HEAD")).status).toBe(404);
    expect(asked).toEqual([]);
  });
});

describe("tickets", () => {
  test("a fetched ticket is an event of its attempt; its body is in no event and no log line", async () => {
    const { status, body, headers } = await ask(it.port, "/boot/ticket/a1");
    expect([status, body.toString(), headers["cache-control"]]).toEqual([200, '{"attempt":"a1"}\n', "no-store"]);
    expect(await it.event("ticket-fetched")).toEqual({
      kind: "ticket-fetched",
      mac: "52:54:00:12:34:56",
      attemptId: "a1",
      detail: {},
    });
    expect(JSON.stringify([it.events, it.lines])).not.toContain('{"attempt');
  });
  test("a refused ticket is a 403 with the reason: a script in its place would be booted as the ticket", async () => {
    await start({ ticket: async () => ({ kind: "refused", reason: "it was fetched from another address" }) });
    const { status, body } = await ask(it.port, "/boot/ticket/a1");
    expect([status, body.toString()]).toEqual([
      403,
      "The ticket was refused: it was fetched from another address.\nPower the machine on again: each boot gets a fresh one.\n",
    ]);
    expect(await it.event("ticket-refused")).toMatchObject({
      detail: { reason: "it was fetched from another address" },
    });
  });
  test("a fault while making one is a 500, not a script", async () => {
    await start({ ticket: async () => Promise.reject(new Error("x")) });
    const { status, body } = await ask(it.port, "/boot/ticket/a1");
    expect([status, body.toString().startsWith("#!")]).toEqual([500, false]);
  });
});

describe("images", () => {
  test.each([{ cacheBytes: 64_000_000 }, { cacheBytes: 1_048_576 }])(
    "parts come whole and in ranges, $cacheBytes bytes of cache",
    async ({ cacheBytes }) => {
      await start({}, { cacheBytes });
      const { manifest, uki } = it.image;
      for (const part of ["kernel", "initrd"] as const) {
        const { offset, bytes, sha256 } = manifest[part];
        const want = uki.subarray(offset, offset + bytes);
        const got = await ask(it.port, `/image/${manifest.id}/${part}`);
        expect([got.status, got.headers.etag, got.body.equals(want)]).toEqual([200, `"${sha256}"`, true]);
        const some = await ask(it.port, `/image/${manifest.id}/${part}`, {
          range: "bytes=1000-1511",
          "if-match": `"${sha256}"`,
        });
        expect([some.status, some.headers["content-range"], some.body.equals(want.subarray(1000, 1512))]).toEqual([
          206,
          `bytes 1000-1511/${bytes}`,
          true,
        ]);
      }
      const whole = await ask(it.port, `/image/${manifest.id}/uki`);
      expect([whole.body.equals(uki), whole.headers["content-type"]]).toEqual([true, "application/efi"]);
    },
  );
  test("304, 412 and 416 carry what the client needs", async () => {
    const { headers } = await ask(it.port, kernel());
    expect(await ask(it.port, kernel(), { "if-none-match": headers.etag! })).toMatchObject({
      status: 304,
      body: Buffer.alloc(0),
    });
    expect((await ask(it.port, kernel(), { "if-match": '"x"' })).status).toBe(412);
    const gone = await ask(it.port, kernel(), { range: "bytes=99999999-" });
    expect([gone.status, gone.headers["content-range"]]).toEqual([416, `bytes */${it.image.manifest.kernel.bytes}`]);
  });
  test("a whole fetch is a start and a done with bytes and time, of the attempt of its address", async () => {
    await start({ attemptOf: () => ({ mac: "52:54:00:12:34:56", attemptId: "a1" }) });
    await ask(it.port, kernel(), {}, "HEAD");
    await ask(it.port, kernel());
    const { bytes } = it.image.manifest.kernel;
    const who = { mac: "52:54:00:12:34:56", attemptId: "a1" };
    expect(await it.event("image-done")).toMatchObject({
      ...who,
      detail: { file: "kernel", bytes, ms: expect.any(Number) },
    });
    expect(it.events[0]).toMatchObject({ kind: "image-start", ...who, detail: { file: "kernel", bytes } });
    expect(it.events).toHaveLength(2);
  });
  test("ranges become one event when they are nearly all", async () => {
    const { bytes } = it.image.manifest.kernel;
    for (let at = 0; at < bytes; at += 250_000) {
      await ask(it.port, kernel(), { range: `bytes=${at}-${at + 249_999}` });
    }
    expect(await it.event("image-done")).toMatchObject({ mac: "52:54:00:aa:bb:cc", detail: { bytes } });
    expect(it.events).toHaveLength(1);
  });
  test("a fetch that breaks off says how far it came; the resumed rest makes it done", async () => {
    await start({}, { imageBytes: 60_000_000 });
    const { id, uki } = it.image.manifest;
    const heard = await talk(it.port, `GET /image/${id}/uki HTTP/1.1\r\nHost: x\r\n\r\n`, (bytes) => bytes > 1_000_000);
    const broken = await it.event("image-broken-off");
    const sent = broken.detail!.bytes as number;
    expect(sent).toBeGreaterThanOrEqual(heard.length - 500);
    expect(sent).toBeLessThan(uki.bytes);
    await ask(it.port, `/image/${id}/uki`, { range: `bytes=${heard.length - 500}-` });
    expect(await it.event("image-done")).toMatchObject({ detail: { bytes: uki.bytes } });
  });
  test("a file that ends early cuts the connection: the client sees that it has not all", async () => {
    await start({}, { imageBytes: 60_000_000, cacheBytes: 1_048_576 });
    const { id } = it.image.manifest;
    let isCut = false;
    const heard = await talk(it.port, `GET /image/${id}/uki HTTP/1.1\r\nHost: x\r\n\r\n`, () => {
      if (!isCut) truncateSync(join(it.image.folder, "slipway.uki.efi"), 30_000_000);
      isCut = true;
      return false;
    });
    expect(heard.length).toBeLessThan(59_000_000);
    expect(await it.event("image-broken-off")).toBeDefined();
  });
  test("an unknown image or part is a 404, a damaged one a 500 with remedy, and no byte of it", async () => {
    expect((await ask(it.port, "/image/nothing/kernel")).status).toBe(404);
    expect((await ask(it.port, `/image/${it.image.manifest.id}/__proto__`)).status).toBe(404);
    writeFileSync(join(it.image.folder, "slipway.uki.efi"), Buffer.alloc(3_000_000));
    const { status, body } = await ask(it.port, kernel());
    expect(status).toBe(500);
    expect(body.toString()).toContain("Run `npm run assets` to build the file again.");
  });
});

describe("the rest", () => {
  test("a Raspberry Pi's HTTP boot is recognised, recorded and a 404", async () => {
    for (const path of ["/boot.sig", "/some/where/boot.img"]) expect((await ask(it.port, path)).status).toBe(404);
    expect(it.events.map((event) => [event.kind, event.mac])).toEqual([
      ["raspberry-pi", "52:54:00:aa:bb:cc"],
      ["raspberry-pi", "52:54:00:aa:bb:cc"],
    ]);
  });
  test("other methods are a 405 that lists the allowed ones", async () => {
    for (const method of ["POST", "PUT", "DELETE"]) {
      const { status, headers } = await ask(it.port, kernel(), {}, method);
      expect([status, headers.allow]).toEqual([405, "GET, HEAD"]);
    }
  });
  test("HEAD and GET share a connection, as EDK2 does it; a pause between them is no fault", async () => {
    const path = "/ipxe/x86_64/snponly.efi";
    const lines = (method: string) =>
      `${method} ${path} HTTP/1.1\r\nHost: 192.0.2.1\r\nAccept: */*\r\nUser-Agent: UefiHttpBoot/1.0\r\n\r\n`;
    const heard = await talk(it.port, lines("HEAD") + lines("GET"), (bytes) => bytes > 285_184 + 300);
    const text = heard.toString("latin1");
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
    expect(text).toMatch(/Keep-Alive: timeout=65/i);
  });
  test("iPXE's status line has its space (`HTTP/1.1 200 `)", async () => {
    const heard = await talk(it.port, "GET /boot/entry.ipxe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect(heard.toString().startsWith("HTTP/1.1 200 OK\r\n")).toBe(true);
  });
  test("rubbish is a 400 and the connection closes", async () => {
    expect((await talk(it.port, "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")).toString()).toMatch(/^HTTP\/1\.1 400 /);
    expect((await talk(it.port, `GET /${"x".repeat(20_000)} HTTP/1.1\r\n\r\n`)).toString()).toMatch(/^HTTP\/1\.1 431 /);
  });
  test("listenBoot names address, port and remedy of what it cannot have", async () => {
    const port = it.port;
    await expect(listenBoot(it.app, { address: "127.0.0.1", port })).rejects.toMatchObject({
      code: "PORT_IN_USE",
      message: `HTTP, TCP 127.0.0.1:${port}: another program holds this port`,
    });
    await expect(listenBoot(it.app, { address: "203.0.113.7", port: 0 })).rejects.toMatchObject({
      code: "NO_INTERFACE",
    });
  });
  test("close lets a running answer go on for its grace, then cuts it", async () => {
    await start({ script: () => new Promise(() => {}) });
    const listener = await listenBoot(it.app, { address: "127.0.0.1", port: 0 });
    const asking = ask(listener.port, "/boot/script?mac=x").catch((error: NodeJS.ErrnoException) => error.code);
    await ask(listener.port, "/boot/entry.ipxe");
    await listener.close(20);
    expect(await asking).toBe("ECONNRESET");
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(listener.port, "127.0.0.1", resolve));
    free.close();
  });
});
