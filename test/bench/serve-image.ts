// The boot app with one made-up image, as a process of its own. Prints where its image is.
//   node test/bench/serve-image.ts <imageBytes> <cacheBytes>
import { bootApp } from "../server/http/boot-app.ts";

const [imageBytes, cacheBytes] = process.argv.slice(2).map(Number);
const it = await bootApp({}, { imageBytes: imageBytes!, cacheBytes: cacheBytes! });
await it.assets.settled();
console.log(`ready http://127.0.0.1:${it.port}/image/${it.image.manifest.id}/uki`);
process.on("SIGTERM", () => void it.close());
