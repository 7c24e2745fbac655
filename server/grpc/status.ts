// A fault on its way to a machine: SlipwayError → gRPC status, by the one error table. Pure.
import { ERRORS, GRPC_STATUS, SlipwayError } from "../contract/errors.ts";

/** What grpc-js takes as an error. */
export type CallFault = { code: number; details: string };

/** The status a caller sees. What is not a SlipwayError is ours, and says nothing of our insides. */
export function faultOf(error: unknown): CallFault {
  if (!(error instanceof SlipwayError)) {
    return { code: GRPC_STATUS.INTERNAL, details: "a fault inside the appliance; its log says more" };
  }
  return { code: GRPC_STATUS[ERRORS[error.code].grpc], details: error.message };
}
