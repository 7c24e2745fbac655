// How a container node is started: the shell text that makes its mounts and enters its control groups, and nspawn's
// arguments. Each line answers to an obstacle that docs/lab.md names. Pure. Called by container.ts.
import { CGROUP_FLAVOUR } from "./cgroups.ts";

export type ContainerFiles = {
  /** The image's root, a squashfs. */
  rootFile: string;
  /** The node's own /var, XFS, kept over power cycles. */
  varFile: string;
  /** A directory of the lab's: mount points, and what the guest is given. */
  dir: string;
  /** `cgroup.procs` of each of its control groups. */
  groupFiles: readonly string[];
};

export type ContainerSettings = {
  /** Name of its network namespace, as `ip netns` lists it; `eth0` is in it. */
  ns: string;
  /** nspawn's name for it, also its first host name. */
  machine: string;
  mac: string;
  isLegacy: boolean;
  /** Path in the guest → the host's file that it sees there, read-only. */
  binds: Readonly<Record<string, string>>;
};

/** What the kubelet would write into the host's kernel; the guest sees these instead of the host's files. */
export const KERNEL_SETTINGS: Readonly<Record<string, string>> = {
  "kernel/panic": "10",
  "kernel/panic_on_oops": "1",
  "vm/overcommit_memory": "1",
  "vm/panic_on_oom": "0",
  "kernel/keys/root_maxkeys": "1000000",
  "kernel/keys/root_maxbytes": "25000000",
};
/** Where the guest finds them; each is bound over its file below /proc/sys after the start. */
export const SETTINGS_DIR = "/run/host-settings";
export const settingFile = (name: string): string => name.replaceAll("/", ".");

/**
 * In a mount namespace of its own, so that no mount outlives the node: the root, /var, and /run/slipway in memory. A node
 * without an identity on its STATE asks for a ticket (one line on its input, so that it stands in no argument and no file of
 * the host). A loop device of the last run may still be letting go of /var's file.
 */
const SCRIPT = `set -e
root=$1 var=$2 dir=$3; shift 3
while [ "$1" != -- ]; do echo $$ > "$1"; shift; done; shift
mount -o loop,ro "$root" "$dir/root"
n=0; until mount -o loop "$var" "$dir/var" 2>"$dir/mount-error"; do n=$((n+1)); [ $n -lt 50 ] || { cat "$dir/mount-error"; exit 70; }; sleep 0.1; done
mount -t tmpfs -o mode=0711,size=64m tmpfs "$dir/run"
if [ -e "$dir/var/lib/slipway/state/identity.json" ]; then echo has-identity
else echo needs-ticket; read -r ticket; umask 377; printf '%s\\n' "$ticket" > "$dir/run/ticket.json"; umask 022; fi
exec "$@" </dev/null`;

/** Program and arguments; the caller runs them as root on the host. */
export function containerCommand(settings: ContainerSettings, files: ContainerFiles): string[] {
  const { rootFile, varFile, dir, groupFiles } = files;
  return [
    ...["unshare", "--mount", "--propagation", "private", "sh", "-c", SCRIPT, "sh"],
    ...[rootFile, varFile, dir, ...groupFiles, "--"],
    ...nspawnCommand(settings, dir),
  ];
}

function nspawnCommand({ ns, machine, mac, isLegacy, binds }: ContainerSettings, dir: string): string[] {
  const { guest } = CGROUP_FLAVOUR[isLegacy ? "legacy" : "unified"];
  return [
    ...["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", `--machine=${machine}`],
    `--uuid=${uuidOf(mac)}`,
    ...[`--directory=${dir}/root`, "--read-only", `--bind=${dir}/var:/var`, `--bind=${dir}/run:/run/slipway`],
    `--bind-ro=${dir}/80-slipway.network:/run/systemd/network/80-slipway.network`,
    ...[`--bind=${dir}/settings:${SETTINGS_DIR}`, "--bind=/dev/kmsg"],
    ...Object.entries(binds).map(([inside, file]) => `--bind-ro=${file}:${inside}`),
    `--network-namespace-path=/run/netns/${ns}`,
    // All but these two: the clock and the modules are the host's.
    ...["--capability=all", "--drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE"],
    "--system-call-filter=@keyring bpf @privileged @clock @module @raw-io",
    // SIGRTMIN+4 is systemd's "power off"; SIGTERM means something else to PID 1.
    "--kill-signal=SIGRTMIN+4",
    ...["--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=read-only"],
    ...["--", ...guest, "systemd.log_color=no", "systemd.show_status=no"],
  ];
}

/** The environment of nspawn: its own network's settings may be written, and which control groups the guest gets. */
export const containerEnv = (isLegacy: boolean): Record<string, string> => ({
  ...CGROUP_FLAVOUR[isLegacy ? "legacy" : "unified"].env,
  SYSTEMD_NSPAWN_API_VFS_WRITABLE: "network",
});

/** The same at every start of the same MAC, as a maker writes it into a machine. */
const uuidOf = (mac: string): string => `5e1f0a7e51ab4c0d8a3f${mac.replaceAll(":", "")}`;

/**
 * The image's network file for a node whose card is one end of a cable (veth): the image leaves such links to their makers,
 * because on metal they are pods'.
 */
export const labNetworkFile = (imageFile: string): string => imageFile.replace(/^Kind=.*$/m, "Name=eth0");
