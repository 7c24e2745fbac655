// Reads big-endian fields from a datagram, one after the other, and always knows where it is. Used by dhcp and tftp.
// It never reads past the end: a field that does not fit is a MALFORMED_PACKET that names field and offset (style: pass
// the same reader down, a fresh one over a slice would report offsets of the slice). Pure.
import { SlipwayError } from "./contract/errors.ts";

/** Reads fields in network byte order. Every `field` is the name that a fault message uses. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Position of the next byte, from the start of the datagram. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.byteLength - this.#offset;
  }

  uint8(field: string): number {
    return this.#view.getUint8(this.#take(1, field));
  }

  uint16(field: string): number {
    return this.#view.getUint16(this.#take(2, field));
  }

  uint32(field: string): number {
    return this.#view.getUint32(this.#take(4, field));
  }

  /** A copy of the next `length` bytes: a socket's buffer may be used again. */
  bytes(length: number, field: string): Uint8Array {
    const start = this.#take(length, field);
    return this.#bytes.slice(start, start + length);
  }

  /** A copy of everything that is left. */
  rest(): Uint8Array {
    return this.bytes(this.left, "rest");
  }

  /** Latin-1 text up to the next zero byte, which is consumed but not returned (TFTP's strings). */
  zeroTerminated(field: string): string {
    const end = this.#bytes.indexOf(0, this.#offset);
    if (end < 0) {
      throw new SlipwayError(
        "MALFORMED_PACKET",
        `${field} at byte ${this.#offset} has no terminating zero byte in the ${this.left} bytes that are left`,
      );
    }
    const text = decodeLatin1(this.#bytes.subarray(this.#offset, end));
    this.#offset = end + 1;
    return text;
  }

  #take(length: number, field: string): number {
    const start = this.#offset;
    if (this.left < length) {
      throw new SlipwayError(
        "MALFORMED_PACKET",
        `${field} at byte ${start} needs ${length} bytes, ${this.left} are left`,
      );
    }
    this.#offset += length;
    return start;
  }
}

/** Bytes → text, one character per byte (ISO 8859-1), so that any byte survives the way back. */
export function decodeLatin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
