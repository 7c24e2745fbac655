// Talks to a running QEMU over its control socket (QMP): reset, power button, plug and unplug. Called by vm.ts.
// Source: https://qemu.readthedocs.io/en/v7.2.0/interop/qemu-qmp-ref.html
import { connect } from "node:net";
import { SlipwayError } from "../../server/contract/errors.ts";

/** QMP commands that the lab uses. */
export type ControlCommand = "system_reset" | "system_powerdown" | "quit" | "stop" | "cont";

/**
 * Sends one command and waits for its answer.
 * @throws COMMAND_FAILED when QEMU is gone, refuses, or is silent for five seconds.
 */
export function sendControl(socketPath: string, command: ControlCommand): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const fail = (why: string) => {
      socket.destroy();
      reject(new SlipwayError("COMMAND_FAILED", `QEMU's control socket: ${command}: ${why}`));
    };
    let text = "";
    socket.setTimeout(5000, () => fail("no answer within 5 s"));
    socket.on("error", (cause) => fail(cause.message));
    // Every session begins with the handshake; its answer and ours are told apart by their id.
    socket.write('{"execute":"qmp_capabilities"}');
    socket.write(JSON.stringify({ execute: command, id: "ours" }));
    socket.on("data", (chunk) => {
      text += chunk.toString();
      const answer = text.split("\n").find((line) => line.includes('"id": "ours"'));
      if (answer?.includes('"error"')) fail(answer);
      else if (answer) {
        socket.end();
        resolve();
      }
    });
    // `quit` may end QEMU before its answer is out.
    socket.on("close", () => (command === "quit" ? resolve() : fail("the connection ended")));
  });
}
