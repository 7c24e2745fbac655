// What the inventory needs of the appliance's log (server/boot/ports.ts `Log` fits). Types only.

type Say = (text: string, fields?: Readonly<Record<string, unknown>>) => void;
export type StoreLog = { info: Say; warn: Say; error: Say };
