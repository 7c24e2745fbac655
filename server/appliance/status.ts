// The parts' own words as the one document that `slipway status` shows. Pure.
import type { AssetStatus } from "../../boot-assets/store.ts";
import type { ServedInterface } from "../boot/served-interface.ts";
import type { ReadConfig } from "../config/read-config.ts";
import type { InterfaceStatus } from "../dhcp/run-interface.ts";
import type { StatusDocument } from "../rest/status.ts";

export type StatusParts = {
  version: string;
  startedAt: string;
  config: ReadConfig;
  interfaces: readonly ServedInterface[];
  dhcp: readonly InterfaceStatus[];
  assets: AssetStatus;
  alarms: StatusDocument["alarms"];
};

/** What was asked for (settings) beside what is (interfaces, DHCP, assets). */
export function statusDocument(parts: StatusParts): StatusDocument {
  const { version, startedAt, config, alarms } = parts;
  return {
    ...{ version, startedAt, alarms, dataDir: config.dataDir, httpPort: config.http.port, grpcPort: config.grpc.port },
    ...(config.file !== undefined && { configFile: config.file }),
    interfaces: config.interfaces.map((settings) => {
      const at = parts.interfaces.find((one) => one.name === settings.name);
      const dhcp = parts.dhcp.find((one) => one.name === settings.name);
      return {
        name: settings.name,
        ...(at && { mac: at.mac }),
        addresses: [...(at?.addresses ?? [])],
        hasCarrier: at?.hasCarrier ?? false,
        dhcp: {
          configured: settings.dhcp,
          mode: dhcp === undefined ? "off" : (DHCP_WORDS[dhcp.state] ?? dhcp.state),
          reason: dhcp?.reason ?? "DHCP has not started yet",
        },
        networks: [...(dhcp?.networks ?? [])],
      };
    }),
    assets: assetRows(parts.assets),
  };
}

/** States of server/dhcp/mode.ts in the settings' own words, so that a mode that was asked for is not shown as another. */
const DHCP_WORDS: Readonly<Record<string, string>> = { serving: "server", looking: "probing" };

const STATE_WORDS = { verified: "verified", unverified: "checking", damaged: "damaged" } as const;

function assetRows(assets: AssetStatus): StatusDocument["assets"] {
  const images = assets.images.map(({ version, variant, arch, bytes, state, reason }) => ({
    ...{ name: `Slipway OS (${variant})`, version, arch, sizeBytes: bytes, state: STATE_WORDS[state] },
    ...(reason !== undefined && { reason }),
  }));
  const loaders = assets.loaders.map(({ path, version, bytes }) => ({
    name: path,
    version,
    sizeBytes: bytes,
    state: "verified",
  }));
  const faults = assets.faults.map(({ file, reason, remedy }) => ({
    name: file,
    state: "damaged",
    reason: `${reason.replace(/\.?$/, ".")} ${remedy}`,
  }));
  const nothing = { name: "Slipway OS", state: "missing", reason: "Run `npm run assets` to build it." };
  return [...(images.length + faults.length === 0 ? [nothing] : []), ...images, ...loaders, ...faults];
}
