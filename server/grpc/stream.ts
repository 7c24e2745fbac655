// What the parts of one machine's stream share: who it is, and what it says of itself now. Pure: types only.
import type { LiveMachine } from "../boot/live-machine.ts";
import type { Caller } from "./caller-service.ts";
import type { NodeDeps } from "./node-service.ts";

/** One open stream. `live` is changed as reports come; it goes with the stream. */
export type NodeStream = { deps: NodeDeps; caller: Caller; live: LiveMachine };
