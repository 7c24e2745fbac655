// Random lives of machines against a plain model: after any sequence of calls, and again after reopening, the inventory
// says what the model says, and uniqueness holds.
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Activity, canMoveActivity, LIFECYCLE, type Lifecycle } from "../../inventory/machine.ts";
import type { Inventory } from "../../inventory/port.ts";
import { SlipwayError } from "../../server/contract/errors.ts";
import { tempInventory } from "./temp-inventory.ts";

type Model = { macs: string[]; name?: string; address?: string; lifecycle: Lifecycle; activity: Activity };

const mac = fc.integer({ min: 1, max: 6 }).map((n) => `52:54:00:00:00:0${n}`);
const activity = fc.constantFrom<Activity>("off", "firmware", "loading", "running", "waiting", "installing", "failed");
const command = fc.oneof(
  fc.record({ kind: fc.constant("sight" as const), mac }),
  fc.record({ kind: fc.constant("name" as const), mac, name: fc.constantFrom("a", "b", "A", null) }),
  fc.record({ kind: fc.constant("address" as const), mac, address: fc.constantFrom("192.0.2.1", "192.0.2.2", null) }),
  fc.record({
    kind: fc.constant("lifecycle" as const),
    mac,
    to: fc.constantFrom(...(Object.keys(LIFECYCLE) as Lifecycle[])),
  }),
  fc.record({ kind: fc.constant("join" as const), mac, other: mac }),
  fc.record({ kind: fc.constant("activity" as const), mac, to: activity }),
  fc.record({ kind: fc.constant("delete" as const), mac }),
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

const owner = (model: Model[], of: string) => model.find((m) => m.macs.includes(of));
const set = (m: Model, key: "name" | "address", value: string | null) => {
  if (value === null) delete m[key];
  else m[key] = value;
};

/** What should come of a command; undefined: a fault, and nothing changes. */
function expected(model: Model[], c: Command): Model[] | undefined {
  const next = structuredClone(model);
  const own = owner(next, c.mac);
  if (c.kind === "sight") return own ? next : [...next, { macs: [c.mac], lifecycle: "discovered", activity: "off" }];
  if (own === undefined) return undefined;
  const others = next.filter((m) => m !== own);
  if (c.kind === "delete") return others;
  if (c.kind === "name") {
    if (c.name !== null && others.some((m) => m.name?.toLowerCase() === c.name!.toLowerCase())) return undefined;
    set(own, "name", c.name);
  } else if (c.kind === "address") {
    if (c.address !== null && others.some((m) => m.address === c.address)) return undefined;
    set(own, "address", c.address);
  } else if (c.kind === "lifecycle") {
    const legal: readonly string[] = LIFECYCLE[own.lifecycle];
    if (c.to !== own.lifecycle && !legal.includes(c.to)) return undefined;
    own.lifecycle = c.to;
  } else if (c.kind === "join") {
    if (others.some((m) => m.macs.includes(c.other))) return undefined;
    own.macs = [...new Set([...own.macs, c.other])];
  } else if (canMoveActivity(own.activity, c.to)) own.activity = c.to;
  return next;
}

async function run(inventory: Inventory, c: Command): Promise<void> {
  if (c.kind === "sight") return void (await inventory.sightMachine({ mac: c.mac, at: 1 }));
  const machine = await inventory.findMachineByMac(c.mac);
  const id = machine?.id ?? "nobody";
  const change = (over: object) => inventory.changeMachines([], [{ id, ...over }], "anna");
  if (c.kind === "delete") await inventory.deleteMachines([id], "anna");
  else if (c.kind === "name") await change({ name: c.name });
  else if (c.kind === "address") await change({ address: c.address });
  else if (c.kind === "lifecycle") await change({ lifecycle: c.to });
  else if (c.kind === "join") await change({ macs: [...(machine?.macs ?? []), c.other] });
  else if (machine !== undefined) await inventory.moveActivity(id, c.to);
  else throw new SlipwayError("NOT_FOUND", "as the others");
}

async function seen(inventory: Inventory): Promise<Model[]> {
  return (await inventory.listMachines()).map(({ macs, name, address, lifecycle, activity: a }) => ({
    macs: [...macs],
    ...(name === undefined ? {} : { name }),
    ...(address === undefined ? {} : { address }),
    lifecycle,
    activity: a,
  }));
}
const sorted = (model: Model[]) => [...model].sort((a, b) => a.macs[0]!.localeCompare(b.macs[0]!));

test("machines live as the model says, also after reopening", async () => {
  const t = tempInventory();
  let inventory = await t.open({ synchronous: "NORMAL" });
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 30 }), async (commands) => {
      await inventory.deleteMachines(
        (await inventory.listMachines()).map((m) => m.id),
        "test",
      );
      let model: Model[] = [];
      for (const c of commands) {
        const next = expected(model, c);
        const outcome = await run(inventory, c).then(
          () => "done",
          (cause: unknown) => cause,
        );
        if (next === undefined) expect(outcome).toBeInstanceOf(SlipwayError);
        else expect(outcome).toBe("done");
        model = next ?? model;
        expect(sorted(await seen(inventory))).toEqual(sorted(model));
      }
    }),
    { numRuns: 80 },
  );
  const before = await inventory.listMachines();
  expect(await inventory.checkAudit()).toBeUndefined();
  await inventory.close();
  inventory = await t.open({ synchronous: "NORMAL" });
  expect(await inventory.listMachines()).toEqual(before);
});
