// Any fault → the one JSON form of errors and its HTTP status. app.ts calls it for every failing request. Pure.
import { ERRORS, type ErrorCode, type Fault, SlipwayError } from "../contract/errors.ts";
import type { ErrorBody } from "./schema.ts";

export type ErrorReply = { status: number; body: ErrorBody };

/** One thing that zod found, as Fastify's type provider hands it over. */
type Issue = { instancePath?: string; message?: string };
/** What a thrown thing may look like: Fastify's faults carry `statusCode`, those of validation `validation`. */
type Thrown = { statusCode?: number; validation?: Issue[]; validationContext?: string; message?: string };

export function errorReply(error: unknown): ErrorReply {
  if (error instanceof SlipwayError) return reply(error.code, error.message, error.remedy, error.faults);
  const thrown = (typeof error === "object" && error !== null ? error : {}) as Thrown;
  if (thrown.validation) {
    const faults = thrown.validation.map((issue) => ({
      at: (issue.instancePath ?? "").replace(/^\//, "").replaceAll("/", ".") || (thrown.validationContext ?? "request"),
      message: issue.message ?? "does not fit",
    }));
    return reply(
      "BAD_REQUEST",
      faults.map((f) => `${f.at}: ${f.message}`).join("\n"),
      ERRORS.BAD_REQUEST.remedy,
      faults,
    );
  }
  // Fastify's own refusals: no JSON, too long a body, wrong content type.
  if (thrown.statusCode !== undefined && thrown.statusCode >= 400 && thrown.statusCode < 500)
    return {
      ...reply("BAD_REQUEST", thrown.message ?? "bad request", ERRORS.BAD_REQUEST.remedy, []),
      status: thrown.statusCode,
    };
  return reply("INTERNAL", "something inside failed; the appliance's log says what", ERRORS.INTERNAL.remedy, []);
}

const reply = (code: ErrorCode, message: string, remedy: string, faults: readonly Fault[]): ErrorReply => ({
  status: ERRORS[code].status,
  body: { code, message, remedy, ...(faults.length === 0 ? {} : { faults: [...faults] }) },
});
