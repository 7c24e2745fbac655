// Debian's control format: paragraphs of "Field: value" with continuation lines (deb822(5)). Pure.

export type Paragraph = Map<string, string>;

/** Paragraphs in order; field names in lower case; continuation lines joined with newlines; comments dropped. */
export function* parseDeb822(text: string): Generator<Paragraph> {
  let paragraph: Paragraph = new Map();
  let field = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("#")) continue;
    if (line.trim() === "") {
      if (paragraph.size > 0) yield paragraph;
      paragraph = new Map();
    } else if (/^[ \t]/.test(line)) {
      paragraph.set(field, `${paragraph.get(field) ?? ""}\n${line.trim()}`);
    } else {
      const colon = line.indexOf(":");
      if (colon < 1) continue;
      field = line.slice(0, colon).toLowerCase();
      paragraph.set(field, line.slice(colon + 1).trim());
    }
  }
  if (paragraph.size > 0) yield paragraph;
}
