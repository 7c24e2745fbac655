// What goes wrong on the way to an answer → the answer. iPXE asks for scripts and gets one that explains itself, never a
// bare 404 or 500; everything else gets its status and one plain sentence with the remedy. Pure; called by app.ts.
import { AUTOEXEC } from "../boot/paths.ts";
import { ERRORS, SlipwayError } from "../contract/errors.ts";

/** Who asked decides the form. A ticket is no script: text in its place would be booted as if it were one. */
export const wantsScript = (path: string): boolean =>
  path.endsWith(`/${AUTOEXEC}`) || (path.startsWith("/boot/") && !path.startsWith("/boot/ticket/"));

export type ErrorReply = { status: number; reason: string; text: string };

/** Fastify's own faults carry a status (a bad URL, a body that is too large). */
type WithStatus = Error & { statusCode?: number };

/**
 * The answer to a fault. The reason of a fault that is not ours says nothing of our inside; the log has it.
 */
export function replyToError(error: WithStatus): ErrorReply {
  if (error instanceof SlipwayError) {
    const { status } = ERRORS[error.code];
    return { status, reason: error.message, text: `${error.message}.\n${error.remedy}\n` };
  }
  const status = error.statusCode ?? 500;
  if (status < 500) return { status, reason: error.message, text: `${error.message}.\n` };
  const reason = "a fault inside the appliance; its log says which";
  return { status, reason, text: `${reason}.\n` };
}

/** File names that only the Raspberry Pi's boot loader asks for (pxe.md 3.3, 5). */
export const isRaspberryPiFile = (path: string): boolean => /\/boot\.(sig|img)$/.test(path);

/** `/a//b?c` → `/a/b`: for messages and comparisons, routes collapse by themselves. */
export const pathOf = (url: string): string => url.replace(/[?#].*$/s, "").replace(/\/{2,}/g, "/");
