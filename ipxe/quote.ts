// Text and URLs as iPXE reads them. iPXE splits a line at spaces, expands ${…}, and takes && and || as operators
// (iPXE src/core/exec.c), so what came from outside is reduced to characters that mean nothing to it. Pure.

/** Characters that iPXE's parser and its text console take as they are. */
const PLAIN = /[^A-Za-z0-9 .,:;/()+_@=?!<>%*-]/g;

/** Any text → one harmless line of at most `limit` characters. */
export function quoteText(text: string, limit = 120): string {
  return text.replace(/[\s]+/g, " ").replace(PLAIN, "'").trim().slice(0, limit);
}

/**
 * Breaks a text into lines that fit iPXE's 80 columns.
 * @returns at least one line; words longer than a line are cut.
 */
export function wrapText(text: string, width = 76): string[] {
  const lines: string[] = [];
  for (const word of quoteText(text, 600).split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word.slice(0, width));
  }
  return lines.length > 0 ? lines : [""];
}
