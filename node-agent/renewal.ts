// When a certificate is renewed. Pure.

/** Two thirds of its life: early enough that an appliance may be away for the last third of it. */
const RENEW_AT = 2 / 3;

/** Whether it is time, by the machine's clock; all in milliseconds since 1970. */
export function shouldRenew(validFromMs: number, validToMs: number, nowMs: number): boolean {
  return nowMs >= validFromMs + (validToMs - validFromMs) * RENEW_AT;
}
