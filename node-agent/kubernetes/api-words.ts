// What an API says to a node that is not its own, in words that name the cause and what a person does. A config that was moved
// by hand, or a second cluster at an address that was this one's, looks from a node like any other refusal. Called by
// run-observe.ts. Pure.

/** As open-api.ts has it. */
type Bad = { kind: "refused"; status: number; reason: string } | { kind: "failed"; reason: string };

/** OpenSSL's words for a chain that does not end at the CA of the config; one that is over or begins later is another matter. */
const OTHER_CA = /unable to (verify|get)|self-signed|signature failure/;

/** The appliance keeps 200 characters of a reason: the remedy has to fit in, too. */
const INSTALL = "this node's config is another cluster's: slipway install MAC";

/**
 * Why an API does not hear this node.
 * @param credential what the node showed: the token of its config, or its kubelet's certificate.
 */
export function apiWords(answer: Bad, credential: "token" | "certificate"): string {
  if (answer.kind === "failed" && OTHER_CA.test(answer.reason)) {
    // Node adds advice that is none here.
    const [why] = answer.reason.split(";");
    return `another cluster answers at the endpoint (${why}). If its address is right, ${INSTALL}`;
  }
  if (answer.kind !== "refused" || answer.status !== 401)
    return `the cluster's API does not answer yet: ${answer.reason}`;
  return `the cluster does not know this node's ${credential}; a new one learns it within a minute. If this stays, ${INSTALL}`;
}
