// What a machine that is in touch says of itself right now: kept in memory by server/grpc for as long as its stream is open,
// shown by server/rest beside what the inventory knows. A step's bytes change every second, and are not worth a sync. Pure.

/** How far an install or a reset is, as the machine said last. */
export type StepProgress = {
  /** Counted from 1. */
  number: number;
  of: number;
  /** In words: `writes the OS image to slot EFI`. */
  text: string;
  /** Of this step; both 0 where it has no bytes. */
  bytesDone: number;
  bytesTotal: number;
  /** Since this step began. */
  elapsedMs: number;
};

export type LiveMachine = {
  /** `network`, `disk` or `container`; empty until it has said hello. */
  bootSource: string;
  /** Which installation it runs; empty while it has none. */
  installId: string;
  step?: StepProgress;
  /** Of a node of a cluster whose word is trusted. */
  node?: { isReady: boolean; reason: string; holdsEndpoint: boolean };
};

/** Below this a rate says nothing. */
const LEAST_ELAPSED_MS = 1000;

/** Seconds until the step's bytes are done, at its own mean rate; undefined where that cannot be told. */
export function secondsLeft({ bytesDone, bytesTotal, elapsedMs }: StepProgress): number | undefined {
  if (bytesTotal <= 0 || bytesDone <= 0 || bytesDone >= bytesTotal || elapsedMs < LEAST_ELAPSED_MS) return undefined;
  return Math.ceil(((bytesTotal - bytesDone) * elapsedMs) / bytesDone / 1000);
}

/** `120 of 205 MB, 9 s left`; empty for a step without bytes. */
export function describeBytes(step: StepProgress): string {
  if (step.bytesTotal <= 0) return "";
  const [unit, bytes] = step.bytesTotal < 10_000_000 ? (["kB", 1e3] as const) : (["MB", 1e6] as const);
  const amount = `${Math.round(step.bytesDone / bytes)} of ${Math.round(step.bytesTotal / bytes)} ${unit}`;
  const left = secondsLeft(step);
  return left === undefined ? amount : `${amount}, ${left < 90 ? `${left} s` : `${Math.round(left / 60)} min`} left`;
}

/** `step 3 of 9: writes the OS image to slot EFI`. */
export const nameStep = ({ number, of, text }: StepProgress): string => `step ${number} of ${of}: ${text}`;

/** The same with bytes and time left. */
export const describeStep = (step: StepProgress): string =>
  [nameStep(step), describeBytes(step)].filter((words) => words !== "").join(", ");
