// Loggers for tests: one that says nothing, one that remembers what was said.
import type { StoreLog } from "../../inventory/store-log.ts";

export const silent: StoreLog = { info: () => {}, warn: () => {}, error: () => {} };

export function recorder(): StoreLog & { said: string[] } {
  const said: string[] = [];
  const say = (text: string) => void said.push(text);
  return { said, info: say, warn: say, error: say };
}
