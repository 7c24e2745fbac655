// The command line and environment of the one `go build`: everything that decides a byte of the programs is here or in the
// files that key.ts hashes. Pure: the environment of whoever builds is an argument, and only what fetches is taken of it.
import type { Arch } from "../packages.ts";
import { PROGRAMS } from "./programs.ts";
import { KUBERNETES_DATE, TOOLCHAIN, versionOf } from "./versions.ts";

/** snapshots are overlayfs: containerd without the file systems and volume managers that the OS lacks. */
const TAGS = "no_btrfs,no_devmapper,no_zfs";

/**
 * Variables that each project's own build sets by the linker; without them kubelet calls itself "v0.0.0-master+$Format:%H$".
 * gitCommit stays empty: a module has a checksum (go.sum), but does not tell its commit, and we don't invent one.
 */
export function linkerVariables(): Record<string, string> {
  const kubernetes = versionOf("Kubernetes");
  const [major, minor] = kubernetes.split(".") as [string, string];
  const own = {
    gitVersion: `v${kubernetes}`,
    gitMajor: major,
    gitMinor: minor,
    gitCommit: "",
    gitTreeState: "clean",
    buildDate: KUBERNETES_DATE,
  };
  const both = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"];
  return {
    ...Object.fromEntries(both.flatMap((at) => Object.entries(own).map(([name, value]) => [`${at}.${name}`, value]))),
    "go.etcd.io/etcd/api/v3/version.GitSHA": `v${versionOf("etcd")}`,
    "github.com/coredns/coredns/coremain.gitTag": `v${versionOf("CoreDNS")}`,
    "github.com/coredns/coredns/coremain.GitCommit": `v${versionOf("CoreDNS")}`,
    "github.com/flannel-io/flannel/pkg/version.Version": `v${versionOf("flannel")}`,
    "github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion": `v${versionOf("CNI plugins")}`,
    "github.com/containerd/containerd/v2/version.Version": `v${versionOf("containerd")}`,
  };
}

/** -s -w: no symbols, no DWARF. An empty build id: the linker's own would differ with the compiler's path. */
function linkerFlags(): string {
  const variables = Object.entries(linkerVariables()).map(([name, value]) => `-X ${name}=${value}`);
  return ["-s", "-w", "-buildid=", ...variables].join(" ");
}

/** What both `go list` and `go build` must be told for their packages to be the same. */
export const packageFlags = (): string[] => ["-trimpath", "-buildvcs=false", `-tags=${TAGS}`];

export const listArguments = (): string[] => [
  "list",
  "-deps",
  "-f={{.ImportPath}}",
  ...packageFlags(),
  ...PROGRAMS.map(({ source }) => source),
];

/** @param jobs how many packages are compiled at once; undefined is Go's own choice, one for each processor. */
export const buildArguments = (outDir: string, jobs?: number): string[] => [
  "build",
  "-v",
  ...(jobs === undefined ? [] : [`-p=${jobs}`]),
  ...packageFlags(),
  `-ldflags=${linkerFlags()}`,
  `-o=${outDir}/`,
  ...PROGRAMS.map(({ source }) => source),
];

/** Settings that decide the bytes: fixed, whatever the person's own Go is set to. */
export const compileSettings = (arch: Arch): Record<string, string> => ({
  CGO_ENABLED: "0",
  GO111MODULE: "on",
  GO386: "",
  GOAMD64: "v1",
  GOARCH: arch,
  GOARM64: "v8.0",
  GODEBUG: "",
  GOEXPERIMENT: "",
  GOFIPS140: "off",
  GOFLAGS: "",
  GOOS: "linux",
  GOTOOLCHAIN: "local",
  GOWORK: "off",
});

/** The person's settings reach Go where they are about fetching (GOPROXY, GONOSUMDB, proxies, certificates). */
export const fetchEnvironment = (
  env: Record<string, string | undefined>,
  goDir: string,
): Record<string, string | undefined> => ({
  ...env,
  GOCACHE: `${goDir}/build`,
  GOFLAGS: "-modcacherw",
  GOMODCACHE: `${goDir}/mod`,
  GOROOT: undefined,
  GOTOOLCHAIN: "local",
  GOWORK: "off",
});

/** `go list` fetches what is missing; `go build` after it is not let out. */
export const buildEnvironment = (
  env: Record<string, string | undefined>,
  goDir: string,
  arch: Arch,
  step: "fetch" | "compile",
): Record<string, string | undefined> => ({
  ...fetchEnvironment(env, goDir),
  ...compileSettings(arch),
  ...(step === "compile" ? { GOENV: "off", GOPROXY: "off", GOSUMDB: "off" } : { GOFLAGS: "-modcacherw" }),
});

export const toolchainModule = (host: string): string => `golang.org/toolchain@v0.0.1-go${TOOLCHAIN.version}.${host}`;
