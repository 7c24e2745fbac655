// The one file of node-forge that is used. Its index would bring RSA, TLS and PKCS#12 into the agent's bundle.
declare module "node-forge/lib/asn1.js" {
  import type { asn1 } from "node-forge";

  const api: typeof asn1;
  export default api;
}
