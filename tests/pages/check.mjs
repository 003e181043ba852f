// Opens pages of runs in a headless Chromium: what is on them, for whom they can be used, and how long
// they take. node check.mjs [--shots DIR] PAGE...
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const words = process.argv.slice(2);
const shots = words[0] === "--shots" ? words.splice(0, 2)[1] : undefined;
const problems = [];

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
for (const file of words) {
  const say = (what) => problems.push(`${path.basename(file)}: ${what}`);
  const url = pathToFileURL(path.resolve(file)).href;
  await without(url, say);
  for (const scheme of ["light", "dark"]) await look(file, url, scheme, say);
}
await browser.close();
for (const problem of problems) console.error(problem);
process.exit(problems.length ? 1 : 0);

// Without a script everything but the search is there.
async function without(url, say) {
  const page = await browser.newPage();
  await page.setJavaScriptEnabled(false);
  await page.goto(url);
  for (const part of ["h1", "#jobs table tbody tr", "#jobs svg .job", "#timeline .track", "#logs"]) {
    if (!(await page.$(part))) say(`without a script there is no \`${part}\``);
  }
  if (await page.$eval("#search", (it) => it.checkVisibility())) say("a search that cannot work is shown");
  await page.close();
}

async function look(file, url, scheme, say) {
  const page = await browser.newPage();
  await page.setViewport({ width: 1200, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  page.on("dialog", (it) => { say(`a script of the run spoke: ${it.message()}`); it.dismiss(); });
  page.on("pageerror", (error) => say(`script: ${error.message}`));
  page.on("console", (it) => { if (it.type() === "error") say(`console: ${it.text()}`); });
  page.on("request", (it) => { if (it.url() !== url) say(`it asks for ${it.url()}`); });
  const began = performance.now();
  await page.goto(url, { waitUntil: "load" });
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const took = performance.now() - began;
  // Before anything else is asked: that counts as work, too.
  const { TaskDuration: busy } = await page.metrics();
  const jobs = await page.$$eval("#jobs tbody tr", (rows) => rows.length);
  const bytes = (await readFile(file)).length;
  console.log(`${path.basename(file)} ${scheme}: ${jobs} jobs, ${bytes} bytes, open in ${took.toFixed(0)} ms, of which ${(busy * 1000).toFixed(0)} ms of work`);
  if (shots) await page.screenshot({ path: path.join(shots, `${path.basename(file, ".html")}-${scheme}.png`) });
  await keyboard(page, say);
  // A large page says the same a thousand times; the checker would take minutes.
  if (jobs <= 300) await accessible(page, scheme, say);
  await search(page, say);
  await page.close();
}

// The first key leads to the link over the navigation, and what scrolls can be reached.
async function keyboard(page, say) {
  await page.keyboard.press("Tab");
  if (!(await page.evaluate(() => document.activeElement?.matches("a.skip")))) say("the first key leads elsewhere");
  for (const region of await page.$$(".scroll")) {
    if ((await region.evaluate((it) => it.tabIndex)) !== 0) say("something that scrolls cannot be reached by keys");
  }
}

async function accessible(page, scheme, say) {
  await page.evaluate((source) => { const run = new Function(source); run(); }, axe).catch(() => undefined);
  // The page's policy forbids other scripts: the checker is brought in by the debugger.
  if (!(await page.evaluate(() => "axe" in window))) {
    const session = await page.createCDPSession();
    await session.send("Runtime.evaluate", { expression: axe });
  }
  await page.evaluate(() => document.querySelectorAll("details").forEach((it) => (it.open = true)));
  const found = await page.evaluate(() => window.axe.run(document));
  for (const violation of found.violations) {
    const line = `${violation.impact} ${violation.id} (${scheme}): ${violation.help}, ${violation.nodes.length} times, such as ${violation.nodes[0].html.slice(0, 200)}`;
    if (["serious", "critical"].includes(violation.impact)) say(line);
    else console.log(line);
  }
}

async function search(page, say) {
  const lines = await page.$$eval("#logs pre", (all) => all.map((it) => it.textContent).join("").length);
  if (lines === 0) return;
  const query = await page.$eval("#logs pre", (it) => it.textContent.trim().split(/\s+/)[0]);
  await page.type("#query", query);
  await page.waitForFunction(() => document.querySelector("#found").textContent !== "", { timeout: 20000 });
  if (!(await page.$("#logs mark"))) say(`the search does not find \`${query}\``);
  if (!(await page.$eval("#logs mark", (it) => it.checkVisibility()))) say("what was found is hidden");
}
