// Opens the reports in headless Chromium, as a reader would: light and dark, on a phone, with a keyboard, on paper.
// What is wrong is printed, a line each, and the exit code says whether there was anything.
//
//   node check.mjs FOLDER    with pages.json in it: {"modules": …, "chromium": …, "pages": […], "diagrams": […]}
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const folder = path.resolve(process.argv[2]);
const job = JSON.parse(readFileSync(path.join(folder, "pages.json"), "utf8"));
const require = createRequire(path.join(job.modules, "node_modules", "x.js"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const wrong = [];
const browser = await chromium.launch({
  executablePath: job.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

/** A page that tells everything that it does. */
async function open(name, file, options) {
  const context = await browser.newContext({ offline: true, ...options });
  const page = await context.newPage();
  const url = pathToFileURL(file).href;
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) wrong.push(`${name}: the console says ${message.text()}`);
  });
  page.on("pageerror", (error) => wrong.push(`${name}: ${error}`));
  page.on("request", (request) => {
    if (request.url() !== url) wrong.push(`${name}: asks for ${request.url()}`);
  });
  await page.goto(url);
  return page;
}

/** In the page: what can only be measured where it is drawn. */
function measure() {
  const found = [];
  const parse = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = parse(colour).map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, two) => {
    const [high, low] = [light(one), light(two)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  let texts = 0;
  for (const box of document.querySelectorAll("svg .box, svg .label")) {
    const rect = box.querySelector("rect");
    const around = rect.getBBox();
    for (const text of box.querySelectorAll("text")) {
      texts += 1;
      const ratio = contrast(getComputedStyle(text).fill, getComputedStyle(rect).fill);
      if (ratio < 4.5) found.push(`contrast ${ratio.toFixed(2)} of "${text.textContent}"`);
      const size = text.getBBox();
      if (size.x + size.width > around.x + around.width || size.y + size.height > around.y + around.height) {
        found.push(`"${text.textContent}" leaves its box`);
      }
    }
  }
  const figure = document.querySelector("figure");
  for (const text of document.querySelectorAll("svg .heading")) {
    const ratio = contrast(getComputedStyle(text).fill, getComputedStyle(figure).backgroundColor);
    if (ratio < 4.5) found.push(`contrast ${ratio.toFixed(2)} of the heading "${text.textContent}"`);
  }
  if (document.querySelector("svg") && texts === 0) found.push("the picture has no words");
  // What is coloured is also worded.
  for (const box of document.querySelectorAll("svg .box.broken, svg .box.added, svg .box.deleted, svg .box.changed")) {
    const word = [...box.classList].find((name) => name !== "box");
    if (!box.textContent.includes(word)) found.push(`a ${word} box does not say so: ${box.textContent}`);
  }
  if (document.documentElement.scrollWidth > window.innerWidth) {
    found.push(`wider than the window: ${document.documentElement.scrollWidth} of ${window.innerWidth}`);
  }
  return found;
}

for (const { name, file, thorough } of job.pages) {
  for (const scheme of thorough ? ["light", "dark"] : ["light"]) {
    const said = `${name} (${scheme})`;
    const page = await open(said, path.join(folder, file), { colorScheme: scheme, viewport: { width: 1200, height: 900 } });
    for (const one of await page.evaluate(measure)) wrong.push(`${said}: ${one}`);
    if (thorough) {
      await page.evaluate(axe);
      const result = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
      for (const violation of result.violations) {
        for (const node of violation.nodes) wrong.push(`${said}: ${violation.id}: ${violation.help}: ${node.html.slice(0, 120)}`);
      }
    }
    await page.screenshot({ path: path.join(folder, `${name}.${scheme}.png`), fullPage: true });
    if (thorough && scheme === "light") {
      await page.keyboard.press("Tab");
      const first = await page.evaluate(() => {
        const { left, width } = document.activeElement.getBoundingClientRect();
        return { text: document.activeElement.textContent, seen: left >= 0 && width > 0 };
      });
      if (!first.seen || !first.text.startsWith("Skip")) wrong.push(`${said}: the first stop of the keyboard is ${JSON.stringify(first)}`);
      await page.emulateMedia({ media: "print" });
      const navigation = await page.evaluate(() => getComputedStyle(document.querySelector("nav")).display);
      if (navigation !== "none") wrong.push(`${said}: the navigation is printed`);
      await page.emulateMedia({ media: "screen" });
      await page.setViewportSize({ width: 375, height: 800 });
      for (const one of await page.evaluate(measure)) wrong.push(`${name} (phone): ${one}`);
      await page.screenshot({ path: path.join(folder, `${name}.phone.png`), fullPage: true });
    }
    await page.context().close();
  }
}

const page = await (await browser.newContext({ offline: true })).newPage();
page.on("pageerror", (error) => wrong.push(`mermaid: ${error}`));
await page.goto("about:blank");
await page.addScriptTag({ path: require.resolve("mermaid/dist/mermaid.min.js") });
await page.evaluate(() => globalThis.mermaid.initialize({ startOnLoad: false, securityLevel: "strict" }));
for (const [index, { name, text, boxes, lines, words }] of job.diagrams.entries()) {
  const drawn = await page.evaluate(async ([text, id]) => {
    try {
      const { svg } = await globalThis.mermaid.render(id, text);
      document.body.innerHTML = svg;
      const scripts = document.body.querySelectorAll("script, img, iframe, a").length;
      return {
        boxes: document.querySelectorAll("g.node").length,
        lines: document.querySelectorAll("path.flowchart-link").length,
        words: document.body.textContent,
        scripts,
      };
    } catch (error) {
      return { error: String(error) };
    }
  }, [text, `d${index}`]);
  if (drawn.error) wrong.push(`${name}: mermaid says ${drawn.error}`);
  else {
    if (drawn.boxes !== boxes || drawn.lines !== lines) {
      wrong.push(`${name}: ${drawn.boxes} boxes and ${drawn.lines} lines are drawn, not ${boxes} and ${lines}`);
    }
    if (drawn.scripts) wrong.push(`${name}: ${drawn.scripts} elements that no picture has`);
    for (const word of words) if (!drawn.words.includes(word)) wrong.push(`${name}: does not say ${word}`);
  }
}
await browser.close();
for (const line of wrong) console.log(line);
console.log(`${job.pages.length} pages and ${job.diagrams.length} diagrams looked at, ${wrong.length} things wrong`);
process.exit(wrong.length ? 1 : 0);
