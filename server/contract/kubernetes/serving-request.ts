// Whether a kubelet's request for a serving certificate is approved: only for itself, under names and addresses that it is
// known by. Kubernetes approves none of them by itself, because it cannot know the addresses. The agent of a control plane
// node asks here. Source: Kubernetes' "kubernetes.io/kubelet-serving" signer. Pure.

export type ServingRequest = {
  /** Who asked, as the API server saw it. */
  user: string;
  groups: readonly string[];
  signer: string;
  usages: readonly string[];
  /** Of the request itself. */
  commonName: string | undefined;
  organizations: readonly string[];
  dnsNames: readonly string[];
  ips: readonly string[];
};
/** What is known of the node without asking it: its name, and addresses that the inventory and its config give it. */
export type KnownNode = { name: string; dnsNames: readonly string[]; addresses: readonly string[] };

export type Approval = { kind: "approve" } | { kind: "refuse"; reason: string } | { kind: "not-ours" };

const SIGNER = "kubernetes.io/kubelet-serving";
const USAGES: ReadonlySet<string> = new Set(["digital signature", "key encipherment", "server auth"]);

export function decideServingRequest(request: ServingRequest, nodes: readonly KnownNode[]): Approval {
  if (request.signer !== SIGNER) return { kind: "not-ours" };
  const refuse = (reason: string): Approval => ({ kind: "refuse", reason });
  const { user, commonName, organizations } = request;
  const name = /^system:node:(.+)$/.exec(user)?.[1];
  if (name === undefined || !request.groups.includes("system:nodes")) return refuse(`${user} is no node`);
  if (commonName !== user) return refuse(`${user} asks for ${commonName ?? "nobody"}`);
  if (organizations.join() !== "system:nodes")
    return refuse(`the organization is ${organizations.join() || "none"}, not system:nodes`);
  const usage = request.usages.find((u) => !USAGES.has(u));
  if (usage !== undefined || !request.usages.includes("server auth"))
    return refuse(`the usage is ${request.usages.join(", ")}`);
  const node = nodes.find((n) => n.name === name);
  if (node === undefined) return refuse(`no node ${name} is known`);
  const unknown = [
    ...request.dnsNames.filter((d) => d !== node.name && !node.dnsNames.includes(d)),
    ...request.ips.filter((ip) => !node.addresses.includes(ip)),
  ];
  if (request.dnsNames.length + request.ips.length === 0) return refuse("it names neither host nor address");
  return unknown.length === 0 ? { kind: "approve" } : refuse(`${name} is not known as ${unknown.join(", ")}`);
}
