// Which etcd cluster a data directory belongs to, read from etcd's write-ahead log, so that it is known while etcd does not
// run. Each segment begins with a checksum record and a metadata record. Source: etcd server/storage/wal (encoder.go: frame
// of 8 bytes, little endian, length in the lower 56 bits), walpb.Record, etcdserverpb.Metadata. Pure.

/** Hexadecimal without leading zeros, as etcd writes ids. */
export type EtcdIds = { clusterId: string; memberId: string };

const METADATA_RECORD = 1n;
/** A segment's first two records have under 100 bytes. */
export const WAL_HEAD_BYTES = 4096;

/** @returns undefined where the bytes are no beginning of a segment: cut, empty, or of another program. */
export function decodeWalHead(bytes: Uint8Array): EtcdIds | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  for (let record = 0; record < 2; record += 1) {
    if (at + 8 > view.length) return undefined;
    const frame = view.readBigUInt64LE(at);
    const length = Number(frame & 0x00ff_ffff_ffff_ffffn);
    // The highest bit says that there is padding to 8 bytes; the three lowest of its byte say how much.
    const padding = frame >> 63n === 1n ? Number((frame >> 56n) & 7n) : 0;
    if (length === 0 || at + 8 + length > view.length) return undefined;
    const fields = decodeFields(view.subarray(at + 8, at + 8 + length));
    const data = fields?.get(3);
    if (fields?.get(1) === METADATA_RECORD && Buffer.isBuffer(data)) return idsOf(data);
    at += 8 + length + padding;
  }
  return undefined;
}

function idsOf(metadata: Buffer): EtcdIds | undefined {
  const fields = decodeFields(metadata);
  const [member, cluster] = [fields?.get(1), fields?.get(2)];
  if (typeof member !== "bigint" || typeof cluster !== "bigint") return undefined;
  return { clusterId: cluster.toString(16), memberId: member.toString(16) };
}

/** The two wire types that occur: varint (0) and bytes (2). */
function decodeFields(bytes: Buffer): Map<number, bigint | Buffer> | undefined {
  const fields = new Map<number, bigint | Buffer>();
  let at = 0;
  const varint = (): bigint | undefined => {
    let value = 0n;
    for (let shift = 0n; shift < 70n && at < bytes.length; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return undefined;
  };
  while (at < bytes.length) {
    const key = varint();
    const value = varint();
    if (key === undefined || value === undefined) return undefined;
    const [number, wireType] = [Number(key >> 3n), key & 7n];
    if (wireType === 0n) fields.set(number, value);
    else if (wireType !== 2n || at + Number(value) > bytes.length) return undefined;
    else {
      fields.set(number, bytes.subarray(at, at + Number(value)));
      at += Number(value);
    }
  }
  return fields;
}

/** The newest segment's name among the files of a `wal` directory (`<sequence>-<index>.wal`); undefined when there is none. */
export const newestSegment = (names: readonly string[]): string | undefined =>
  names
    .filter((name) => /^[0-9a-f]{16}-[0-9a-f]{16}\.wal$/.test(name))
    .sort()
    .at(-1);
