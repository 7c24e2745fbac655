// A lab machine that keeps its disk and its firmware's variables over power cycles, be it a container node or a virtual
// machine: what the cluster lab and the long tests switch on and off. Made by container.ts and kept-vm.ts.

export type LabMachine = {
  readonly kind: "container" | "vm";
  readonly mac: string;
  /** Milliseconds since 1970 at the last power-on. */
  readonly poweredOnAt: number;
  isOn(): boolean;
  /** Power-on; a machine that is on stays so. A restart that it makes itself needs nobody. */
  powerOn(): Promise<void>;
  /** The power button: it shuts down in order; the plug is pulled when it takes longer than a minute. */
  powerOff(): Promise<void>;
  /** Pulls the plug. */
  kill(): Promise<void>;
  /** What it said last: a node's journal, a machine's console. For people who look for a fault. */
  lastWords(): string;
  /** Off for good; its files go. */
  close(): Promise<void>;
};
