// Which of two Debian versions is newer (Debian Policy 5.6.12): the mirror may offer one package from the release and
// from its security updates. Pure.

const split = (version: string) => {
  const colon = version.indexOf(":");
  const rest = version.slice(colon + 1);
  const dash = rest.lastIndexOf("-");
  return {
    epoch: colon < 0 ? 0 : Number(version.slice(0, colon)),
    upstream: dash < 0 ? rest : rest.slice(0, dash),
    revision: dash < 0 ? "" : rest.slice(dash + 1),
  };
};

/** "~" sorts before the end, the end before letters, letters before all else. */
const weight = (char: string): number =>
  char === "~" ? -1 : char === "" ? 0 : /[A-Za-z]/.test(char) ? char.charCodeAt(0) : char.charCodeAt(0) + 256;

function comparePart(a: string, b: string): number {
  let [left, right] = [a, b];
  while (left !== "" || right !== "") {
    const [textA, textB] = [/^\D*/.exec(left)![0], /^\D*/.exec(right)![0]];
    for (let n = 0; n < Math.max(textA.length, textB.length); n++) {
      const difference = weight(textA[n] ?? "") - weight(textB[n] ?? "");
      if (difference !== 0) return difference;
    }
    [left, right] = [left.slice(textA.length), right.slice(textB.length)];
    const [digitsA, digitsB] = [/^\d*/.exec(left)![0], /^\d*/.exec(right)![0]];
    const difference = BigInt(digitsA || "0") - BigInt(digitsB || "0");
    if (difference !== 0n) return difference < 0n ? -1 : 1;
    [left, right] = [left.slice(digitsA.length), right.slice(digitsB.length)];
  }
  return 0;
}

/** Negative when `a` is older, positive when it is newer, 0 when they are equal. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [split(a), split(b)];
  return (
    left.epoch - right.epoch || comparePart(left.upstream, right.upstream) || comparePart(left.revision, right.revision)
  );
}
