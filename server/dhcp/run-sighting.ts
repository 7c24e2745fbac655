// Tells the inventory which machines boot. Called by run-answer.ts for each request; a plain laptop is none of its business.
import type { Sighting } from "../../inventory/port.ts";
import { isOldNews } from "../../inventory/sight-machine.ts";
import { BOOTING_KINDS } from "../boot/client.ts";
import { IMAGE_ARCH } from "../boot/script-for.ts";
import type { AnswerContext, Asked, LiveInterface } from "./answer-context.ts";
import { MESSAGE } from "./packet.ts";

const MESSAGES_OF_A_BOOT: ReadonlySet<number | undefined> = new Set([
  MESSAGE.discover,
  MESSAGE.request,
  MESSAGE.inform,
]);

/** Tells the inventory that a machine boots; it does not wait, because no answer depends on it. */
export function sightClient(ctx: AnswerContext, live: LiveInterface, { packet, client, mac }: Asked): void {
  const type = packet.options.messageType;
  if (mac === undefined || !BOOTING_KINDS.has(client.kind) || !MESSAGES_OF_A_BOOT.has(type)) return;
  // A DISCOVER has told all that the REQUEST after it could.
  if (type !== MESSAGE.discover && ctx.machines.has(mac)) return;
  const arch = IMAGE_ARCH[client.arch];
  const firmware = client.platform === "bios" || client.platform === "uefi" ? { firmware: client.platform } : {};
  // A DISCOVER of firmware means that it was just powered on. iPXE may have come from either; boot/service.ts moves it on.
  const isPowerOn = type === MESSAGE.discover && client.kind !== "ipxe";
  const sighting: Sighting = {
    mac,
    at: Date.now(),
    interfaceName: live.at.name,
    ...(client.uuid && { uuid: client.uuid }),
    ...(arch && { arch }),
    ...firmware,
    ...(isPowerOn && { activity: "firmware" }),
  };
  const known = ctx.machines.get(mac);
  if (known !== undefined && isOldNews(known, sighting)) return;
  ctx.inventory.sightMachine(sighting, "soon").catch((cause) => {
    if (ctx.sample.take("sight", performance.now()) !== undefined) {
      ctx.log.error(`${mac} boots, but the inventory could not be told`, { err: cause });
    }
  });
}
