// Roda's pages as a person uses them: `node run.mjs SCENARIO LINK...`, with login links of running nodes. Ends with an error
// when something is not as it should be.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { logIn, open, withBrowser } from "./chrome.mjs";

const [scenario, ...links] = process.argv.slice(2);

/** Waits for what another node has to bring about. */
async function until(holds, patience_ms = 30_000) {
  for (const end = Date.now() + patience_ms; Date.now() < end; await new Promise((wake) => setTimeout(wake, 100))) {
    if (await holds()) return;
  }
  assert.fail("it did not come about in time");
}

/** Waits until everything that was written can be searched. */
async function indexed(page, origin) {
  await until(async () => (await (await page.request.get(`${origin}/api/v1/search?words=x`)).json()).complete);
}

async function openBoard(page, origin, name) {
  await page.goto(`${origin}/boards`);
  await page.getByRole("region", { name: "Open a board by its name" }).getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Open" }).click();
  await page.getByRole("heading", { level: 1, name }).waitFor();
}

async function publish(page, title, text) {
  await page.getByRole("link", { name: "New post" }).click();
  await page.getByLabel("Title").fill(title);
  await page.getByLabel("Text").fill(text);
  await page.getByRole("button", { name: "Publish" }).click();
  await page.getByRole("heading", { level: 1, name: title }).waitFor();
}

/** From the first login to the first post and an answer; then the same hands without scripts. */
async function firstPost(browser) {
  for (const [at, javaScriptEnabled] of [true, false].entries()) {
    const { context, page, breaches } = await open(browser, { javaScriptEnabled });
    const origin = await logIn(page, links[at]);
    await openBoard(page, origin, "lounge");
    await publish(page, `First words ${at}`, "with **weight**");
    assert.equal(await page.locator(".post strong").innerText(), "weight");
    await page.locator(".post").getByRole("link", { name: /^reply/ }).click();
    await page.getByLabel("Text").fill("An answer");
    await page.getByRole("button", { name: "Preview" }).click();
    assert.match(await page.getByRole("region", { name: "Preview" }).innerText(), /An answer/);
    await page.getByRole("button", { name: "Publish" }).click();
    await page.locator(".comment").getByText("An answer").waitFor();
    await page.locator(".comment").getByRole("button", { name: /^Vote up/ }).click();
    await page.locator('.comment [aria-pressed="true"]').waitFor();
    await page.locator("summary").first().click();
    await page.locator(".comment").first().waitFor({ state: "hidden" });
    assert.deepEqual(breaches, []);
    await context.close();
  }
}

/** Two nodes of one machine in one browser: neither logs the other out. */
async function twoNodes(browser) {
  const { page, breaches } = await open(browser);
  const first = await logIn(page, links[0]);
  const second = await logIn(page, links[1]);
  for (const [origin, title] of [[first, "Of the first"], [second, "Of the second"], [first, "Once more"]]) {
    await openBoard(page, origin, "lounge");
    await publish(page, title, "x");
  }
  assert.deepEqual(breaches, []);
}

/** What one node writes shows up at the other as a line to press, while the page stands still. */
async function news(browser) {
  const { page: writer } = await open(browser);
  const { page: reader, breaches } = await open(browser);
  const from = await logIn(writer, links[0]);
  const to = await logIn(reader, links[1]);
  await openBoard(reader, to, "lounge");
  await openBoard(writer, from, "lounge");
  await publish(writer, "Breaking", "x");
  const thread = new URL(writer.url()).pathname;
  await until(async () => (await (await reader.request.get(to + thread)).text()).includes("Breaking"));
  await reader.goto(`${to}${thread}`);
  await reader.getByRole("heading", { level: 1, name: "Breaking" }).waitFor();
  await writer.locator(".post").getByRole("link", { name: /^reply/ }).click();
  await writer.getByLabel("Text").fill("Fresh");
  await writer.getByRole("button", { name: "Publish" }).click();
  const line = reader.locator(".news a");
  await line.waitFor();
  assert.match(await line.innerText(), /^1 new reply/);
  assert.equal(await reader.locator(".comment").count(), 0, "nothing moves by itself");
  await line.click();
  await reader.locator(".comment").getByText("Fresh").waitFor();
  assert.deepEqual(breaches, []);
}

/** Reads, answers and votes without a mouse. */
async function keyboard(browser) {
  const { page, breaches } = await open(browser);
  const origin = await logIn(page, links[0]);
  await openBoard(page, origin, "lounge");
  await publish(page, "By keys", "x");
  for (const words of ["one", "two"]) {
    await page.locator(".post").getByRole("link", { name: /^reply/ }).click();
    await page.getByLabel("Text").fill(words);
    await page.getByRole("button", { name: "Publish" }).click();
    await page.locator(".comment").getByText(words).waitFor();
  }
  const focus = () => page.evaluate(() => document.activeElement.innerText.trim());
  await page.goto(origin);
  await page.keyboard.press("Tab");
  assert.equal(await focus(), "Skip to the content");
  await page.keyboard.press("Enter");
  await page.keyboard.press("j");
  assert.match(await focus(), /^By keys/);
  await page.keyboard.press("o");
  await page.getByRole("heading", { level: 1, name: "By keys" }).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  assert.match(await focus(), /^one/);
  await page.keyboard.press("J");
  assert.match(await focus(), /^two/);
  await page.keyboard.press("K");
  await page.keyboard.press("a");
  await page.locator('.comment [aria-pressed="true"]').waitFor();
  await page.locator(".comment").first().focus();
  await page.keyboard.press("x");
  await page.locator(".comment").first().waitFor({ state: "hidden" });
  await page.keyboard.press("Enter");
  await page.locator(".comment").first().waitFor();
  await page.locator(".comment").first().focus();
  await page.keyboard.press("p");
  assert.match(await focus(), /By keys/);
  await page.keyboard.press("r");
  await page.getByLabel("Text").waitFor();
  await page.getByLabel("Text").focus();
  await page.keyboard.type("jkaz?");
  assert.equal(await page.getByLabel("Text").inputValue(), "jkaz?", "keys are letters where one writes");
  await page.goto(origin);
  await page.keyboard.press("/");
  await page.getByRole("heading", { level: 1, name: "Search" }).waitFor();
  await page.getByLabel("Words").focus();
  await page.keyboard.type("keys");
  await until(async () => {
    await page.getByLabel("Words").press("Enter");
    await page.locator("#h-found").waitFor();
    return await page.locator("article mark").count() > 0;
  });
  await page.locator("body").click();
  await page.keyboard.press("j");
  await page.keyboard.press("o");
  await page.getByRole("heading", { level: 1, name: "By keys" }).waitFor();
  await page.goto(`${origin}/t/x`);
  await page.keyboard.press("?");
  await page.getByRole("heading", { level: 1, name: "Help" }).waitFor();
  assert.deepEqual(breaches, []);
}

/** The form opens below what is answered, keeps what is typed, and gives the focus back. */
async function answerInPlace(browser) {
  const { page, breaches } = await open(browser, { viewport: { width: 320, height: 800 } });
  const origin = await logIn(page, links[0]);
  await openBoard(page, origin, "lounge");
  await publish(page, "In place", "x");
  const thread = page.url();
  const reply = (place) => page.locator(place).getByRole("link", { name: /^reply/ });
  const text = page.getByLabel("Text");
  await reply(".post").click();
  assert.equal(page.url(), thread, "the page stays");
  const group = page.getByRole("group", { name: /^Answer to/ });
  await group.waitFor();
  assert.equal(await reply(".post").getAttribute("aria-expanded"), "true");
  assert.ok(await text.evaluate((field) => field === document.activeElement), "one can write at once");
  await page.keyboard.type("first");
  await group.getByRole("button", { name: "Publish" }).click();
  await page.locator(".comment").getByText("first").waitFor();

  await page.locator(".comment").first().focus();
  await page.keyboard.press("r");
  await group.waitFor();
  await page.keyboard.type("half a thought, j k");
  const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), []);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0);
  await page.keyboard.press("Escape");
  assert.equal(await group.count(), 0);
  const label = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
  assert.match(label, /^reply/, "the focus is where it was");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-expanded")), "false");
  await page.keyboard.press("Enter");
  assert.equal(await text.inputValue(), "half a thought, j k", "nothing that was typed is lost");
  await reply(".post").click();
  await page.locator(".post").getByRole("group").waitFor();
  assert.equal(await group.count(), 1, "one at a time");
  await group.getByRole("link", { name: "Cancel" }).click();
  assert.equal(await group.count(), 0);
  assert.equal(new URL(page.url()).pathname, new URL(thread).pathname);
  await reply(".comment").click();
  await group.getByRole("button", { name: "Publish" }).click();
  await page.locator(".comment").getByText("half a thought").waitFor();
  assert.equal(await page.locator(".comment").last().getAttribute("data-level"), "2", "it stands below what it answers");
  assert.deepEqual(breaches, []);
}

/** What is typed survives a closed tab. */
async function draft(browser) {
  const { context, page, breaches } = await open(browser);
  const origin = await logIn(page, links[0]);
  await openBoard(page, origin, "lounge");
  await page.goto(`${origin}/post`);
  await page.getByLabel("Title").fill("Half a");
  await page.getByLabel("Text").fill("thought");
  await page.close();
  const again = await context.newPage();
  await again.goto(`${origin}/post`);
  assert.equal(await again.getByLabel("Text").inputValue(), "thought");
  assert.equal(await again.getByLabel("Title").inputValue(), "Half a");
  assert.deepEqual(breaches, []);
}

/** Unfolds what a page shows of strangers: nothing of it is there to act, and no link leads to anything but a page or a letter. */
async function assertHarmless(page, what) {
  for (const summary of await page.locator("details:not([open]) > summary").elementHandles()) await summary.click();
  const acting = await page.locator("main :is(script, iframe, object, embed, svg:not(.plot, .key-mark), form[action^='http'], [onerror], [onload], [onclick], [onmouseover], [style])").count();
  assert.equal(acting, 0, what);
  const links = await page.locator("main a[href]").evaluateAll((all) => all.map((link) => link.href));
  for (const link of links) assert.match(link, /^(https?|mailto):/, `${what}: ${link}`);
}

/** Every page that shows words of strangers, and what one's own would look like: none of them acts. */
async function attacks(browser) {
  const { page, breaches } = await open(browser);
  const origin = await logIn(page, links[0]);
  const json = async (path) => (await page.request.get(`${origin}/api/v1/${path}`)).json();
  const threads = await json("feed?limit=1000");
  assert.ok(threads.length > 10);
  const me = (await json("identity")).author;
  const mine = threads.filter(({ author }) => author === me);
  const strangers = new Set((await json("inbox?all=true&limit=1000")).map(({ author }) => author));
  assert.ok(mine.length > 10 && strangers.size > 3, "there are threads of one's own, and strangers in the inbox");
  await indexed(page, origin);
  const filled = ["/inbox", "/directory"];
  const paths = ["/", "/?sort=balanced", "/boards", ...filled, "/search?words=alert", "/search?words=script&sort=new", "/node", "/settings", "/power", "/rules"];
  for (const { id, board, author } of threads) {
    paths.push(`/t/${id}`, `/why/${id}`, `/reply/${id}`, `/b/${board}`, `/b/${board}/log`, `/author/${author}`);
  }
  for (const { id } of mine) paths.push(`/edit/${id}`, `/history/${id}`);
  for (const author of strangers) paths.push(`/author/${author}`);
  for (const path of new Set(paths)) {
    const answer = await page.goto(origin + path);
    assert.equal(answer.status(), 200, path);
    if (filled.includes(path)) assert.ok(await page.locator("main article").count() > 3, `${path} has something on it`);
    await assertHarmless(page, path);
  }
  for (const { board, title } of mine) {
    await page.goto(`${origin}/post?board=${board}`);
    for (const field of ["Title", "Text", "Link", "Tags"]) await page.getByLabel(field).fill(title);
    await page.getByRole("button", { name: "Preview" }).click();
    await page.getByRole("region", { name: "Preview" }).waitFor();
    await assertHarmless(page, `the preview of ${title}`);
    assert.equal(await page.getByLabel("Text").inputValue(), title, "what was typed is there as it was typed");
  }
  assert.deepEqual(breaches, []);
}

/** Keys that turn the pages of a list, and open an entry. */
async function turning(browser) {
  const { page, breaches } = await open(browser);
  const origin = await logIn(page, links[0]);
  await page.goto(`${origin}/`);
  const titles = () => page.locator("main article h2").allInnerTexts();
  const first = await titles();
  await page.keyboard.press("p");
  assert.deepEqual([new URL(page.url()).search, await titles()], ["", first], "there is no page before the first");
  await page.keyboard.press("n");
  await page.waitForURL(/[?&]before=/);
  const second = await titles();
  assert.ok(second.length > 0 && !second.includes(first[0]), "these are others");
  await page.keyboard.press("p");
  await page.waitForURL(`${origin}/`);
  await until(async () => (await titles())[0] === first[0]);
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("c");
  await page.getByRole("heading", { level: 1, name: first[1], exact: true }).waitFor();
  assert.deepEqual(breaches, []);
}

/**
 * A page as it is: axe at these widths and colours, without a horizontal scroll; a picture of each. Adds what is wrong. No
 * picture of pages that are longer than browsers can draw.
 */
async function assess(page, name, problems, { widths = [320, 1280], colours = ["light", "dark"], isPictured = true } = {}) {
  const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  const folder = process.env.RODA_SCREENSHOTS;
  await mkdir(folder, { recursive: true });
  for (const width of widths) {
    for (const colorScheme of colours) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
      for (const { id, nodes } of violations) {
        problems.push(`${name} ${width} ${colorScheme}: ${id}: ${nodes.slice(0, 3).map((node) => node.html).join(" ")}`);
      }
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (overflow > 0) problems.push(`${name} ${width}: scrolls sideways by ${overflow}`);
      if (isPictured) await page.screenshot({ path: `${folder}/${name}-${width}-${colorScheme}.png`, fullPage: true });
    }
  }
}

/** From another machine: nothing without the password, and where one wanted to go with it. */
async function password(browser) {
  const [link, secret] = links;
  const origin = new URL(link).origin;
  const { page, breaches } = await open(browser, { ignoreHTTPSErrors: true });
  const problems = [];
  assert.equal((await page.goto(`${origin}/boards`)).status(), 401);
  await assess(page, "login", problems);
  const field = page.getByLabel("Password");
  assert.ok(await field.evaluate((field) => field === document.activeElement), "one can type at once");
  await page.keyboard.type("three other words");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").waitFor();
  await assess(page, "refused", problems);
  await field.fill(secret);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Boards" }).waitFor();
  assert.equal(new URL(page.url()).pathname, "/boards", "where one wanted to go");
  await openBoard(page, origin, "lounge");
  await publish(page, "From elsewhere", "x");
  await page.getByRole("button", { name: "Log out" }).or(page.getByRole("link", { name: "Log out" })).click();
  await field.or(page.getByText("logged out")).first().waitFor();
  assert.equal((await page.goto(`${origin}/`)).status(), 401);
  assert.deepEqual(problems, []);
  assert.deepEqual(breaches, []);
}

/** The address of every page, by name. */
async function everyPage(page, origin) {
  const [thread] = await (await page.request.get(`${origin}/api/v1/feed?limit=1`)).json();
  const read = await (await page.request.get(`${origin}/api/v1/threads/${thread.id}`)).json();
  const comment = read.nodes.find((node) => node.depth > 0);
  const mine = read.nodes.find((node) => node.mine);
  const theirs = read.nodes.find((node) => !node.mine && node.hidden);
  return {
    feed: "/", balanced: "/?sort=balanced", top: "/?sort=top&range=week", boards: "/boards", directory: "/directory", board: `/b/${thread.board}`,
    log: `/b/${thread.board}/log`, thread: `/t/${thread.id}`, branch: `/t/${comment.id}`, post: "/post",
    reply: `/reply/${comment.id}`, edit: `/edit/${mine.id}`, retract: `/retract/${mine.id}`, history: `/history/${mine.id}`,
    author: `/author/${thread.author}`, muted: `/author/${theirs.author}`, inbox: "/inbox", node: "/node", search: "/search",
    found: "/search?words=beer&sort=new", unfound: "/search?words=nowhere", unread: `/search?words=${encodeURIComponent('"x')}`,
    settings: "/settings", rules: "/rules", why: `/why/${thread.id}`, power: "/power", help: "/help", nothing: "/nothing",
  };
}

/** axe on every page, narrow and wide, light and dark, without a horizontal scroll; a picture of each. */
async function pages(browser) {
  const { page, context } = await open(browser);
  const origin = await logIn(page, links[0]);
  const problems = [];
  await indexed(page, origin);
  for (const [name, path] of Object.entries(await everyPage(page, origin))) {
    await page.goto(origin + path);
    if (name === "directory") assert.ok(await page.locator("main article").count() > 0, "a board can be found");
    await assess(page, name, problems);
  }
  await context.close();
  assert.deepEqual(problems, []);
}

/** axe on every page as a Portuguese browser gets it: other words have other widths, and a language to be said. */
async function portuguese(browser) {
  const { page, context } = await open(browser, { locale: "pt-PT" });
  const origin = await logIn(page, links[0]);
  const problems = [];
  await indexed(page, origin);
  for (const [name, path] of Object.entries(await everyPage(page, origin))) {
    await page.goto(origin + path);
    assert.equal(await page.evaluate(() => document.documentElement.lang), "pt", path);
    await assess(page, `pt-${name}`, problems, { widths: [320], colours: ["light"] });
  }
  await context.close();
  assert.deepEqual(problems, []);
}

/** axe on both pages of a thread of a thousand comments. */
async function longThread(browser) {
  const [link, root] = links;
  const { page, breaches } = await open(browser);
  const origin = await logIn(page, link);
  const problems = [];
  await page.goto(`${origin}/t/${root}`);
  assert.ok(await page.locator(".comment").count() > 300, "a page has hundreds of comments");
  await assess(page, "long", problems, { widths: [320], colours: ["light"], isPictured: false });
  await page.keyboard.press("n");
  await page.waitForURL(/[?&]after=/);
  await assess(page, "longer", problems, { widths: [320], colours: ["light"], isPictured: false });
  assert.deepEqual(problems, []);
  assert.deepEqual(breaches, []);
}

const scenarios = {
  answerInPlace, attacks, draft, firstPost, keyboard, longThread, news, pages, password, portuguese, turning, twoNodes,
};
assert.ok(scenarios[scenario], `no such scenario: ${scenario}`);
await withBrowser(async (browser) => {
  try {
    await scenarios[scenario](browser);
  } catch (error) {
    // What the person would have seen.
    for (const page of browser.contexts().flatMap((context) => context.pages())) {
      console.error(`${page.url()}:\n${await page.locator("body").innerText().catch(String)}\n`);
    }
    throw error;
  }
});
