// Strategic merge of a patch over a machine config, by Talos's rules: maps merge, lists append, scalars replace unless they
// are empty, a few fields replace as a whole, some lists merge by a name, `$patch: delete` takes away. render-config.ts calls
// it. Source: talos reference §4.5; compared with `talosctl machineconfig patch` 1.13.9 by a test. Pure.

type Plain = Record<string, unknown>;

/** Replaced as a whole where a patch gives them. */
const REPLACED: readonly RegExp[] = [
  /^cluster\.network\.(podSubnets|serviceSubnets)$/,
  /^cluster\.apiServer\.auditPolicy$/,
  /\.extraArgs\.[^.]+$/,
];
/** Lists whose elements are told apart by the first of these that the patch's element has. */
const KEYED: readonly { path: RegExp; keys: readonly string[] }[] = [
  { path: /^machine\.network\.interfaces$/, keys: ["interface", "deviceSelector"] },
  { path: /^machine\.network\.interfaces\.vlans$/, keys: ["vlanId"] },
  { path: /^cluster\.apiServer\.admissionControl$/, keys: ["name"] },
];
/** Base64 and other bytes have no empty value worth keeping; texts of a map may be empty from the start, not by a patch. */
const isZero = (value: unknown): boolean => value === "" || value === 0;

const isMap = (value: unknown): value is Plain => typeof value === "object" && value !== null && !Array.isArray(value);
const isDelete = (value: unknown): boolean => isMap(value) && value.$patch === "delete";
const same = (a: unknown, b: unknown): boolean => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
const sorted = (value: unknown): unknown =>
  isMap(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value;

/** The stream of documents with one patch merged over it. Documents match by kind (and name); one without match is added. */
export function mergeDocuments(documents: readonly Plain[], patch: Plain): Plain[] {
  const isSame = (d: Plain) => d.kind === patch.kind && d.name === patch.name;
  if (isDelete(patch)) return documents.filter((d) => !isSame(d));
  if (!documents.some(isSame)) return [...documents, patch];
  return documents.map((d) => (isSame(d) ? (merge(d, patch, "") as Plain) : d));
}

function merge(base: unknown, patch: unknown, path: string): unknown {
  if (patch === null || patch === undefined) return base;
  if (base === null || base === undefined) return cleaned(patch);
  if (REPLACED.some((pattern) => pattern.test(path))) return patch;
  if (Array.isArray(base) && Array.isArray(patch)) return mergeLists(base, patch, path);
  if (isMap(base) && isMap(patch)) return mergeMaps(base, patch, path);
  return isZero(patch) && typeof base === typeof patch ? base : patch;
}

function mergeMaps(base: Plain, patch: Plain, path: string): Plain {
  const result: Plain = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    if (isDelete(value)) delete result[key];
    else result[key] = merge(base[key], value, path === "" ? key : `${path}.${key}`);
  }
  return result;
}

function mergeLists(base: readonly unknown[], patch: readonly unknown[], path: string): unknown[] {
  const keys = KEYED.find((row) => row.path.test(path))?.keys ?? [];
  return patch.reduce<unknown[]>(
    (list, element) => {
      if (isDelete(element)) return list.filter((old) => !isNamedBy(old, element as Plain));
      const key = isMap(element) ? keys.find((k) => element[k] !== undefined) : undefined;
      const index =
        key === undefined ? -1 : list.findIndex((old) => isMap(old) && same(old[key], (element as Plain)[key]));
      if (index === -1) return list.concat([cleaned(element)]);
      return list.map((old, i) => (i === index ? merge(old, element, path) : old));
    },
    [...base],
  );
}

/** Whether every key that a deleting element has is the same in `old`. */
const isNamedBy = (old: unknown, { $patch: _, ...wanted }: Plain): boolean =>
  isMap(old) && Object.entries(wanted).every(([key, value]) => same(old[key], value));

/** What a patch brings in where nothing stood: deletions in it have nothing to delete. */
function cleaned(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((v) => !isDelete(v)).map(cleaned);
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([k, v]) => (isDelete(v) || k === "$patch" ? [] : [[k, cleaned(v)]])),
  );
}
