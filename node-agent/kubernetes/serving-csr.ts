// A CertificateSigningRequest object of the API → what decideServingRequest judges. Source: certificates.k8s.io/v1, RFC 2986.
// Called by run-approvals.ts. Pure.
import type { KnownNode, ServingRequest } from "../../server/contract/kubernetes/serving-request.ts";
import { parseCsr } from "../../server/contract/pki/csr.ts";
import { children, contentsOf, type Der, decode, isTagged, oidOf, parts, TAG } from "../../server/contract/pki/der.ts";
import { decodeExtensions } from "../../server/contract/pki/extension.ts";
import type { AltNames } from "../../server/contract/pki/name.ts";
import { parsePem } from "../../server/contract/pki/pem.ts";

export type CsrObject = {
  metadata: { name: string };
  spec: { request: string; signerName: string; usages?: string[]; username?: string; groups?: string[] };
  status?: { conditions?: { type: string }[]; certificate?: string };
};

const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";
const ALT_NAMES = "2.5.29.17";
const WHAT = "certificate request";

/** Whether nobody has decided about it yet. */
export const isPending = ({ status }: CsrObject): boolean => (status?.conditions ?? []).length === 0;

/** @throws BAD_REQUEST where the request's bytes are none, or not signed by its own key. */
export function readServingRequest({ spec }: CsrObject): ServingRequest {
  const pem = Buffer.from(spec.request, "base64").toString("latin1");
  const { subject } = parseCsr(pem);
  const names = altNamesOf(pem);
  return {
    user: spec.username ?? "",
    groups: spec.groups ?? [],
    signer: spec.signerName,
    usages: spec.usages ?? [],
    commonName: subject.commonName,
    organizations: subject.organizations ?? [],
    dnsNames: names.dnsNames,
    ips: names.ips,
  };
}

function altNamesOf(pem: string): AltNames {
  const [body] = parts(decode(parsePem("CERTIFICATE REQUEST", pem)[0]!, WHAT), WHAT);
  const attributes = parts(body, WHAT).find((field) => isTagged(field, 0));
  const list = Array.isArray(attributes?.value) ? attributes.value : [];
  for (const attribute of list) {
    const [id, values] = parts(attribute, WHAT);
    if (oidOf(id, WHAT) !== EXTENSION_REQUEST) continue;
    const [extensions] = parts(values, WHAT, TAG.SET);
    return everyName(extensions!);
  }
  return NO_NAMES;
}

/** The decoder passes over IPv6, URIs and the like. What it passed over must not be approved unseen: it is named. */
function everyName(extensions: Der): AltNames {
  const names = decodeExtensions(extensions, WHAT).altNames ?? NO_NAMES;
  const found = parts(extensions, WHAT).filter((e) => oidOf(parts(e, WHAT)[0], WHAT) === ALT_NAMES);
  const count = found.flatMap((e) => {
    const bytes = contentsOf(parts(e, WHAT).at(-1), TAG.OCTETSTRING, WHAT);
    return children(decode(bytes, WHAT), WHAT);
  }).length;
  const unseen = count - names.dnsNames.length - names.ips.length;
  return unseen === 0 ? names : { ...names, dnsNames: [...names.dnsNames, `${unseen} names of another kind`] };
}
const NO_NAMES: AltNames = { dnsNames: [], ips: [] };

/**
 * The nodes that may have a serving certificate, and as what.
 * @param own this node: known without anybody's word.
 */
export function knownNodes(
  peers: readonly { name: string; addresses: readonly string[] }[],
  own: KnownNode,
): KnownNode[] {
  const others = peers.filter((p) => p.name !== own.name);
  return [own, ...others.map(({ name, addresses }) => ({ name, dnsNames: [name], addresses }))];
}
