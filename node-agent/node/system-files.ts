// What the config says to systemd's own programs: kernel settings for systemd-sysctl, servers for systemd-timesyncd. Pure:
// config in, files out. run-node.ts writes them and restarts the unit whose file changed.

/** `unit` is restarted when the text differs from what stands there. */
export type SystemFile = { path: string; text: string; unit: string };

export const SYSCTL_PATH = "/run/sysctl.d/60-slipway-config.conf";
export const TIMESYNC_PATH = "/run/systemd/timesyncd.conf.d/10-slipway.conf";

/** `net.core.somaxconn = 1024`; keys and values are checked by the config's decoder. */
export function renderSysctls(sysctls: Readonly<Record<string, string>>): SystemFile {
  const lines = Object.entries(sysctls).map(([key, value]) => `${key} = ${value}`);
  const text = ["# From machine.sysctls of the machine config.", ...lines, ""].join("\n");
  return { path: SYSCTL_PATH, text, unit: "systemd-sysctl.service" };
}

/** Only for a config that names servers. No fallback: a cluster without internet would ask in vain. */
export function renderTimesync(servers: readonly string[]): SystemFile {
  const text = `# From machine.time of the machine config.\n[Time]\nNTP=${servers.join(" ")}\nFallbackNTP=\n`;
  return { path: TIMESYNC_PATH, text, unit: "systemd-timesyncd.service" };
}
