// One machine's fetch of its boot script for pxe-load.ts: by a connection of its own from its own leased address, as iPXE does.
import { execFileSync } from "node:child_process";
import { request } from "node:http";
import { numberToIpv4 } from "../../inventory/address.ts";

/** Gives the load's interface all the addresses that its machines have leased. */
export function takeAddresses(interfaceName: string, addresses: Iterable<number>): void {
  const lines = Array.from(addresses, (ip) => `address replace ${numberToIpv4(ip)}/12 dev ${interfaceName}`);
  execFileSync("ip", ["-batch", "-"], { input: lines.join("\n") });
}

/** @returns whether a script came that speaks to the machine (not a refusal for asking too much). */
export function fetchScript(n: number, ip: number, server: string): Promise<boolean> {
  const hex = (n >>> 0).toString(16).padStart(8, "0").match(/../g)!.join(":");
  const path = `/boot/script?mac=52:54:${hex}&platform=efi&arch=x86_64`;
  return new Promise((resolve) => {
    const options = { host: server, port: 8080, path, localAddress: numberToIpv4(ip), agent: false };
    const asked = request(options, (response) => {
      let text = "";
      response.setEncoding("latin1").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve(response.statusCode === 200 && text.startsWith("#!ipxe")));
    });
    asked.on("error", () => resolve(false));
    asked.end();
  });
}
