// `npm run docs`: writes the pages that are made from tables. test/docs.test.ts fails when they are not current.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderConfigurationPage } from "../config/configuration-page.ts";
import { PROJECT_DIR } from "../config/read-config.ts";
import { renderMachineConfigPage } from "../contract/machine-config/page.ts";
import { renderCliPage, renderErrorsPage } from "./docs-pages.ts";

/** Name in docs/ → text. */
export const pages = async (): Promise<Record<string, string>> => ({
  "configuration.md": renderConfigurationPage(),
  "errors.md": renderErrorsPage(),
  "cli.md": await renderCliPage(),
  "machine-config.md": renderMachineConfigPage(),
});

if (import.meta.main) {
  for (const [name, text] of Object.entries(await pages())) {
    writeFileSync(join(PROJECT_DIR, "docs", name), text);
    process.stdout.write(`docs/${name}\n`);
  }
}
