// Rules between settings: what each line alone cannot show. One row per rule; check-settings.ts runs them all, also on a
// file with wrong lines: their values are missing (Draft), and the rules judge the rest. Pure.
import { Buffer } from "node:buffer";
import type { Config } from "./settings.ts";
import { SUBNET_RULES } from "./subnet-checks.ts";
import type { Path } from "./walk.ts";

export type Complaint = { path: Path; message: string };
/** A value whose wrong lines left holes. */
export type Draft<T> = T extends string | number | boolean
  ? T
  : T extends readonly (infer E)[]
    ? readonly Draft<E>[]
    : { [K in keyof T]: T[K] extends readonly unknown[] ? Draft<T[K]> : Draft<T[K]> | undefined };
export type Rule = (config: Draft<Config>) => Complaint[];

/** The admin socket's place; the CLI finds it by the same function. */
export const adminSocketPath = (dataDir: string): string => `${dataDir.replace(/\/+$/, "")}/admin.sock`;
/** sockaddr_un.sun_path holds 108 bytes with the final NUL; Node answers a longer path with a bare EINVAL. */
export const MAX_SOCKET_PATH_BYTES = 107;

/** What is too long about a socket path, or undefined. */
export function socketPathFault(socket: string): string | undefined {
  const over = Buffer.byteLength(socket) - MAX_SOCKET_PATH_BYTES;
  if (over <= 0) return undefined;
  return `the admin socket ${socket} would have a path of ${over + MAX_SOCKET_PATH_BYTES} bytes, and the system allows ${MAX_SOCKET_PATH_BYTES}`;
}

const socketFits: Rule = ({ dataDir }) => {
  const fault = dataDir === undefined ? undefined : socketPathFault(adminSocketPath(dataDir));
  return fault === undefined ? [] : [{ path: ["dataDir"], message: `${fault}; choose a shorter dataDir` }];
};

const identityIsOutside: Rule = ({ dataDir, identity }) =>
  dataDir !== undefined && identity !== undefined && `${identity}/`.startsWith(`${dataDir.replace(/\/+$/, "")}/`)
    ? [
        {
          path: ["identity"],
          message: `must be outside dataDir, found ${identity} inside ${dataDir}: whoever takes dataDir would have the key too`,
        },
      ]
    : [];

const portsDiffer: Rule = ({ http, grpc }) =>
  http?.port !== undefined && http.port === grpc?.port
    ? [{ path: ["grpc", "port"], message: `must differ from http.port, found ${http.port} for both` }]
    : [];

/** The fixed UDP ports 67 and 69 are below every range; 4011 is not. */
const tftpLeavesPxePort: Rule = ({ tftp }) => {
  const range = tftp?.portRange as Config["tftp"]["portRange"] | undefined;
  return range?.kind === "range" && range.first <= 4011 && 4011 <= range.last
    ? [{ path: ["tftp", "portRange"], message: "must leave out 4011, which is the PXE port of DHCP" }]
    : [];
};

const RULES: readonly Rule[] = [socketFits, identityIsOutside, portsDiffer, tftpLeavesPxePort, ...SUBNET_RULES];

/** Every rule that the config breaks. */
export const crossCheck = (config: Draft<Config>): Complaint[] => RULES.flatMap((rule) => rule(config));
