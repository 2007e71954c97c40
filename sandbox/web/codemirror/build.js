// Bundle CodeMirror into ../codemirror.js, with the licenses of its packages: `npm ci && npm run build`.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const INPUTS = ["build.js", "entry.js", "package-lock.json", "package.json"];
const OUTPUT = "../codemirror.js";
const LICENSES = "../codemirror-licenses.txt";

// style-mod puts styles of a document into <style> elements, which the page's policy forbids, but those of a shadow root
// into constructed style sheets, which it allows. This makes it do the latter for both.
const constructedStyles = {
  name: "constructed styles",
  setup(bundler) {
    bundler.onLoad({ filter: /style-mod\.js$/ }, ({ path }) => {
      const source = readFileSync(path, "utf8");
      const changed = source.replace("!root.head && root.adoptedStyleSheets", "root.adoptedStyleSheets");
      if (changed === source) throw new Error("style-mod has changed: look for adoptedStyleSheets");
      return { contents: changed };
    });
  },
};

const result = await build({
  entryPoints: ["entry.js"], bundle: true, minify: true, format: "esm", target: "es2022", charset: "utf8",
  legalComments: "none", metafile: true, write: false, plugins: [constructedStyles],
});
const packages = new Set(Object.keys(result.metafile.inputs).map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]).filter(Boolean));
const licenses = [...packages].sort().map((name) => {
  const { version, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
  const file = readdirSync(`node_modules/${name}`).find((each) => /^licen[cs]e/i.test(each));
  if (license !== "MIT" || !file) throw new Error(`${name}: its license is ${license}, in the file ${file}`);
  const text = readFileSync(`node_modules/${name}/${file}`, "utf8").trim();
  return `${name} ${version}\n\n${text}\n`;
});
const code = result.outputFiles[0].text;
const inputs = digest(INPUTS.map((name) => `${name} ${digest(readFileSync(name))}\n`).join(""));
writeFileSync(OUTPUT, `/* Built from sandbox/web/codemirror, do not edit. Licenses: "./codemirror-licenses.txt"\n   inputs ${inputs}\n   code ${digest(code)} */\n${code}`);
writeFileSync(LICENSES, licenses.join(`\n${"-".repeat(80)}\n\n`));
console.log(`${OUTPUT}: ${Math.round(code.length / 1024)} KiB of ${packages.size} packages`);

function digest(content) {
  return createHash("sha256").update(content).digest("hex");
}
