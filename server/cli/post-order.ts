// Sends an order that may end a cluster: `install`, `reset`, `retire`, `rm`. A person at the terminal is asked for the cluster's
// name then; a script has to give it.
import { SlipwayError } from "../contract/errors.ts";
import type { MachineView } from "../rest/schema.ts";
import { ask, isPersonThere } from "./ask-person.ts";
import type { Desk } from "./output.ts";

type Machines = { machines: MachineView[] };

/** @param what last part of the route's path. @throws ENDS_CLUSTER when nobody is there to be asked, or says another name. */
export async function postOrder(desk: Desk, what: string, body: object): Promise<Machines> {
  const path = `/v1/machines/${what}`;
  try {
    return await desk.client.post<Machines>(path, body);
  } catch (fault) {
    if (!(fault instanceof SlipwayError) || fault.code !== "ENDS_CLUSTER" || !isPersonThere()) throw fault;
    desk.note(`${fault.message}.\n`);
    const clusterName = await ask("Type the cluster's name to go on: ");
    return desk.client.post<Machines>(path, { ...body, clusterName });
  }
}
