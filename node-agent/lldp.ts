// LLDP frames: who is at the other end of the cable. Pure. IEEE 802.1AB-2016 §8.
//
//     destination(6) source(6) 88cc | type(7 bits) length(9 bits) value … | 0000

export type LldpNeighbour = { chassis: string; port: string; systemName: string };

const ETHERTYPE = 0x88cc;
const TLV = { end: 0, chassis: 1, port: 2, systemName: 5 } as const;
/** Subtypes whose value is a MAC; all others are text, addresses or numbers of the maker's choice. */
const MAC_SUBTYPE: Record<number, number> = { [TLV.chassis]: 4, [TLV.port]: 3 };

/** Reads a whole Ethernet frame; undefined when it is no LLDP frame or is cut short. */
export function decodeLldp(frame: Uint8Array): LldpNeighbour | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 16 || view.getUint16(12) !== ETHERTYPE) return undefined;
  const neighbour: LldpNeighbour = { chassis: "", port: "", systemName: "" };
  for (let at = 14; at + 2 <= frame.length; ) {
    const head = view.getUint16(at);
    const type = head >>> 9;
    const value = frame.subarray(at + 2, at + 2 + (head & 0x1ff));
    if (value.length < (head & 0x1ff)) return undefined;
    if (type === TLV.end) break;
    if (type === TLV.chassis) neighbour.chassis = formatId(type, value);
    if (type === TLV.port) neighbour.port = formatId(type, value);
    if (type === TLV.systemName) neighbour.systemName = printable(value);
    at += 2 + value.length;
  }
  return neighbour.chassis === "" || neighbour.port === "" ? undefined : neighbour;
}

/** First byte is the subtype. Values that are no text are shown as hex. */
function formatId(type: number, value: Uint8Array): string {
  const id = value.subarray(1);
  const hex = Array.from(id, (byte) => byte.toString(16).padStart(2, "0"));
  if (value[0] === MAC_SUBTYPE[type] && id.length === 6) return hex.join(":");
  return id.every((byte) => byte >= 0x20 && byte < 0x7f) ? printable(id) : hex.join("").slice(0, 64);
}

/** A switch's name is a stranger's text and lands on screens. */
const printable = (bytes: Uint8Array): string =>
  Array.from(bytes.subarray(0, 64), (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "?")).join("");
