// The pairing code for the screen, which is drawn once a second. It is made to be dear to work out (contract/pairing-code.ts), so
// it is worked out once for each pair of CA and key. Called by run-agent.ts. Pure: it remembers one answer, and that never changes.
import { pairingCode } from "../server/contract/pairing-code.ts";

/** @returns a function as {@link pairingCode}, that works out anew only what is another pair than the last one. */
export function rememberPairingCode(work: typeof pairingCode = pairingCode): typeof pairingCode {
  let last: { of: string; code: string } | undefined;
  return (caFingerprint, keyFingerprint) => {
    const of = `${caFingerprint} ${keyFingerprint}`;
    if (last?.of !== of) last = { of, code: work(caFingerprint, keyFingerprint) };
    return last.code;
  };
}
