// A TFTP and HTTP server as a process of its own, for tests in namespaces and for the benches: made-up files by their
// size, `<bytes>.bin`. Prints one line when it listens.
//   node test/server/tftp/serve-files.ts 192.0.2.1,192.0.2.2 [tftpPort] [single-port]
import { serveTftp } from "../../../server/tftp/server.ts";
import { pattern } from "../../boot-assets/asset-folder.ts";

const [addresses = "127.0.0.1", port = "69", mode] = process.argv.slice(2);
const files = new Map<number, Buffer>();
const fileOf = (bytes: number) => files.get(bytes) ?? files.set(bytes, pattern(bytes)).get(bytes)!;
const print = (kind: string) => (text: string, fields?: unknown) => console.log(kind, text, fields ?? "");
const silent = () => {};

const server = await serveTftp({
  addresses: addresses.split(",").map((ip) => ({ ip })),
  ports: mode === "single-port" ? { kind: "single-port" } : { kind: "range", first: 50_000, last: 50_999 },
  port: Number(port),
  open: async (name) => {
    const bytes = /^(\d{1,9})\.bin$/.exec(name)?.[1];
    return bytes === undefined ? { kind: "missing" } : { kind: "file", bytes: fileOf(Number(bytes)) };
  },
  macOf: () => undefined,
  log: { debug: silent, info: silent, warn: print("warn"), error: print("error") },
  record: (event) => event.kind === "tftp-failed" && console.log("event", JSON.stringify(event)),
});
console.log(`listening on ${JSON.stringify(server.listening())}`);
process.on("SIGTERM", () => server.close());
