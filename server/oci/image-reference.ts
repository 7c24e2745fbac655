// Names of container images, as people and containerd write them: `busybox`, `ghcr.io/x/y:1.2`, `10.0.0.1:5000/z`. One form
// inside: registry, repository, tag. Source: distribution spec 1.1 (names, tags), Docker's rule for what is left out. Pure.

export type ImageReference = { registry: string; repository: string; tag: string };

const REPOSITORY = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const REGISTRY = /^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:\d{1,5})?$/;
/** Longer ones no registry of the world takes. */
const MAX_LENGTH = 255;

/** undefined when it is none. A digest after `@` is no name: what is imported is known by its own. */
export function parseReference(text: string): ImageReference | undefined {
  const [name = "", ...digest] = text.split("@");
  if (digest.length > 0 || name.length > MAX_LENGTH) return undefined;
  const slash = name.indexOf("/");
  const first = slash === -1 ? "" : name.slice(0, slash);
  // Without a dot, a port or `localhost` the first part is a directory on Docker's registry.
  const hasRegistry = first === "localhost" || /[.:]/.test(first);
  const rest = hasRegistry ? name.slice(slash + 1) : name;
  const colon = rest.lastIndexOf(":");
  const path = colon === -1 ? rest : rest.slice(0, colon);
  const tag = colon === -1 ? "latest" : rest.slice(colon + 1);
  const registry = hasRegistry ? first.replace(/^(index|registry-1)\.docker\.io$/, "docker.io") : "docker.io";
  const repository = registry === "docker.io" && !path.includes("/") ? `library/${path}` : path;
  const isGood = REGISTRY.test(registry) && REPOSITORY.test(repository) && TAG.test(tag);
  return isGood ? { registry, repository, tag } : undefined;
}

/** The one form: `docker.io/library/busybox:latest`. */
export const formatReference = ({ registry, repository, tag }: ImageReference): string =>
  `${registry}/${repository}:${tag}`;

const DIGEST = /^sha256:[0-9a-f]{64}$/;
/** Only SHA-256: containerd and Docker write nothing else. */
export const isDigest = (text: string): boolean => DIGEST.test(text);
