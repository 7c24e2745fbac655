// What the inventory needs of a logger; pino's fits. Types only.

type Say = (fields: object, text: string) => void;
export type StoreLog = { info: Say; warn: Say; error: Say };
